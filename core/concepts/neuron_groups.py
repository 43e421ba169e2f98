"""`NeuronGroups`: groups of a layer's units, where they act in pictures, what they look for, and what they do."""

from collections.abc import Iterator, Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, resample
from ..image.false_colour import pixels
from ..result import Result
from ..result.display import counted
from ..sheets.cut_out import shrunk
from ..sheets.grid import sheet
from ..sheets.tile import Colour, Tile

__all__ = ["NeuronGroups"]

Values = np.ndarray[Any, Any]

SIDE = 176
"""Pixels of a tile's longer side."""
MOST = 6
"""Pictures that one sheet shows."""
UNITS = 4
"""Units that are named of a group, those with most of its factor."""
ACROSS = 6
"""Tiles in a row, about: several groups stand side by side where there are few pictures."""
STRENGTH = 0.8
"""How much of the picture the colour of a group covers, at most."""


@dataclass(frozen=True, kw_only=True)
class NeuronGroups(Result):
    """K groups in N pictures. `picture` shows masks in colours, and for each group its picture, masks and effects.

    The layer's activation at a position is about the sum over groups of mask times factor. Effects are in the unit of
    the target; what no group holds does `rest`, so that effects and rest add up to gradient times activation.
    """

    layer: str
    masks: Array
    """(N, K, h, w), at least 0, in the unit of the activations; the strongest group first."""
    factors: Array
    """(K, C), at least 0, each of length one."""
    pictures: Array = None
    """What each group looks for, (K, channels, H, W) in [0, 1]; None where none were made."""
    effects: Array
    """(N, K): the sum over positions of mask times <gradient of the target, factor>."""
    removals: Array
    """(N, K): the target minus the target where mask times factor is taken from the activations."""
    totals: Array
    """(N,): the sum of gradient times activation over the whole layer."""
    scores: Array
    """The target of each picture, (N,)."""
    targets: tuple[str, ...]
    """The same in words."""
    error: float
    """The length of what masks times factors miss of the (positive) activations, over their length."""
    _kind: ClassVar[str] = "set of groups"
    _suffixes: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".webp", ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for the sheet, .npz for everything"

    @property
    def values(self) -> Array:
        """The masks."""
        return self.masks

    @property
    def rest(self) -> Values:
        """(N,): the effect, by the gradient, of what no group holds."""
        return np.asarray(as_numpy(self.totals) - as_numpy(self.effects).sum(axis=1))

    @property
    def colours(self) -> list[Colour]:
        """A colour for each group."""
        count = len(self.factors)
        return [_as_colour(hsv_to_rgb(n / count, 0.85, 0.95)) for n in range(count)]

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "masks", "effects", "removals", "totals", "scores", "targets")

    def upsampled(self, index: int) -> Values:
        """The masks of a picture at its size, (K, H, W), enlarged bilinearly."""
        return as_numpy(resample(as_numpy(self.masks)[index], tuple(self.images.shape[2:])))

    def picture(self) -> Values:
        """The first `MOST` pictures with all groups in colours; a row for each group."""
        shown = range(min(len(self), MOST))
        large = {n: self.upsampled(n) for n in shown}
        limits = np.max([each.max(axis=(1, 2)) for each in large.values()], axis=0)
        limits = np.where(limits > 0, limits, 1)
        first = [*self._lead(), *(self._all_groups(n, large[n] / limits[:, None, None]) for n in shown)]
        groups = [
            [*self._visualisation(group), *(self._one_group(n, group, large[n][group] / limits[group]) for n in shown)]
            for group in range(len(limits))
        ]
        abreast = max(1, ACROSS // len(groups[0]))
        chunks = [groups[start : start + abreast] for start in range(0, len(groups), abreast)]
        rows = [first, *([tile for group in chunk for tile in group] for chunk in chunks)]
        of = f" ({len(shown)} of {len(self)} shown)" if len(self) > MOST else ""
        heading = (
            f"{self.layer}: {counted(len(self.colours), 'group')} of {self.factors.shape[1]} channels in "
            f"{counted(len(self), 'picture')}{of}; they miss {self.error:.0%} of the activations"
        )
        return sheet(rows, heading=heading, smallest=SIDE)

    def _lead(self) -> list[Tile]:
        """A legend in front of the pictures, where rows begin with a group's own picture: effects as bars."""
        if self.pictures is None:
            return []
        means = as_numpy(self.effects).mean(axis=0)
        return [Tile(_bars(means, self.colours), "effect of each group" + ", mean" * (len(self) > 1))]

    def _strongest(self, group: int) -> str:
        factor = as_numpy(self.factors)[group]
        return ", ".join(f"#{unit}" for unit in np.argsort(-factor, kind="stable")[:UNITS])

    def _visualisation(self, group: int) -> list[Tile]:
        """What a group looks for, its strongest units under it; nothing where no pictures were made."""
        if self.pictures is None:
            return []
        drawn = shrunk(pixels(as_numpy(self.pictures)[group], (0.0, 1.0), self.bands), SIDE)
        return [Tile(drawn, f"group {group + 1}\n{self._strongest(group)}", self.colours[group])]

    def _all_groups(self, index: int, shares: Values) -> Tile:
        score = float(as_numpy(self.scores)[index])
        return Tile(_tinted(self._grey(index), shares, self.colours), f"{self.targets[index]}\nscore {score:.4g}")

    def _one_group(self, index: int, group: int, share: Values) -> Tile:
        effect, lost = (float(as_numpy(each)[index, group]) for each in (self.effects, self.removals))
        drawn = _tinted(self._grey(index), share[None], [self.colours[group]])
        return Tile(drawn, f"group {group + 1}: effect {effect:+.3g}\nremoved: {-lost:+.3g}")

    def _grey(self, index: int) -> Values:
        """A picture in grey, (H, W), in [0, 1]."""
        return np.asarray(np.tensordot([0.299, 0.587, 0.114], self.shown(index), axes=1))

    def _scale(self, pixels: Values) -> int:
        return 1

    def _main_array(self) -> Array:
        return self.masks

    def _columns(self) -> Mapping[str, Any]:
        """One row for each picture and group: the sum of its mask, both effects, the target."""
        effects = as_numpy(self.effects)
        image, group = (each.ravel() for each in np.indices(effects.shape))
        return {
            "image": image,
            "group": group,
            "mask": as_numpy(self.masks).sum(axis=(2, 3), dtype=np.float64).ravel(),
            "effect": effects.ravel(),
            "removal": as_numpy(self.removals).ravel(),
            "target": np.asarray(self.targets)[image],
        }

    def details(self) -> Mapping[str, Any]:
        """The layer and the targets."""
        return {"layer": self.layer, "targets": list(self.targets)}

    def figures(self) -> Mapping[str, Any]:
        """What the groups miss, and both effects of each group, the strongest first; means over several pictures."""
        effects, removals = (as_numpy(each).mean(axis=0) for each in (self.effects, self.removals))
        more = ", ..." * (len(self) > MOST)
        return {
            **({"targets": ", ".join(self.targets[:MOST]) + more} if len(self) > 1 else {}),
            "reconstruction error": self.error,
            "effect of each group": ", ".join(f"{effect:+.4g}" for effect in effects),
            "target without each": ", ".join(f"{-lost:+.4g}" for lost in removals),
            "effect of the rest": float(self.rest.mean()),
        }

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self.factors), 'group')} of {self.layer}"
        yield f"masks {tuple(self.masks.shape)}"
        yield f"reconstruction error {self.error:.3g}"


