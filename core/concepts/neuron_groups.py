"""`NeuronGroups`: groups of a layer's units, where they act in pictures, what they look for, and what they do."""

from collections.abc import Iterator, Mapping, Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field
from math import ceil
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, resample
from ..image.false_colour import pixels
from ..result.display import counted
from ..result.table import Table
from ..sheets.cut_out import shrunk
from ..sheets.grid import sheet
from ..sheets.tile import Colour, Tile
from .result_with_rows import ResultWithRows

__all__ = ["NeuronGroups"]

Values = np.ndarray[Any, Any]

SIDE = 176
"""Pixels of a tile's longer side."""
WIDE = 200
"""Pixels up to which small pictures are enlarged, so that their captions have room."""
MOST = 6
"""Pictures that one sheet shows."""
UNITS = 4
"""Units that are named of a group, those with most of its factor."""
ACROSS = 8
"""Tiles in a row, about: several groups stand side by side where there are few pictures."""
STRENGTH = 0.8
"""How much of the picture the colour of a group covers, at most."""


@dataclass(frozen=True, kw_only=True)
class NeuronGroups(ResultWithRows):
    """K groups in M pictures, of which N are shown: those in which groups act most, in the order of the data.

    The layer's activation at a position is about the sum over groups of mask times factor. Effects are in the unit of
    the target; what no group holds does `rest`, so that effects and rest add up to gradient times activation. `picture`
    shows masks in colours, and for each group its picture, masks and effects; a table has a row for each of the M
    pictures and each group.
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
    """The length of what groups miss of the (positive) activations that were factorised, over their length."""
    ids: tuple[str, ...] = ()
    """Of the pictures shown."""
    shown_each: int = 1
    """Pictures shown of each group where not all are."""
    everywhere: Mapping[str, Array] = field(default_factory=dict)
    """Columns, a row for each of the M pictures and each group: "image" (its id), "group" (from 1), "mask" (the mean
    over positions), "effect", "removal", "score" and "target"."""
    _kind: ClassVar[str] = "set of groups"

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
        return ("images", "masks", "effects", "removals", "totals", "scores", "targets", "ids")

    def upsampled(self, index: int) -> Values:
        """The masks of a picture at its size, (K, H, W), enlarged bilinearly."""
        return as_numpy(resample(as_numpy(self.masks)[index], tuple(self.images.shape[2:])))

    @property
    def count(self) -> int:
        """M, how many pictures there are in all."""
        return len(self.everywhere["group"]) // len(self.factors) if self.everywhere else len(self)

    def strongest(self, group: int) -> list[int]:
        """The pictures shown of a group: all where all are; else those in which its mask has the largest mean."""
        if self.count <= max(self.shown_each, len(self)) <= MOST:
            return list(range(len(self)))
        means = as_numpy(self.masks)[:, group].mean(axis=(1, 2))
        return [int(n) for n in np.argsort(-means, kind="stable")[: self.shown_each]]

    def mean_effects(self) -> tuple[Values, Values]:
        """(K,) each: the effects and the removals, means over all M pictures."""
        if not self.everywhere:
            return as_numpy(self.effects).mean(axis=0), as_numpy(self.removals).mean(axis=0)
        effect, removal = (as_numpy(self.everywhere[name]) for name in ("effect", "removal"))
        groups = len(self.factors)
        return effect.reshape(-1, groups).mean(axis=0), removal.reshape(-1, groups).mean(axis=0)

    def picture(self) -> Values:
        """The first `MOST` pictures with all groups in colours; then each group: what it looks for, where it acts."""
        large = {n: self.upsampled(n) for n in range(len(self))}
        limits = np.max([each.max(axis=(1, 2)) for each in large.values()], axis=0)
        limits = np.where(limits > 0, limits, 1)
        shares = {n: each / limits[:, None, None] for n, each in large.items()}
        first = [*self._lead(), *(self._all_groups(n, shares[n]) for n in list(shares)[:MOST])]
        groups = [
            [*self._visualisation(k), *(self._one_group(n, k, shares[n][k]) for n in self.strongest(k))]
            for k in range(len(limits))
        ]
        most = max(1, ACROSS // max(map(len, groups)))
        abreast = ceil(len(groups) / ceil(len(groups) / most))
        chunks = [groups[start : start + abreast] for start in range(0, len(groups), abreast)]
        rows = [first, *([tile for group in chunk for tile in group] for chunk in chunks)]
        return sheet(rows, heading=self._heading(), smallest=WIDE)

    def _heading(self) -> str:
        many = self.count > len(self)
        where = f", with those of {self.count} pictures in which it acts most" if many else ""
        return (
            f"{counted(len(self.colours), 'group')} of units that act together at {self.layer}: what each looks for, "
            f"and in its colour where it acts{where}. They miss {self.error:.0%} of the activations"
        )

    def _lead(self) -> list[Tile]:
        """A legend in front of the pictures, where rows begin with a group's own picture: removals as bars."""
        if self.pictures is None:
            return []
        lost = self.mean_effects()[1]
        caption = f"what each does: {lost.min():+.2g} to {lost.max():+.2g}\nleft: against, right: for"
        return [Tile(_bars(lost, self.colours), caption)]

    def _strongest_units(self, group: int) -> str:
        factor = as_numpy(self.factors)[group]
        return " ".join(f"#{unit}" for unit in np.argsort(-factor, kind="stable")[:UNITS])

    def _visualisation(self, group: int) -> list[Tile]:
        """What a group looks for, its strongest units under it; nothing where no pictures were made."""
        if self.pictures is None:
            return []
        drawn = shrunk(pixels(as_numpy(self.pictures)[group], (0.0, 1.0), self.bands), SIDE)
        mean = f": {self.mean_effects()[1][group]:+.3g}, the mean" if self.count > 1 else " looks for this"
        return [Tile(drawn, f"group {group + 1}{mean}\n{self._strongest_units(group)}", self.colours[group])]

    def _all_groups(self, index: int, shares: Values) -> Tile:
        score = float(as_numpy(self.scores)[index])
        return Tile(_tinted(self._grey(index), shares, self.colours), f"{self.targets[index]}\nscore {score:.4g}")

    def _one_group(self, index: int, group: int, share: Values) -> Tile:
        """Where a group acts, what the target loses without it, what is left, and its effect by the gradient."""
        effect, lost = (float(as_numpy(each)[index, group]) for each in (self.effects, self.removals))
        score, name = float(as_numpy(self.scores)[index]), self.targets[index].partition(",")[0]
        drawn = _tinted(self._grey(index), share[None], [self.colours[group]])
        side = "for" if lost > 0 else "against" if lost < 0 else "nothing to"
        return Tile(drawn, f"{lost:+.3g} {side} {name}\n{score - lost:.4g} without it; slope {effect:+.2g}")

    def _grey(self, index: int) -> Values:
        """A picture in grey, (H, W), in [0, 1]."""
        return np.asarray(np.tensordot([0.299, 0.587, 0.114], self.shown(index), axes=1))

    def _scale(self, pixels: Values) -> int:
        return 1

    def _main_array(self) -> Array:
        return self.masks

    def _columns(self) -> Mapping[str, Any]:
        """`everywhere`: one row for each picture and group."""
        return {name: as_numpy(values) for name, values in self.everywhere.items()}

    @property
    def summary(self) -> Table:
        """A row for each group: what the target loses without it and the effect by the gradient, means; its units."""
        effects, removals = self.mean_effects()
        count = range(len(self.factors))
        return Table(
            {
                "group": np.arange(1, len(self.factors) + 1),
                "removal": np.asarray(removals, np.float64),
                "speaks": np.array(["for" if each > 0 else "against" for each in removals]),
                "effect": np.asarray(effects, np.float64),
                "units": np.array([self._strongest_units(group) for group in count]),
            }
        )

    def details(self) -> Mapping[str, Any]:
        """The layer and the targets."""
        return {"layer": self.layer, "targets": list(self.targets)}

    def figures(self) -> Mapping[str, Any]:
        """What the groups miss, and both effects of each group, the strongest first; means over all pictures."""
        effects, removals = self.mean_effects()
        return {
            "reconstruction error": self.error,
            "effect of each group": ", ".join(f"{effect:+.4g}" for effect in effects),
            "target without each": ", ".join(f"{-lost:+.4g}" for lost in removals),
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
