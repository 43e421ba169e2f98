"""A layer's kernels, laid out as what they read is: in the pixels of the image, in the maps of an earlier layer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import LayerError, unknown_name
from ..model.base import INPUT, Model
from ..model.layer import Layer, LayerLike
from .kernel_place import kernel_place
from .linear_source import LinearSource, linear_source, single_path

__all__ = ["KERNEL", "LayerKernels", "first_filters", "layer_kernels"]

Values = np.ndarray[Any, Any]

KERNEL = "kernel"
"""The name that most layers' kernels have among `Model.weights`."""


@dataclass(frozen=True)
class LayerKernels:
    """The kernels of a layer's units."""

    layer: str
    """Whose weights they are; a normalisation after it may have been asked for."""
    raw: Values
    """(out, in / groups, ...) as `Model.weights` has them, times the gain of the normalisation that was asked for."""
    laid_out: Values
    """(out, C, ...): what a unit's answer before its nonlinearity changes by for each value of what it reads."""
    reads: str = ""
    """What `laid_out` lies in: `INPUT` for the image's pixels, a layer's name, "" for the channels that it reads."""
    groups: int = 1
    """Groups of units that read channels of their own, of `laid_out` where that lies in such channels."""


def first_filters(model: Model) -> str:
    """The first layer whose kernels read the image, or the normalisation right after it; else the first with kernels.

    An ONNX file often holds the two as one: so kernels agree from framework to framework.

    Raises:
        LayerError: no layer has kernels.
    """
    names = [name for name, layer in model.layers.items() if _has_kernel(model, layer)]
    if not names:
        raise LayerError(
            "no layer of this network has a kernel that the backend can show: a convolution's or a dense layer's"
        )
    first = names[0]
    after = [name for name in model.layers if name != INPUT and model.reads(name) == (first,)]
    if len(after) == 1 and _unit_gains(model, after[0], first) is not None:
        return after[0]
    return first


def layer_kernels(model: Model, layer: LayerLike, kernel: str = KERNEL) -> LayerKernels:
    """The kernels of a layer, or of the one that it normalises, and how they lie in what they read.

    Where the layer reads the image, padded, normalised, its channels turned round or its pixels laid out anew, they are
    pulled back to its pixels with the exact adjoint of all that. A dense layer's are laid out as the maps that were
    flattened before it.

    Args:
        model: any network.
        layer: a layer with kernels, or a normalisation of one's units.
        kernel: the name among `Model.weights(layer)`: "depthwise_kernel" of a separable convolution.

    Raises:
        LayerError: the layer has no such weights.
    """
    name = model.layer_name(layer)
    of, gains = name, None
    if kernel == KERNEL and KERNEL not in _matrices(model, name):
        of, gains = _normalised(model, name)
    weights = _matrices(model, of)
    if kernel not in weights:
        raise LayerError(_no_kernel(name, kernel, weights))
    raw = weights[kernel]
    raw = raw if gains is None else raw * gains.reshape(-1, *[1] * (raw.ndim - 1)).astype(raw.dtype)
    if "transpos" in model.layer(of).kind.lower():
        return LayerKernels(of, raw, raw)
    place = kernel_place(model, of, len(raw)) if kernel == KERNEL else of
    if (direct := _read_directly(model, place, raw)) is not None:
        return LayerKernels(of, raw, direct, INPUT)
    for laid_out, source in _through_others(model, place, raw):
        return LayerKernels(of, raw, laid_out, source)
    return LayerKernels(of, raw, raw, groups=_groups(model, place, raw))


def _groups(model: Model, layer: str, raw: Values) -> int:
    """Groups of a convolution, by the channels of what it reads; 1 where the backend cannot tell."""
    read = model.reads(layer) or ()
    channels = model.layer(read[0]).shape[1] if len(read) == 1 and raw.ndim > 2 else None
    return channels // raw.shape[1] if channels and channels % raw.shape[1] == 0 else 1


def _matrices(model: Model, layer: str) -> Mapping[str, Values]:
    """The weights of a layer that have units and inputs, by name."""
    weights = {} if layer == INPUT else model.weights(layer)
    return {name: as_numpy(values) for name, values in weights.items() if values.ndim >= 2}


def _has_kernel(model: Model, layer: Layer) -> bool:
    return KERNEL in _matrices(model, layer.name) and "output" not in layer.kind.lower()


def _no_kernel(layer: str, kernel: str, weights: Mapping[str, Values]) -> str:
    if kernel != KERNEL:
        return unknown_name("weights", kernel, weights, of=f"layer {layer!r}")
    others = f"; it has {', '.join(weights)}: give kernel={next(iter(weights))!r}" if weights else ""
    return (
        f"layer {layer!r} has no kernels{others or ', and it normalises no layer that has'}. `crosslens layers MODEL` "
        "lists the layers with their kinds: convolutions and dense layers have some"
    )


def _normalised(model: Model, name: str) -> tuple[str, Values | None]:
    """The layer whose units this one only multiplies by gains, (out,), and shifts; itself where there is none."""
    for before in single_path(model, name):
        if before != INPUT and KERNEL in _matrices(model, before):
            gains = _unit_gains(model, name, before)
            return (name, None) if gains is None else (before, gains)
    return name, None