def _as_colour(rgb: Sequence[float]) -> Colour:
    red, green, blue = (round(255 * each) for each in rgb)
    return red, green, blue


def _tinted(grey: Values, shares: Values, colours: Sequence[Colour]) -> Values:
    """A picture in grey (H, W) under the colours of groups, each as far as its share (K, H, W), 0 to 1, goes."""
    cover = shares.clip(0, 1)
    total = cover.sum(axis=0)
    mixed = np.tensordot(cover, np.array(colours, float), axes=([0], [0])) / np.where(total > 0, total, 1)[..., None]
    opaque = STRENGTH * total.clip(0, 1)[..., None]
    drawn = (1 - opaque) * 255 * grey[..., None].clip(0, 1) + opaque * mixed
    return shrunk(np.asarray(drawn.round().clip(0, 255), np.uint8), SIDE)


def _bars(values: Values, colours: Sequence[Colour]) -> Values:
    """Bars from a line of zero, to the right where a value is above it, (SIDE, SIDE, 3)."""
    drawn = np.full((SIDE, SIDE, 3), 255, np.uint8)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    unit = (SIDE - 2) / ((high - low) or 1.0)
    zero = round(-low * unit)
    height = SIDE // len(colours)
    for n, (value, colour) in enumerate(zip(values, colours, strict=True)):
        left, right = sorted((zero, zero + round(float(value) * unit)))
        drawn[n * height + 2 : (n + 1) * height - 1, left : right + 1] = colour
    drawn[:, zero : zero + 1] = 0
    return drawn
