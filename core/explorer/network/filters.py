"""The kernels of a layer's units as small pictures: `Filters` of data.ts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...image.colormap import colour
from ...image.false_colour import pixels, side_by_side
from ...introspection.layer_kernels import LayerKernels, layer_kernels
from ...introspection.linear_source import single_path
from ...model.base import INPUT, Model
from ..data_urls import picture_sheet
from .channels import kernel_layer
from .structure import Structure

__all__ = ["filters", "kernel_norms", "unit_kernels"]

Numbers = np.ndarray[Any, Any]

MOST_CHANNELS = 16
"""Input channels that a unit's picture shows, those with the largest norms."""
MOST_NUMBERS = 1 << 25
"""Of a dense layer's kernels that are laid out as maps: 128 MiB."""


def unit_kernels(model: Model, layer: str) -> tuple[str, Numbers] | None:
    """The layer that has the kernels of a layer's units, and these, (units, in / groups, ...); None where none has."""
    name = kernel_layer(Structure.of(model), layer)
    return None if name is None else (name, as_numpy(model.weights(name)["kernel"]))


def kernel_norms(model: Model, layer: str) -> Numbers | None:
    """The Euclidean norm of each unit's kernel, (units,); None where the layer has no kernels behind it."""
    known = unit_kernels(model, layer)
    if known is None:
        return None
    rows = known[1].reshape(len(known[1]), -1)
    return np.asarray(np.sqrt(np.einsum("ui,ui->u", rows, rows, dtype=np.float64)))


def filters(model: Model, layer: str) -> Mapping[str, Any] | None:
    """Pictures of the kernels of a layer's units; None where a kernel is one number for each input.

    What reads the image is shown in its colours, zero in grey. Of others, a picture shows the input channels with the
    largest norms, blue below zero and red above it; each unit has a scale of its own.
    """
    known = unit_kernels(model, layer)
    if known is None or known[1].size > MOST_NUMBERS:
        return None
    name, raw = known
    if raw.ndim == len(("out", "in")) and _reads_means(model, name, raw.shape[1]):
        return None
    kernels = layer_kernels(model, name)
    values = kernels.laid_out.astype(np.float32)
    if values.ndim < 4 or np.prod(values.shape[2:]) == 1:
        return None
    drawn = _coloured if kernels.reads == INPUT else _mosaic
    tiles = [drawn(each) for each in values]
    across = max(8, int(np.sqrt(len(tiles))))
    return {"sheet": picture_sheet(tiles, across=across, lossless=True), "units": None, "title": _title(kernels, layer)}


def _reads_means(model: Model, name: str, inputs: int) -> bool:
    """Whether a dense layer has one input for each channel of the last maps before it, which is no picture."""
    maps = next((each for each in single_path(model, name) if each != INPUT and model.layer(each).has_maps), None)
    return maps is not None and model.layer(maps).shape[1] == inputs


def _coloured(kernel: Numbers) -> Numbers:
    """(C, h, w) in the colours of the image, zero in mid-grey."""
    limit = np.abs(kernel).max() or 1.0
    return np.asarray(pixels((128 + 127 * kernel / limit) / 255))


def _mosaic(kernel: Numbers) -> Numbers:
    """(C, ..., h, w): the strongest channels beside and under each other, a white line between."""
    kernel = side_by_side(kernel) if kernel.ndim == 4 else kernel
    norms = np.linalg.norm(kernel.reshape(len(kernel), -1), axis=1)
    chosen = kernel[np.sort(np.argsort(-norms, kind="stable")[:MOST_CHANNELS])]
    limit = float(np.abs(kernel).max()) or 1.0
    across = int(np.ceil(np.sqrt(len(chosen))))
    height, width = kernel.shape[1] + 1, kernel.shape[2] + 1
    canvas = np.full((-(-len(chosen) // across) * height - 1, across * width - 1, 3), 255, np.uint8)
    for place, channel in enumerate(chosen):
        top, left = place // across * height, place % across * width
        canvas[top : top + height - 1, left : left + width - 1] = colour(channel, limit, signed=True)
    return canvas


def _title(kernels: LayerKernels, layer: str) -> str:
    size = " x ".join(map(str, kernels.laid_out.shape[2:]))
    of = "" if kernels.layer == layer else f" of {kernels.layer}"
    channels = kernels.laid_out.shape[1]
    if kernels.reads == INPUT:
        return f"{size} kernels{of}, {'as they read the image' if channels == 1 else 'in the colours of the image'}"
    if channels == 1:
        return f"{size} kernels{of}, of one input channel each; blue is negative, red positive"
    shown = f"the {MOST_CHANNELS} strongest of {channels}" if channels > MOST_CHANNELS else f"all {channels}"
    return f"{size} kernels{of}, {shown} input channels; blue is negative, red positive"
