"""Tiles of a picture that share the statistics of its normalisations, so that none has contrasts of its own.

An instance normalisation divides by the deviation of the picture that it sees: of a tile, that of the tile. Here all
tiles take the statistics of a thumbnail of the whole picture (Chen et al. 2022, "Towards Ultra-Resolution Neural Style
Transfer via Thumbnail Instance Normalization"). Two kinds of layers are told apart:

- a mean or a variance that a network computes over all positions is a layer without positions, (N, C, 1, 1): tiles get
  the thumbnail's in its place;
- a normalisation that is one operator makes of each channel x of a picture a x + b: the thumbnail tells a and b, and
  tiles get a x + b of their own x, one layer after the other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, resample
from ..model.base import INPUT, OUTPUT, Model
from ..operators import Size
from .padding import reflect_to, rounded_up

__all__ = ["SharedStatistics", "shared_statistics"]

_REDUCTIONS = re.compile("mean|var|std|moment|sum|global|adaptive", re.IGNORECASE)
_INSTANCE = re.compile("instance_?norm", re.IGNORECASE)
_OTHER = re.compile("group_?norm|layer_?norm|attention|softmax", re.IGNORECASE)
"""Kinds of layers that mix positions otherwise."""
EVEN = 32
"""Sides of thumbnails are multiples of it: networks round others."""


@dataclass(frozen=True)
class SharedStatistics:
    """A network on tiles, with statistics of the whole picture."""

    model: Model
    reductions: dict[str, Array]
    """By layer without positions, the thumbnail's values."""
    affine: dict[str, tuple[Array, Array]]
    """By normalisation, in the order of the network, a and b, (1, C, 1, 1)."""
    notes: tuple[str, ...] = ()

    def forward(self, tile: Array) -> Array:
        """The network's output for a tile, (1, C, H, W)."""
        replaced = dict(self.reductions)
        for name, (gain, offset) in self.affine.items():
            source = _source(self.model, name)
            x = tile if source == INPUT else self.model.forward(tile, [source], replace=replaced)[source]
            replaced[name] = like(gain, x) * x + like(offset, x)
        return self.model.forward(tile, replace=replaced)[OUTPUT]


def shared_statistics(model: Model, x: Array, at_once: Size) -> SharedStatistics:
    """The statistics of one picture (1, C, H, W), from a thumbnail of the size that the network sees at once."""
    layers = [layer for name, layer in model.layers.items() if name not in {INPUT, OUTPUT}]
    free = None in model.input.shape[1:]
    means = [each.name for each in layers if _is_reduction(each.kind, each.shape[1:], free)]
    norms = [each.name for each in layers if _is_instance_norm(model, each)]
    apart = [each.kind for each in layers if _OTHER.search(each.kind) or _INSTANCE.search(each.kind)]
    notes = () if len(apart) <= len(norms) else (_note(apart),)
    if not means and not norms:
        return SharedStatistics(model, {}, {}, notes)
    sources = [source for name in norms if (source := _source(model, name)) != INPUT]
    small = _thumbnail(x, at_once, free)
    seen = dict(model.forward(small, [*means, *norms, *sources]))
    affine = {name: _gain_and_offset(seen.get(_source(model, name), small), seen[name]) for name in norms}
    return SharedStatistics(model, {name: seen[name] for name in means}, affine, notes)


def _is_reduction(kind: str, shape: Sequence[int | None], free: bool) -> bool:
    """Whether a layer is a statistic over all positions, (C, 1, 1) or (C,)."""
    return bool(_REDUCTIONS.search(kind)) and (tuple(shape[1:]) == (1, 1) or (free and len(shape) == 1))


def _is_instance_norm(model: Model, layer: Any) -> bool:
    """Whether a layer is an instance normalisation in one operator, whose input is a layer of its shape."""
    if not _INSTANCE.search(layer.kind) or len(layer.shape) != 4:
        return False
    read = model.reads(layer.name) or ()
    return len(read) == 1 and (read[0] == INPUT or model.layers[read[0]].shape[1:] == layer.shape[1:])


def _source(model: Model, name: str) -> str:
    """The layer that a normalisation reads."""
    (source,) = model.reads(name) or (INPUT,)
    return source


def _note(kinds: Sequence[str]) -> str:
    return (
        f"tiles were normalised apart: {', '.join(dict.fromkeys(kinds))} sees a tile alone, so that contrasts may "
        "differ from tile to tile; larger tiles differ less"
    )


def _thumbnail(x: Array, at_once: Size, free: bool) -> Array:
    """The whole picture within (H, W), sides in proportion; of just that size where the network takes no other."""
    height, width = x.shape[-2:]
    share = min(1.0, at_once[0] / height, at_once[1] / width)
    size = (max(1, round(height * share)), max(1, round(width * share))) if free else at_once
    small = resample(x, size)
    return reflect_to(small, rounded_up(size, EVEN)) if free else small


def _gain_and_offset(x: Array, y: Array) -> tuple[Array, Array]:
    """a and b of y = a x + b for each channel, by least squares; a is 0 where x does not vary."""
    before, after = (as_numpy(each).astype(np.float64) for each in (x, y))
    axes = (2, 3)
    middle, level = before.mean(axes, keepdims=True), after.mean(axes, keepdims=True)
    spread = np.square(before - middle).mean(axes, keepdims=True)
    common = ((before - middle) * (after - level)).mean(axes, keepdims=True)
    gain = np.divide(common, spread, out=np.zeros_like(common), where=spread > 0)
    return like(gain.astype(np.float32), x), like((level - gain * middle).astype(np.float32), x)
