"""A layer's maps at the size of label maps: bilinear, where receptive fields lie, or as other programs enlarge them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import LayerError

__all__ = ["ENLARGEMENTS", "Enlarger"]

Numbers = np.ndarray[Any, Any]
ENLARGEMENTS = ("fields", "whole_pixels", "pillow", "zeros")
"""`fields`: each value stands at the centre of its receptive field; beyond the outermost ones their values go on.
`whole_pixels`: the same with centres and distances rounded down to whole pixels, and pixels at their corners, as
NetDissect does. `pillow`: the map fills the picture, as NetDissect-Lite does by scipy's imresize. `zeros`: it fills the
picture too, and beyond it stand zeros, to which values fall off at the edge, as dissect does by PyTorch's grid_sample
with aligned corners, the default of its day; only AlexNet's maps lie otherwise there."""


@dataclass(frozen=True, eq=False)
class Enlarger:
    """How the maps of a layer come to lie over a picture."""

    rule: str
    """One of `ENLARGEMENTS`."""
    spans: Numbers
    """(h + w, 2): start and stop of each row's receptive field in pixels of the picture, then of each column's."""
    picture: tuple[int, int]
    """(H, W) in pixels."""

    def enlarged(self, maps: Numbers, size: tuple[int, int]) -> Numbers:
        """Maps (n, h, w), float32, as (n, H, W), the size of label maps.

        A value between two others is a + t (b - a): where both are equal it is exactly theirs, so that what is cut at
        this very value stays empty.

        Raises:
            LayerError: for `whole_pixels`, values stand closer together than labels do.
        """
        height, width = maps.shape[1:]
        if self.rule == "pillow":
            down, across = (_triangles(n, m) for n, m in zip((height, width), size, strict=True))
            return np.asarray(down @ (maps @ across.T).astype(np.float32)).astype(np.float32)
        if self.rule == "zeros":
            maps = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
        rows = self._taps(self.spans[:height], size[0], self.picture[0])
        columns = self._taps(self.spans[height:], size[1], self.picture[1])
        return _between_columns(_between_columns(maps, columns).swapaxes(1, 2), rows).swapaxes(1, 2)

    def _taps(self, spans: Numbers, count: int, picture: int) -> "Taps":
        if self.rule == "zeros":
            return _filling(len(spans), count)
        return (_at_centres if self.rule == "fields" else _at_whole_pixels)(spans, count, picture)


Taps = tuple[Numbers, Numbers, Numbers]
"""For each place of the result the values before and after it, and how far it is from the one to the other."""


def _between_columns(maps: Numbers, taps: Taps) -> Numbers:
    low, high, share = taps
    found = maps[:, :, low]
    found += share * (maps[:, :, high] - found)
    return np.asarray(found)


def _between(anchors: Numbers, places: Numbers) -> Taps:
    """Between ascending anchors; beyond the outermost ones these themselves."""
    last = len(anchors) - 1
    low = (np.searchsorted(anchors, places, side="right") - 1).clip(0, last)
    high = np.minimum(low + 1, last)
    apart = np.where(high > low, anchors[high] - anchors[low], 1)
    share = np.where(high > low, ((places - anchors[low]) / apart).clip(0, 1), 0)
    return low, high, share.astype(np.float32)


def _at_centres(spans: Numbers, count: int, picture: int) -> Taps:
    return _between(spans.mean(axis=1), (np.arange(count) + 0.5) * (picture / count))


def _at_whole_pixels(spans: Numbers, count: int, picture: int) -> Taps:
    reduction = max(1, round(picture / count))
    start, stop = int(np.floor(spans[0, 0])), int(np.floor(spans[0, 1]))
    step = int(spans[1, 0] - spans[0, 0]) // reduction if len(spans) > 1 else 1
    if step < 1:
        raise LayerError(
            f"enlarge='whole_pixels' rounds distances down: {len(spans)} values stand closer together in {picture} "
            f"pixels than {count} labels do; take larger label maps, or enlarge='fields'"
        )
    first = ((stop - start) // 2 + start) // reduction
    return _between(first + step * np.arange(len(spans)), np.arange(count))


def _filling(values: int, count: int) -> Taps:
    """Of a map that has one zero more on each side."""
    scale = count / values
    place = (np.arange(count) - (0.5 * scale - 0.5)) / scale + 1
    low = np.floor(place).astype(np.int64).clip(0, values)
    return low, low + 1, (place - low).astype(np.float32)


def _triangles(values: int, count: int) -> Numbers:
    """(count, values): Pillow's bilinear filter, whose triangle is wider where a map is made smaller."""
    scale = values / count
    centre = (np.arange(count)[:, None] + 0.5) * scale
    weights = 1 - np.abs(np.arange(values) + 0.5 - centre) / max(scale, 1.0)
    weights = weights.clip(0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
