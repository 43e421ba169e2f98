"""Whether the last axes of a layer are positions in the image, which four axes alone do not say.

Heads of attention, anchors of a detector, bins of a distribution and tensors laid out for a dense layer have four axes
too. Where the shape leaves a doubt, the gradient decides: the further down a row of the layer, the further down in the
image what it depends on, and columns alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import as_numpy, like
from ..model.base import INPUT, Model
from ..model.layer import Layer
from .target_maps import sample_images

__all__ = ["follows_image", "lays_out_anew", "only_chooses"]

Values = np.ndarray[Any, Any]
REACH = 0.15
"""The share of the image's side by which what the first and the last row depend on must lie apart."""
IN_LINE = 0.9
"""The least correlation of where rows stand in the layer and where in the image what they depend on does."""
STRETCH = 2.5
"""From this ratio of its two strides on a layer is looked at."""

_NEW_LAYOUTS = frozenset(
    [
        "permute",
        "transpose",
        "transpose_copy",
        "swapaxes",
        "swapdims",
        "movedim",
        "moveaxis",
        "reshape",
        "reshape_as",
        "view",
        "view_as",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "expand",
        "expand_dims",
        "expand_as",
        "rearrange",
        "t",
        "mt",
        "adjoint",
        "unfold",
        "as_strided",
        "repeatvector",
        "spacetobatchnd",
        "batchtospacend",
        "flip",
        "fliplr",
        "flipud",
        "reverse",
        "roll",
        "rot90",
    ]
)
_CHOICES = frozenset(
    [
        "slice",
        "strided_slice",
        "stridedslice",
        "getitem",
        "narrow",
        "select",
        "gather",
        "take",
        "index_select",
        "split",
        "split_with_sizes",
        "tensor_split",
        "chunk",
        "crop",
        "center_crop",
        "cropping2d",
        "cropping3d",
        "pad",
        "zeropadding2d",
        "zeropadding3d",
    ]
)


def lays_out_anew(layer: Layer) -> bool:
    """Whether the layer only gives its input's values other axes or places: Permute, Reshape, flip and the like."""
    return _plain(layer) in _NEW_LAYOUTS


def only_chooses(layer: Layer) -> bool:
    """Whether the layer is a part of its input, or its input with a margin: other places in it, or fewer channels."""
    return _plain(layer) in _CHOICES


def _plain(layer: Layer) -> str:
    return layer.kind.lower().rstrip("_")


def follows_image(model: Model, name: str, before: Sequence[Layer]) -> bool:
    """Whether the layer's axes after the channels are positions in the image, in its order.

    Where something was laid out anew on the way, the first layer after it is looked at: what is computed from positions
    without another such step keeps them, and deep layers see all of the image from every place. If that layer says no,
    the layer itself is looked at.

    Args:
        model: any network; of one that takes no image the answer is yes.
        name: a layer (N, C, ...) with as many axes of positions as the image has.
        before: the layers that it is computed from, in execution order.
    """
    sides, sizes = model.input.example_shape[1:], _sizes(model.layer(name))
    if len(sides) < 2 or len(sides) != len(sizes):
        return True
    if _doubtful(sides, sizes):
        return _in_order(model, name)
    last = max((n for n, layer in enumerate(before) if lays_out_anew(layer)), default=None)
    if last is None:
        return True
    after = (layer for layer in before[last:] if len(_sizes(layer)) == len(sides) and max(_sizes(layer)) > 1)
    first = next((layer.name for layer in after if not _doubtful(sides, _sizes(layer))), name)
    return _in_order(model, first) or (first != name and _in_order(model, name))


def _sizes(layer: Layer) -> list[int]:
    return [n or 1 for n in layer.shape[2:]]


def _in_order(model: Model, name: str) -> bool:
    """Whether what each row depends on lies further on in the image the further on the row is, on each axis."""
    sides, sizes = model.input.example_shape[1:], _sizes(model.layer(name))
    rows = [(axis, row) for axis, size in enumerate(sizes) if size > 1 for row in _spread(size)]
    if not rows:
        return True
    with model.linearize(sample_images(model, len(rows)), [name], wrt=[INPUT]) as at:
        activation = at.activations[name]
        cotangent = _one_row_each(as_numpy(activation), rows)
        gradient = as_numpy(at.vjp({name: like(cotangent, activation)})[INPUT])
    centres: dict[int, list[tuple[int, float]]] = {}
    for image, (axis, row) in zip(gradient, rows, strict=True):
        centres.setdefault(axis, []).append((row, _centre(image, axis)))
    return all(_in_line(pairs, sides[axis]) for axis, pairs in centres.items())


def _spread(size: int) -> list[int]:
    """The first and the last row, and two between them where there are so many."""
    return sorted({round(n * (size - 1) / 3) for n in range(4)})


def _doubtful(sides: Sequence[int], sizes: Sequence[int]) -> bool:
    """Whether strides differ much between axes: maps are about as wide for their height as the image is."""
    least = [max(size - 1, 1) / side for side, size in zip(sides, sizes, strict=True)]
    most = [(size + 1) / side for side, size in zip(sides, sizes, strict=True)]
    return max(least) > STRETCH * min(most)


def _one_row_each(values: Values, rows: Sequence[tuple[int, int]]) -> Values:
    """For each item of a batch, random numbers in one row of one axis of positions."""
    cotangent = np.zeros_like(values)
    rng = np.random.default_rng(2)
    for n, (axis, row) in enumerate(rows):
        place = np.moveaxis(cotangent[n], axis + 1, 0)
        place[row] = rng.standard_normal(place[row].shape)
    return cotangent


def _centre(gradient: Values, axis: int) -> float:
    """Where along an axis of the image the energy of a gradient (C, ...) lies; NaN for no gradient."""
    energy = np.moveaxis(gradient.astype(np.float64) ** 2, axis + 1, 0).reshape(gradient.shape[axis + 1], -1).sum(1)
    total = energy.sum()
    return float(energy @ np.arange(len(energy)) / total) if total else float("nan")


def _in_line(pairs: Sequence[tuple[int, float]], side: int) -> bool:
    """Whether what rows (first) depend on (second) lies in their order, evenly, and over some of the image's side."""
    rows, centres = np.array(pairs).T
    if not np.isfinite(centres).all() or centres[-1] - centres[0] < REACH * (side - 1):
        return False
    return bool(np.corrcoef(rows, centres)[0, 1] >= IN_LINE)
