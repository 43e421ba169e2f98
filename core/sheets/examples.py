"""`Examples`: the images and positions that excite units most or least, as a table, a page of a unit, a sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError, ParameterError, unknown_name
from ..files.parquet_file import write_parquet
from ..files.whole_file import whole_file
from ..result import Result
from ..result.display import counted
from ..result.formats import write_picture
from ..result.table import Table
from .grid import sheet
from .tile import Tile

__all__ = ["Examples"]

Numbers = np.ndarray[Any, Any]
FRAME_COLOUR = (230, 60, 30)
"""Of the frame round a receptive field in a whole image."""
_SUMMARY = ("layer", "unit", "kind", "value", "id", "position")
ENLARGED = 112
"""Pixels up to which a small crop is enlarged, so that its caption has room."""
MOST_PAGES = 8
"""Units whose pages one picture shows, at most."""


@dataclass(frozen=True, kw_only=True)
class Examples(Result):
    """For each layer and unit its best examples of each kind: values, images, positions, and rectangles of the image.

    Arrays by layer are (kinds, units, count, ...), the best example first; where a unit has fewer, the value is 0
    and the rest -1.
    """

    kinds: tuple[str, ...]
    """Of examples: "most", "slightly_positive", "slightly_negative", "least"."""
    values: Mapping[str, Array]
    """By layer, float32: the unit's value at the position."""
    indices: Mapping[str, Array]
    """By layer, int64: the image's index in the source."""
    positions: Mapping[str, Array]
    """By layer, int64: the position in the layer, counted row by row."""
    rectangles: Mapping[str, Array]
    """By layer, int64, (..., 4): top, left, bottom, right of what the position sees, in pixels of the model's input."""
    shapes: Mapping[str, tuple[int, ...]]
    """By layer, how its positions lie: (h, w) for maps, (T,) for tokens, () for vectors."""
    looked_at: Mapping[str, str]
    """By layer, the layer that was really looked at: where it is another one, the input of the rectifier."""
    names: Mapping[int, str]
    """The id of each image that is an example, by index."""
    labels: Mapping[int, str]
    """The label of each image that was read again and has one, by index."""
    pictured: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By layer, the S units that have pictures."""
    crops: Mapping[str, Array] = field(default_factory=dict)
    """By layer, (kinds, S, shown, h, w, 3), uint8: the receptive field of each position, grey beyond the image.

    White where an image could not be read again."""
    attributions: Mapping[str, Array] = field(default_factory=dict)
    """By layer, of the same shape, drawn: what of it the unit used; empty where none were asked for."""
    thumbnails: Mapping[int, Array] = field(default_factory=dict)
    """By index, each pictured image whole, (h, w, 3), uint8, no longer than `size` pixels."""
    image_size: tuple[int, int] = (0, 0)
    """Height and width of the model's input, in which rectangles are."""
    attribution: str = ""
    """The method that the attributions are of; empty for none."""
    by: str = "activation"
    """What values are: activations, or "relevance" for the predicted class."""
    _item: ClassVar[str] = "layer"
    _kind: ClassVar[str] = "set of examples"
    _suffixes: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".webp", ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for the pages or sheets, .npz for everything"

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, as they were asked for."""
        return tuple(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def page(self, layer: str, unit: int, *, whole: bool = False) -> Numbers:
        """The examples of one unit as a picture (H, W, 3), uint8: a row for each kind, under it the attributions.

        Args:
            layer: one of `layers`.
            unit: one whose pictures there are, `pictured[layer]`.
            whole: show whole images, a frame round the receptive field, instead of crops.

        Raises:
            ParameterError: no such layer, or no pictures of this unit.
        """
        slot = self._slot(layer, unit)
        rows, titles = [], []
        for kind, name in enumerate(self.kinds):
            rows.append(self._example_tiles(layer, kind, slot, whole))
            titles.append(name.replace("_", " ") + ("" if rows[-1] else ": none"))
            if rows[-1] and layer in self.attributions:
                rows.append(self._attribution_tiles(layer, kind, slot))
                titles.append("")
        return sheet(rows, titles, f"{self._heading(layer)}, unit {unit}", smallest=ENLARGED)

    def sheet(self, layer: str, *, kind: str | None = None, whole: bool = False) -> Numbers:
        """One row for each pictured unit of a layer, its best examples, as a picture (H, W, 3), uint8.

        Args:
            layer: one of `layers`.
            kind: of the examples; the first one of `kinds` if not given.
            whole: as for `page`.

        Raises:
            ParameterError: no such layer or kind, or no unit of the layer has pictures.
        """
        kind = self.kinds[0] if kind is None else kind
        if kind not in self.kinds:
            raise ParameterError(unknown_name("kind of examples", kind, self.kinds, of="this result"))
        units = self._units(layer)
        rows = [self._example_tiles(layer, self.kinds.index(kind), slot, whole) for slot in range(len(units))]
        titles = [f"unit {unit}" + ("" if row else ": none") for unit, row in zip(units, rows, strict=True)]
        return sheet(rows, titles, f"{self._heading(layer)}, {kind.replace('_', ' ')}", smallest=ENLARGED)

    def picture(self) -> Numbers:
        """The pages of the units one under the other where they were named (`units=`), else the sheet of each layer.

        Raises:
            ImageError: there are no pictures.
        """
        drawn = self.pages() if self.parameters.get("units") else [self.sheet(layer) for layer in self.pictured]
        if not drawn:
            raise ImageError("these examples have no pictures; ask for some, units=(0, 1), or save them as .npz")
        return _stacked(drawn[:MOST_PAGES])

    def pages(self) -> list[Numbers]:
        """The page of each pictured unit, layer by layer."""
        return [self.page(layer, unit) for layer, units in self.pictured.items() for unit in units]

    @property
    def summary(self) -> Table:
        """The first example of each kind of the pictured units, of all units where none are."""
        best = [self._layer_columns(layer, 1, self.pictured.get(layer)) for layer in self.layers]
        return Table({name: np.concatenate([part[name] for part in best]) for name in _SUMMARY})

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`table.parquet`, a sheet of each layer and a page of each unit that was pictured."""
        files = [(f"{_file_name(layer)}.png", self.sheet(layer)) for layer in self.pictured]
        for layer, units in self.pictured.items():
            files += [(f"{_file_name(layer)}-unit-{unit}.png", self.page(layer, unit)) for unit in units]
        written = []
        for name, pixels in files:
            with whole_file(folder / name) as temporary, temporary.open("wb") as file:
                write_picture(pixels, ".png", file, 95)
            written.append(folder / name)
        return [*written, write_parquet(self._columns(), folder / "table.parquet")]

    def _columns(self) -> Mapping[str, Any]:
        """One row for each example: layer, unit, kind, rank from 0, value, image, id, position, and the rectangle."""
        parts = [self._layer_columns(layer) for layer in self.layers]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _layer_columns(
        self, layer: str, count: int | None = None, units: Sequence[int] | None = None
    ) -> Mapping[str, Numbers]:
        """Of the first `count` examples of these units, of all if not given."""
        index = as_numpy(self.indices[layer])
        chosen = np.arange(index.shape[1]) if units is None else np.asarray(units, int)
        unit, kind, rank = np.nonzero(index[:, chosen, :count].swapaxes(0, 1) >= 0)
        unit = chosen[unit]
        found = index[kind, unit, rank]
        top, left, bottom, right = as_numpy(self.rectangles[layer])[kind, unit, rank].T
        return {
            "layer": np.full(len(found), layer),
            "unit": unit,
            "kind": np.asarray(self.kinds)[kind],
            "rank": rank,
            "value": as_numpy(self.values[layer])[kind, unit, rank],
            "image": found,
            "id": np.asarray([self.names[each] for each in found.tolist()], dtype=str),
            "position": as_numpy(self.positions[layer])[kind, unit, rank],
            "top": top,
            "left": left,
            "bottom": bottom,
            "right": right,
        }

    def details(self) -> Mapping[str, Any]:
        """What the axes of the arrays are."""
        return {"kinds": self.kinds, "layers": self.layers, "looked_at": dict(self.looked_at)}

    def _at(self, places: Sequence[int]) -> "Examples":
        layers = [self.layers[place] for place in places]
        by_layer = (
            "values",
            "indices",
            "positions",
            "rectangles",
            "shapes",
            "looked_at",
            "pictured",
            "crops",
            "attributions",
        )
        chosen: dict[str, Any] = {
            name: {layer: of[layer] for layer in layers if layer in of}
            for name, of in ((name, getattr(self, name)) for name in by_layer)
        }
        return replace(self, **chosen)

    def _scale(self, pixels: Numbers) -> int:
        return 1

    def _facts(self) -> Iterator[str]:
        yield counted(sum(values.shape[1] for values in self.values.values()), "unit")
        yield counted(len(self.layers), "layer")
        yield f"{', '.join(self.kinds)}"

    def _main_array(self) -> Array:
        if len(self.layers) > 1:
            raise ParameterError(f"{self} holds an array for each layer: take one, examples.values[layer]")
        return self.values[self.layers[0]]

    def _heading(self, layer: str) -> str:
        at, what = self.looked_at[layer], ", by relevance" * (self.by == "relevance")
        return (layer if at == layer else f"{layer} (before its rectifier: {at})") + what

    def _units(self, layer: str) -> tuple[int, ...]:
        if layer not in self.values:
            raise ParameterError(unknown_name("layer", layer, self.values, of="these examples"))
        if layer not in self.pictured:
            raise ParameterError(f"no unit of layer {layer!r} has pictures; ask for some, units=(0, 1)")
        return self.pictured[layer]

    def _slot(self, layer: str, unit: int) -> int:
        units = self._units(layer)
        if unit not in units:
            listed = ", ".join(map(str, units[:8])) + ", ..." * (len(units) > 8)
            raise ParameterError(
                f"unit {unit} of layer {layer!r} has no pictures, units {listed} have: ask for it, units=({unit},)"
            )
        return units.index(unit)

    def _example_tiles(self, layer: str, kind: int, slot: int, whole: bool) -> list[Tile]:
        """The examples of a unit, those that there are."""
        unit, tiles = self.pictured[layer][slot], []
        for rank, crop in enumerate(as_numpy(self.crops[layer])[kind, slot]):
            index = int(self.indices[layer][kind, unit, rank])
            if index >= 0:
                pixels = self._framed(layer, index, (kind, unit, rank)) if whole else crop
                tiles.append(Tile(pixels, f"{float(self.values[layer][kind, unit, rank]):.4g}\n{self._caption(index)}"))
        return tiles

    def _attribution_tiles(self, layer: str, kind: int, slot: int) -> list[Tile]:
        found = as_numpy(self.indices[layer])[kind, self.pictured[layer][slot]] >= 0
        drawn = as_numpy(self.attributions[layer])[kind, slot]
        return [Tile(pixels) for pixels, there in zip(drawn, found, strict=False) if there]

    def _caption(self, index: int) -> str:
        """The label where there is one, and the last part of the id."""
        name = self.names[index].rsplit("/", 1)[-1]
        return f"{self.labels[index]}: {name}" if index in self.labels else name

    def _framed(self, layer: str, index: int, place: tuple[int, int, int]) -> Numbers:
        """A whole image with a frame round the rectangle; white where it could not be read again."""
        if index not in self.thumbnails:
            return np.full((*self.image_size, 3), 255, np.uint8)
        pixels = np.array(as_numpy(self.thumbnails[index]))
        height, width = pixels.shape[:2]
        scale = np.array([height, width] * 2) / np.array(self.image_size * 2)
        top, left, bottom, right = (as_numpy(self.rectangles[layer])[place] * scale).round().astype(int)
        bottom, right = max(bottom, top + 1), max(right, left + 1)
        for rows, columns in (
            (slice(top, top + 2), slice(left, right)),
            (slice(max(bottom - 2, 0), bottom), slice(left, right)),
            (slice(top, bottom), slice(left, left + 2)),
            (slice(top, bottom), slice(max(right - 2, 0), right)),
        ):
            pixels[rows, columns] = FRAME_COLOUR
        return pixels


def _file_name(layer: str) -> str:
    """A layer's name as a file may be called."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in layer)


def _stacked(drawn: Sequence[Numbers]) -> Numbers:
    """Pictures one under the other, on white."""
    width = max(each.shape[1] for each in drawn)
    return np.concatenate(
        [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0)), constant_values=255) for each in drawn]
    )
