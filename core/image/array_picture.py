"""Arrays as pictures to load: any size, grey for colours or colours for grey, values as shares of white."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import as_numpy, namespace
from ..errors import ImageError
from ..input.array_layout import Layout, layouts
from ..input.as_array import as_array
from ..input.unit import WHITE, interval, type_name, unit_of
from ..model.input_spec import InputSpec

__all__ = ["pictures_of_array", "with_channels"]

Values = np.ndarray[Any, Any]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as Pillow's grey."""


def pictures_of_array(images: Any, spec: InputSpec) -> Iterator[Values]:
    """Each picture in an array: (H, W, C) uint8 where it was that, else (C, H, W) float32 in [0, 1].

    Args:
        images: one picture or several, channels first or last, of any size.
        spec: the input that they are for: channels and bounds.

    Raises:
        ImageError: no array of pictures, or one that can be read in several ways; the message has the code to paste.
    """
    x = as_array(images)
    if 0 in x.shape:
        raise ImageError("the array holds no picture")
    layout = _layout(tuple(x.shape), spec)
    unit = unit_of(x, spec.bounds, strict=True)
    if unit.kind not in {"right", "by_type"}:
        steps = f": crosslens.load_image({unit.code.format('images')}, like=model)" if unit.kind == "by_hand" else ""
        raise ImageError(
            f"the array has shape {tuple(x.shape)} and dtype {type_name(x)}{unit.reach}; give uint8, or values in "
            f"{interval(spec.bounds or (0, 1))}. {unit.words[:1].upper()}{unit.words[1:]}{steps}"
        )
    batch = layout.apply(x)
    name, values = type_name(batch), as_numpy(_readable(batch))
    if name == "bool":
        name, values = "uint8", 255 * values.astype(np.uint8)
    if name == "uint8" and values.ndim == 4 and values.shape[1] in {1, 3, 4}:
        yield from (np.ascontiguousarray(each) for each in np.moveaxis(values, 1, -1))
        return
    floats = np.ascontiguousarray(values, np.float32)
    yield from floats / np.float32(WHITE[name]) if unit.kind == "by_type" else np.asarray(spec.to_unit(floats))


def _readable(x: Any) -> Any:
    """In a type that NumPy has."""
    return namespace(x).astype(x, namespace(x).float32) if type_name(x) == "bfloat16" else x


def _layout(shape: tuple[int, ...], spec: InputSpec) -> Layout:
    own = spec.shape[0] or 3
    free = [None] * (len(spec.shape) - 1)
    found = [each for each in layouts(shape, (own, *free)) if "C" in each.axes]
    if not found and own in {1, 3} and not spec.is_volume:
        found = [each for channels in (1, 3, 4) for each in layouts(shape, (channels, *free))]
        found = [each for each in found if each.axes[-1] == "C"] or found
    if len(found) == 1:
        return found[0]
    channels = "1, 3 or 4" if own in {1, 3} else str(own)
    if not found:
        raise ImageError(f"the array has shape {shape}; a picture has {channels} channels, first or last: (C, H, W)")
    readings = [f"{each.code('images')} if the axes are ({', '.join(each.axes)})" for each in found]
    raise ImageError(f"the array has shape {shape}, and two readings of its axes fit: give {', or '.join(readings)}")


def with_channels(picture: Values, channels: int) -> Values:
    """A picture (C, H, W) in [0, 1] with this number of channels: transparency on white, luma, or grey in colours.

    Raises:
        ImageError: neither has one or three.
    """
    if picture.shape[0] == channels:
        return picture
    if picture.shape[0] == 4 and channels in {1, 3}:
        colours, alpha = picture[:3], picture[3:]
        return with_channels(colours * alpha + (1 - alpha), channels)
    if picture.shape[0] == 1 and channels == 3:
        return np.repeat(picture, 3, axis=0)
    if picture.shape[0] == 3 and channels == 1:
        return np.tensordot(LUMA, picture, axes=1)[None].astype(np.float32)
    raise ImageError(f"the array has {picture.shape[0]} channels; this model takes {channels}")
