"""`UnitDictionary`: the units that are active at positions of pictures, shown by what each of them looks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, resample
from ..image.colormap import full_scale
from ..image.overlay import overlay
from ..result.display import counted, enlarged
from ..sheets.cut_out import shrunk
from ..sheets.grid import sheet
from ..sheets.tile import Tile
from .cells import POSITION, cell, marked, mosaic, surroundings
from .result_with_rows import ResultWithRows

__all__ = ["UnitDictionary"]

Values = np.ndarray[Any, Any]
Place = tuple[int, int]

SIDE = 176
"""Pixels of a picture's longer side."""
MOST = 4
"""Pictures that one sheet shows."""
ACROSS = 10
"""Tiles in a row, about: several positions stand side by side."""
NAMED = 6
"""Positions that the figures of a single picture name."""


@dataclass(frozen=True, kw_only=True)
class UnitDictionary(ResultWithRows):
    """What units do at positions of N pictures: activations, and activation times gradient of the target.

    Contributions of all units at all positions add up to gradient times activation of the whole layer.
    """

    layer: str
    activations: Array
    """(N, C, h, w), raw."""
    contributions: Array
    """(N, C, h, w): each activation times the target's gradient there."""
    scores: Array
    """The target of each picture, (N,)."""
    targets: tuple[str, ...]
    """The same in words."""
    places: tuple[tuple[Place, ...], ...]
    """The positions shown of each picture, (row, column)."""
    count: int = 4
    """Units shown at each position, at most."""
    units: tuple[int, ...] = ()
    """The units that have an icon, ascending."""
    icons: tuple[Array, ...] = ()
    """Of each of `units`, (H, W, 3), uint8."""
    icons_from: str = ""
    """What the icons are: "visualised", or the file or folder of examples."""
    whole: Mapping[str, Array] = field(default_factory=dict)
    """Where asked for, by "picture,row,column": what a position's whole activation looks for, (H, W, 3), uint8."""
    _kind: ClassVar[str] = "semantic dictionary"

    @property
    def values(self) -> Array:
        """The contributions."""
        return self.contributions

    def strongest(self, index: int, place: Place) -> list[int]:
        """The units with the largest activations at a position, above 0, the strongest first.

        Of equal ones, such as those at the cap of a ReLU6, that of the larger contribution, of equal ones for or
        against the lower number. Fewer than `count` where no more are active.
        """
        here, gains = (as_numpy(each)[index, :, place[0], place[1]] for each in (self.activations, self.contributions))
        order = np.lexsort((-np.abs(gains), -here))[: self.count]
        return [int(unit) for unit in order if here[unit] > 0]

    def at_positions(self, index: int) -> Values:
        """(h, w), float64: what all units of a position contribute together."""
        return np.asarray(as_numpy(self.contributions)[index].sum(axis=0, dtype=np.float64))

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "activations", "contributions", "scores", "targets", "places")

    def _at(self, places: Sequence[int]) -> "UnitDictionary":
        kept = {
            f"{new},{name.partition(',')[2]}": pixels
            for new, old in enumerate(places)
            for name, pixels in self.whole.items()
            if name.partition(",")[0] == str(old)
        }
        return replace(super()._at(places), whole=kept)

    def picture(self) -> Values:
        """Each of the first `MOST` pictures: its positions with their units, as rows, or in a grid where all are shown.

        An icon is as large as its unit is active; its frame is red for the target, blue against it.
        """
        drawn = [self._sheet(index) for index in range(min(len(self), MOST))]
        width = max(each.shape[1] for each in drawn)
        return np.concatenate(
            [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0)), constant_values=255) for each in drawn]
        )

    def _sheet(self, index: int) -> Values:
        height, width = self.activations.shape[2:]
        everywhere = len(self.places[index]) == height * width > 1
        rows = [[self._pictures(index)], *(self._grids(index) if everywhere else self._rows(index))]
        units, shown = counted(self.count, "most active unit"), counted(len(self.places[index]), "position")
        heading = (
            f"What {self.layer} sees where: the {units} at {shown}. Larger: more active. Frame: red speaks for "
            f"{self._name(index)} (score {float(as_numpy(self.scores)[index]):.4g}), blue against it"
        )
        return sheet(rows, heading=heading, smallest=POSITION)

    def _pictures(self, index: int) -> Tile:
        """The picture with its positions, and beside it with what each position contributes."""
        rgb, total = self.shown(index), self.at_positions(index)
        size = (rgb.shape[1], rgb.shape[2])
        larger = max(1, SIDE // max(size))
        numbered = marked(rgb.repeat(larger, axis=1).repeat(larger, axis=2), self.places[index], total.shape, SIDE)
        over = enlarged(shrunk(overlay(rgb, as_numpy(resample(total, size)), signed=True), SIDE), larger)
        beside = np.concatenate([np.pad(numbered, ((0, 0), (0, 6), (0, 0)), constant_values=255), over], axis=1)
        words = f"positions; red speaks for {self._name(index)}, blue against"
        return Tile(beside, f"{words}\nall positions and units: {total.sum():+.3g}")

    def _rows(self, index: int) -> Iterator[list[Tile]]:
        """A few positions abreast: where it is, its units, and its whole activation where there is a picture of it."""
        shown = [self._position(index, number) for number in range(len(self.places[index]))]
        abreast = max(1, ACROSS // max(map(len, shown)))
        for start in range(0, len(shown), abreast):
            yield [tile for tiles in shown[start : start + abreast] for tile in tiles]

    def _position(self, index: int, number: int) -> list[Tile]:
        place = self.places[index][number]
        crop = surroundings(self.shown(index), place, self.activations.shape[2:])
        first = Tile(crop, f"{number + 1}. at {place[0]},{place[1]}\n{_said(self.at_positions(index)[place])}")
        units = self.strongest(index, place)
        cells = [Tile(self._cell(index, unit, place, POSITION), self._caption(index, unit, place)) for unit in units]
        tiles = [first, *cells]
        if (own := self.whole.get(f"{index},{place[0]},{place[1]}")) is not None:
            norm = float(np.linalg.norm(as_numpy(self.activations)[index, :, place[0], place[1]]))
            tiles.append(Tile(shrunk(as_numpy(own), POSITION), f"whole activation\nlength {norm:.3g}"))
        return tiles

    def _grids(self, index: int) -> Iterator[list[Tile]]:
        """All positions as they lie: their units, and their whole activations where there are pictures of these."""
        shape = self.activations.shape[2:]
        side = int(np.ceil(np.sqrt(self.count)))
        small = max(24, POSITION // 2) if side > 1 else POSITION
        cells = {
            place: mosaic([self._cell(index, unit, place, small) for unit in self.strongest(index, place)], side, small)
            for place in self.places[index]
        }
        yield [Tile(_laid_out(cells, shape), "the strongest units of each position")]
        if self.whole:
            norms = np.linalg.norm(as_numpy(self.activations)[index], axis=0)
            at = {
                (y, x): cell(as_numpy(self.whole[f"{index},{y},{x}"]), norms[y, x] / norms.max(), 0.0, POSITION)
                for y, x in self.places[index]
            }
            yield [Tile(_laid_out(at, shape), "what each position's whole activation looks for, as large as its norm")]

    def _limit(self, index: int) -> float:
        """The contribution at which a frame has its full colour: the largest of those shown."""
        values = as_numpy(self.contributions)[index]
        own = [values[unit, y, x] for y, x in self.places[index] for unit in self.strongest(index, (y, x))]
        return full_scale(np.abs(np.array(own or [0.0])))

    def _cell(self, index: int, unit: int, place: Place, side: int) -> Values:
        activations = as_numpy(self.activations)[index]
        top = max(float(activations[:, y, x].max()) for y, x in self.places[index])
        share = float(activations[unit, place[0], place[1]]) / (top if top > 0 else 1.0)
        gain = float(as_numpy(self.contributions)[index, unit, place[0], place[1]]) / self._limit(index)
        return cell(self._icon(unit), share, gain, side, f"#{unit}")

    def _icon(self, unit: int) -> Values | None:
        return as_numpy(self.icons[self.units.index(unit)]) if unit in self.units else None

    def _caption(self, index: int, unit: int, place: Place) -> str:
        activation, gain = (
            float(as_numpy(each)[index, unit, place[0], place[1]]) for each in (self.activations, self.contributions)
        )
        return f"#{unit}, active {activation:.2g}\n{_said(gain)}"

    def _name(self, index: int) -> str:
        """The target of a picture, in short."""
        return self.targets[index].partition(",")[0]

    def _scale(self, pixels: Values) -> int:
        return 1

    def _main_array(self) -> Array:
        return self.contributions

    def _columns(self) -> Mapping[str, Any]:
        """One row for each picture, position shown and strongest unit there."""
        found = [
            (n, *place, rank, unit)
            for n in range(len(self))
            for place in self.places[n]
            for rank, unit in enumerate(self.strongest(n, place))
        ]
        image, row, column, rank, unit = np.array(found, int).reshape(-1, 5).T
        return {
            "image": image,
            "row": row,
            "column": column,
            "rank": rank,
            "unit": unit,
            "activation": as_numpy(self.activations)[image, unit, row, column],
            "contribution": as_numpy(self.contributions)[image, unit, row, column],
            "target": np.asarray(self.targets)[image],
        }

    def details(self) -> Mapping[str, Any]:
        """The layer, the positions and the units."""
        return {"layer": self.layer, "places": self.places, "units": self.units, "targets": list(self.targets)}

    def figures(self) -> Mapping[str, Any]:
        """Of one picture the strongest units at its first positions, and what all contribute; of several, targets."""
        if len(self) != 1:
            return {"targets": ", ".join(self.targets)}
        named = [
            f"{y},{x}: {' '.join(f'#{u}' for u in self.strongest(0, (y, x))) or 'none'}"
            for y, x in self.places[0][:NAMED]
        ]
        more = "; ..." * (len(self.places[0]) > NAMED)
        return {
            "units at positions": "; ".join(named) + more,
            "contributions in all": float(self.at_positions(0).sum()),
        }

    def _facts(self) -> Iterator[str]:
        yield f"{self.layer} {tuple(self.activations.shape)}"
        yield counted(sum(map(len, self.places)), "position")
        yield counted(len(self.units), "unit")


def _said(gain: float) -> str:
    """What a contribution does, in words."""
    return f"for: {gain:+.2g}" if gain > 0 else f"against: {gain:+.2g}" if gain < 0 else "gradient 0"


def _laid_out(cells: Mapping[Place, Values], shape: tuple[int, ...]) -> Values:
    """Cells of one size as rows and columns, 4 white pixels apart."""
    rows = []
    for y in range(shape[0]):
        row = [np.pad(cells[y, x], ((2, 2), (2, 2), (0, 0)), constant_values=255) for x in range(shape[1])]
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)