def _unit_gains(model: Model, name: str, before: str) -> Values | None:
    """What each unit of `before` is multiplied by in `name`, (out,); None where that is not all that happens.

    A layer that gives no negative value ends in a rectifier of its own, and what follows is no normalisation of it.
    """
    shape = model.layer(name).shape
    if shape != model.layer(before).shape or None in shape[1:] or len(shape) == 3:
        return None
    source = linear_source(model, name, before)
    if source is None or not np.array_equal(source.places, np.arange(source.places.size).reshape(shape[1:])):
        return None
    gains = source.gains.reshape(source.gains.shape[0], -1)
    if np.ptp(gains, axis=1).max() > 1e-3 * np.abs(gains).max() or _rectified(model, before):
        return None
    return np.asarray(np.median(gains, axis=1))


def _rectified(model: Model, name: str) -> bool:
    from .target_maps import sample_images

    activation = as_numpy(model.forward(model.placed(sample_images(model, 1)), [name])[name])
    return bool(activation.min() >= 0)


def _read_directly(model: Model, layer: str, raw: Values) -> Values | None:
    """The kernels in the image's pixels where nothing but the network's preprocessing lies between; else None."""
    if not model.input.is_image or not _reads_input(model, layer):
        return None
    channels = model.input.example_shape[0]
    full = _without_groups(raw, channels)
    if raw.ndim != len(model.input.shape) + 1 or full.shape[1] != channels:
        return None
    gain = model.preprocess.affine(channels)[0]
    scaled = full * gain.reshape(-1, *[1] * (raw.ndim - 2))
    return np.ascontiguousarray(scaled[:, ::-1] if model.preprocess.reverses else scaled)


def _reads_input(model: Model, layer: str) -> bool:
    """As the backend says; where it cannot tell, the first layer of all is taken for one that does."""
    read = model.reads(layer)
    return read == (INPUT,) or (read is None and list(model.layers)[1:2] == [layer])


def _through_others(model: Model, layer: str, raw: Values) -> Iterator[tuple[Values, str]]:
    """The kernels in what the layer reads by way of others that only lay values out, and what that is."""
    path = list(_path_without_kernels(model, layer))
    if not path or path[0] == INPUT:
        return
    if path[-1] == INPUT and model.input.is_image:
        laid_out = _pulled_back(raw, model.layer(path[0]), linear_source(model, path[0], INPUT))
        if laid_out is not None:
            yield laid_out, INPUT
    if raw.ndim == 2 and len(model.layer(path[0]).shape) == 2:
        for name in path[1:]:
            if name != INPUT and model.layer(name).has_maps:
                laid_out = _pulled_back(raw, model.layer(path[0]), linear_source(model, path[0], name))
                if laid_out is not None:
                    yield laid_out, name
                return


def _path_without_kernels(model: Model, layer: str) -> Iterator[str]:
    """As `single_path`, up to the first layer with kernels of its own."""
    for name in single_path(model, layer):
        yield name
        if _matrices(model, name):
            return


def _pulled_back(raw: Values, read: Layer, source: LinearSource | None) -> Values | None:
    """Kernels over a layer that they read as kernels over an earlier one, (out, C, ...) of the box that they read.

    A convolution stands in the middle of the layer, a dense layer over tokens at the token in the middle.
    """
    if source is None:
        return None
    shape = tuple(n or 0 for n in read.shape[1:])
    where = _positions(raw, shape)
    if where is None:
        return None
    kernels = _without_groups(raw, shape[0]) if raw.ndim > 2 else raw
    flat = kernels.reshape(len(kernels), -1)
    of_layer = np.full(int(np.prod(shape)), -1)
    of_layer[where.ravel()] = np.arange(where.size)
    entry = np.where(source.places >= 0, of_layer[source.places.clip(0)], -1)
    box = _box(entry >= 0)
    return np.where(entry >= 0, flat[:, entry.clip(0)] * source.gains, 0).astype(raw.dtype)[:, :, *box]


def _positions(raw: Values, shape: tuple[int, ...]) -> Values | None:
    """The flat index in the layer, without the batch, that each input of a kernel in its middle has; None: no room."""
    index = np.arange(int(np.prod(shape))).reshape(shape)
    if raw.ndim == 2:
        rows = index if len(shape) == 1 else index[shape[0] // 2] if len(shape) == 2 else index[:0]
        return rows if rows.shape == raw.shape[1:] else None
    sizes, room = raw.shape[2:], shape[1:]
    if len(sizes) != len(room) or any(size > side for size, side in zip(sizes, room, strict=True)):
        return None
    starts = [(side - size) // 2 for size, side in zip(sizes, room, strict=True)]
    return index[(slice(None), *(slice(start, start + size) for start, size in zip(starts, sizes, strict=True)))]


def _without_groups(raw: Values, channels: int) -> Values:
    """Kernels (out, in / groups, ...) as (out, in, ...), zero where a group does not read; itself where there is one.

    Groups follow from how many channels are read.
    """
    within = raw.shape[1]
    groups = channels // within if within and channels % within == 0 else 1
    if groups == 1 or raw.ndim < 3 or len(raw) % groups:
        return raw
    full = np.zeros((len(raw), channels, *raw.shape[2:]), raw.dtype)
    for unit, kernel in enumerate(raw):
        start = unit // (len(raw) // groups) * within
        full[unit, start : start + within] = kernel
    return full


def _box(read: Values) -> tuple[slice, ...]:
    """The smallest box of positions that holds every value (C, ...) that is read; all of them where none is."""
    used: Values = np.asarray(read.any(axis=0))
    spans = []
    for axis, side in enumerate(used.shape):
        places = np.flatnonzero(used.any(axis=tuple(other for other in range(used.ndim) if other != axis)))
        spans.append(slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(side))
    return tuple(spans)
