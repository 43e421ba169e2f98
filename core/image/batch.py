"""Images in any form that users have them in, as the batch (N, C, H, W) that a network takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import device, is_torch_array
from PIL import Image

from ..arrays import Array, as_numpy, namespace
from ..errors import ImageError
from ..input.as_array import as_array
from ..input.conversion import refusal
from ..input.unit import WHITE, type_name, unit_of
from ..model.base import Model
from ..model.input_spec import InputSpec
from .io import load_image
from .loading import join_records, remember_loading

__all__ = ["image_batch", "whole_number_batch"]

_ANYTHING = np.zeros(1, np.float32)


def image_batch(images: Any, model: Model, *, any_size: bool = False, strict: bool = True) -> Array:
    """Images for a network, from whatever they are; NumPy's that are right already come back as the same object.

    Arrays hold one image or several, channels first or last, in any type of real numbers: whole numbers of 8 or 16 bits
    are shares of the largest one, fractions must lie in the model's bounds. They may be NumPy's, torch's, TensorFlow's,
    or anything that NumPy reads. An array is not resized, nor its colours changed: that is the work of `load_image`,
    as the message says. Files and Pillow's images are read by `load_image`.

    Args:
        images: an array, a file, one of Pillow's images, or a list of such.
        model: the network.
        any_size: pictures of any size are taken, at their own size.
        strict: fractions must lie in the bounds, not merely near them as noise does.

    Returns:
        float32 (N, C, H, W) in the model's bounds, or (N, C, D, H, W), in the array's namespace; torch's tensors in
        NumPy's, but where they lie on the GPU on which the model computes: the model answers in the same kind of array.

    Raises:
        ImageError: with every step that is needed, as code to paste.
    """
    spec = model.input.of_any_size() if any_size else model.input
    if type(images) is np.ndarray and images.dtype == np.float32 and spec.takes_shape(images.shape):
        spec.check(images, strict=strict)  # the common case
        return images
    if isinstance(images, str | Path | Image.Image):
        return _loaded(images, model, any_size=any_size)
    if isinstance(images, list | tuple) and not _is_nested_numbers(images):
        return _joined([_numbered(n, each, model, any_size=any_size, strict=strict) for n, each in enumerate(images)])
    return _where_the_model_computes(_converted(as_array(images), spec, strict=strict), model)


def whole_number_batch(images: Array, model: Model) -> Array:
    """Whole numbers of 8 or 16 bits, or truth values, as shares of the largest of their type, however dark they are.

    Args:
        images: an array of such a type, one image or several, channels first or last.
        model: the network.

    Raises:
        ImageError: none, or more than one reading of the axes fits the model.
    """
    x = as_array(images)
    layouts = model.input.wanted.layouts(x.shape)
    if len(layouts) != 1:
        raise ImageError(refusal(x, model.input.wanted, strict=True))
    batch = _as_float32(layouts[0].apply(x), model.input, white=WHITE[type_name(x)])
    return _where_the_model_computes(batch, model)


def _where_the_model_computes(batch: Array, model: Model) -> Array:
    if not is_torch_array(batch) or device(batch) == device(model.placed(_ANYTHING)):
        return batch
    return np.ascontiguousarray(as_numpy(batch))


def _loaded(picture: str | Path | Image.Image, model: Model, *, any_size: bool) -> Array:
    if not model.input.is_image:
        raise ImageError(f"this network takes {model.input.wanted}, not pictures: give an array")
    return load_image(picture, like=model, whole=any_size)


def _is_nested_numbers(images: Sequence[Any]) -> bool:
    return bool(images) and isinstance(images[0], list | tuple | int | float)


def _numbered(n: int, image: Any, model: Model, **options: bool) -> Array:
    """One of a list; errors name which."""
    try:
        return image_batch(image, model, **options)
    except ImageError as error:
        raise ImageError(f"images[{n}]: {error}") from error


def _joined(parts: Sequence[Array]) -> Array:
    """Batches as one, where they lie if that is one place."""
    if not parts:
        raise ImageError("the batch holds no image")
    if len(sizes := {tuple(part.shape[1:]) for part in parts}) > 1:
        raise ImageError(
            f"images have different sizes, {', '.join(map(str, sorted(sizes)))}, and a batch has one: give them one by "
            "one, or crosslens.load_image(images, like=model)"
        )
    parts = parts if len({type(part) for part in parts}) == 1 else [as_numpy(part) for part in parts]
    if len(parts) == 1:
        return parts[0]
    batch = namespace(*parts).concat(list(parts), axis=0)
    remember_loading(batch, join_records(parts))
    return batch


def _converted(x: Array, spec: InputSpec, *, strict: bool) -> Array:
    if spec.takes_shape(x.shape) and x.dtype == namespace(x).float32:
        spec.check(x, strict=strict)
        return x
    if 0 in x.shape:
        raise ImageError("the batch holds no image")
    unit, layouts = unit_of(x, spec.bounds, strict=strict), spec.wanted.layouts(x.shape)
    if len(layouts) != 1 or unit.kind not in {"right", "by_type"}:
        raise ImageError(refusal(x, spec.wanted, strict=strict))
    batch = layouts[0].apply(x)
    return _as_float32(batch, spec, white=WHITE[type_name(x)] if unit.kind == "by_type" else None)


def _as_float32(batch: Array, spec: InputSpec, white: int | None) -> Array:
    """In C order where it is NumPy's; whole numbers, of which `white` is the largest, become shares of the bounds."""
    if isinstance(batch, np.ndarray):
        batch = np.ascontiguousarray(batch, np.float32)
    else:
        xp = namespace(batch)
        batch = xp.astype(batch, xp.float32, copy=False)
    if white is None or spec.bounds == (0, white):
        return batch
    return spec.from_unit(batch / white)
