"""`ActivationMaps`: what the units of some layers answer to pictures, and their sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from PIL import Image

from ..arrays import Array, as_numpy, namespace
from ..image.colormap import colour, full_scale
from ..image.false_colour import side_by_side
from ..result import Result
from ..result.display import enlarged
from ..result.selection import items_at
from .grid import sheet
from .tile import Tile

__all__ = ["ActivationMaps"]

Values = np.ndarray[Any, Any]

SIDE = 112
"""Pixels of a tile's longer side, about: smaller maps are enlarged by a whole factor."""
ACROSS = 8
"""Tiles in a row."""
STRIP = 4 * SIDE
"""Pixels across up to which the strip of a vector is enlarged."""
UNIT = 24
"""Pixels of a unit in the strip, at most."""
NAMED = 5
"""Units of a vector that its title names."""


@dataclass(frozen=True, kw_only=True)
class ActivationMaps(Result):
    """Raw activations by layer; `picture` shows each picture with its strongest maps, layer by layer.

    Maps without a negative value go from black at zero to bright, others from blue through white at zero to red.
    """

    maps: Mapping[str, Array]
    """By layer: (N, C, h, w), (N, C, d, h, w) of volumes, (N, K) of vectors. Tokens are maps where they are a grid of
    patches, class and register tokens left out, else (N, D, 1, T)."""
    by: str = "maximum"
    """What the strongest maps have most of: "maximum" or "mean", over positions."""
    count: int = 14
    """Maps that the picture shows of each layer."""
    own_scale: bool = False
    """Whether each map has a colour scale of its own, not one for all of its layer and picture."""
    _array_prefixes: ClassVar[Mapping[str, str]] = {"maps": "maps"}

    @property
    def values(self) -> Array:
        """The maps of the first layer."""
        return next(iter(self.maps.values()))

    def strength(self, layer: str) -> Values:
        """The maximum, or the mean, of each unit of a layer, (N, units)."""
        values = as_numpy(self.maps[layer])
        flat = values.reshape(*values.shape[:2], -1)
        return np.asarray(flat.max(axis=2) if self.by == "maximum" else flat.mean(axis=2, dtype=np.float64))

    def strongest(self, layer: str) -> Values:
        """The units of a layer, the strongest first, of equal ones the lower number, (N, units)."""
        return np.argsort(-self.strength(layer), axis=1, kind="stable")

    def summed(self, layer: str) -> Array:
        """The sum over the units of a layer, (N, h, w)."""
        return namespace(self.maps[layer]).sum(self.maps[layer], axis=1)

    def picture(self) -> Values:
        """Each picture, and beside it for each layer the sum over units and the strongest maps."""
        rows: list[Sequence[Tile]] = []
        titles: list[str] = []
        for index in range(len(self)):
            for n, layer in enumerate(self.maps):
                tiles = [*([self._picture_tile(index)] if n == 0 else []), *self._tiles_of(layer, index)]
                across = 1 if self.maps[layer].ndim == 2 else ACROSS  # a strip has a row of its own
                chunks = [tiles[start : start + across] for start in range(0, len(tiles), across)]
                rows += chunks
                titles += [self.title(layer, index), *[""] * (len(chunks) - 1)]
        return sheet(rows, titles, smallest=SIDE)

    def title(self, layer: str, index: int = 0) -> str:
        """What is shown of a layer, and the colour scale, in words."""
        values = as_numpy(self.maps[layer])[index]
        units = len(values)
        ends = "-{0:.3g} blue, 0 white, {0:.3g} red" if values.min() < 0 else "0 black, {0:.3g} brightest"
        scale = "each map to its own scale" if self.own_scale and values.ndim > 1 else ends.format(full_scale(values))
        if values.ndim == 1:
            best = ", ".join(f"#{unit} {values[unit]:.3g}" for unit in np.argsort(-values, kind="stable")[:NAMED])
            return f"{layer}: {units} units in order; the largest {best}; {scale}"
        size = " x ".join(map(str, values.shape[1:]))
        return f"{layer}: {min(self.count, units)} of {units} maps {size}, by {self.by}; {scale}"

    def _picture_tile(self, index: int) -> Tile:
        rgb = np.moveaxis(self.shown(index), 0, -1)
        pixels = np.asarray((rgb.clip(0, 1) * 255).round(), np.uint8)
        longer = max(pixels.shape[:2])
        if longer > SIDE:
            height, width = (max(1, round(side * SIDE / longer)) for side in pixels.shape[:2])
            pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
        return Tile(pixels, "picture")

    def _tiles_of(self, layer: str, index: int) -> Iterator[Tile]:
        values = as_numpy(self.maps[layer])[index]
        signed, limit = bool(values.min() < 0), full_scale(values)
        if values.ndim == 1:
            strip = colour(_strip(values), limit, signed)
            yield Tile(enlarged(strip, min(UNIT, max(1, STRIP // strip.shape[1]))))
            return
        total = values.sum(axis=0)
        yield Tile(_coloured(total, None, signed), f"sum, to {full_scale(total):.3g}")
        strength = self.strength(layer)[index]
        for unit in self.strongest(layer)[index][: self.count]:
            own = None if self.own_scale else limit
            yield Tile(_coloured(values[unit], own, signed), f"#{unit}  {strength[unit]:.3g}")

    def joined(self, others: Sequence[Self]) -> Self:
        if not others:
            return self
        parts = (self, *others)
        maps = {
            name: namespace(first).concat([p.maps[name] for p in parts], axis=0) for name, first in self.maps.items()
        }
        return replace(super().joined(others), maps=maps)

    def _at(self, places: Sequence[int]) -> Self:
        maps = {name: items_at(values, places) for name, values in self.maps.items()}
        return replace(super()._at(places), maps=maps)

    def _scale(self, pixels: Values) -> int:
        return 1

    def _main_array(self) -> Array:
        return self.values

    def _columns(self) -> Mapping[str, Any]:
        """One row for each image, layer and unit: the maximum and the mean over positions."""
        columns: dict[str, list[Any]] = {name: [] for name in ("image", "layer", "unit", "maximum", "mean")}
        for layer, maps in self.maps.items():
            values = as_numpy(maps)
            flat = values.reshape(*values.shape[:2], -1)
            images, units = np.indices(flat.shape[:2])
            columns["image"].append(images.ravel())
            columns["layer"].append(np.full(images.size, layer))
            columns["unit"].append(units.ravel())
            columns["maximum"].append(flat.max(axis=2).ravel())
            columns["mean"].append(flat.mean(axis=2, dtype=np.float64).ravel())
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    def details(self) -> Mapping[str, Any]:
        """The layers, in order."""
        return {"layers": list(self.maps)}

    def figures(self) -> Mapping[str, Any]:
        """The strongest units of each layer, of a single picture."""
        if len(self) != 1:
            return {}
        return {f"strongest of {layer}": self._named(layer) for layer in self.maps}

    def _named(self, layer: str) -> str:
        strength = self.strength(layer)[0]
        return ", ".join(f"#{unit} {strength[unit]:.3g}" for unit in self.strongest(layer)[0][:NAMED])

    def _facts(self) -> Iterator[str]:
        yield from (f"{layer} {tuple(values.shape)}" for layer, values in self.maps.items())


def _coloured(values: Values, limit: float | None, signed: bool) -> Values:
    """A map (h, w), or the slices (d, h, w) of a volume's side by side, in colours, (H, W, 3)."""
    return colour(side_by_side(values) if values.ndim == 3 else values, limit, signed)


def _strip(values: Values) -> Values:
    """A vector (K,) as rows of a strip, about eight times as wide as high, the last row filled up with zeros."""
    across = min(len(values), max(32, round((8 * len(values)) ** 0.5)))
    rows = -(-len(values) // across)
    return np.pad(values, (0, rows * across - len(values))).reshape(rows, across)
