"""The result of a search for fooling images: pictures, each with its class and how sure the network is of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..result import Synthesis
from ..sheets.grid import sheet, square_rows
from ..sheets.tile import Tile

__all__ = ["FoolingImages"]

SURE = (0.5, 0.9, 0.99)
"""Confidences for which `figures` counts the pictures that reach them."""
SMALLEST = 112
"""Pixels up to which small pictures are enlarged on a sheet, so that a label fits under them."""


@dataclass(frozen=True, kw_only=True)
class FoolingImages(Synthesis):
    """Pictures (K, C, H, W), one for each class; `history` is (generations, K), the confidence of each class."""

    classes: Array
    """(K,), integers: the class that each picture is made for."""
    confidence: Array
    """(K,), float64: the probability that the network gives that class, in its picture."""
    confidence_8_bit: Array
    """(K,), float64: the same in the picture rounded to 256 levels, as .png holds it."""
    generation: Array
    """(K,), integers: the generation, or the step, that made the picture, from 1."""
    nodes: Array = None
    """(K,), integers: nodes of the CPPN that the picture is computed from; None for other encodings."""
    connections: Array = None
    """(K,), integers: connections between them."""
    labels: tuple[str, ...] = ()
    """What the classes are called, one each; none where they have no names."""

    def _facts(self) -> Iterator[str]:
        yield f"images {tuple(self.images.shape)}"
        yield f"{len(self.history)} {self._step}s"
        yield f"median confidence {np.median(as_numpy(self.confidence)):.4f}"

    def _per_image(self) -> tuple[str, ...]:
        own = ("classes", "confidence", "confidence_8_bit", "generation", "nodes", "connections", "labels")
        return (*super()._per_image(), *own)

    def figures(self) -> Mapping[str, Any]:
        """How many pictures, their median and least confidence, and how many reach 0.5, 0.9 and 0.99."""
        sure = as_numpy(self.confidence)
        counts = {f"confidence at least {level:g}": int((sure >= level).sum()) for level in SURE}
        return {
            "pictures": len(self),
            "median confidence": float(np.median(sure)),
            "least confidence": float(sure.min()),
            **counts,
            f"{self._step}s": len(self.history),
        }

    def details(self) -> Mapping[str, Any]:
        """Every picture's class, label, confidence and generation."""
        names, columns = zip(*self._columns().items(), strict=True)
        return {"pictures": [dict(zip(names, row, strict=True)) for row in zip(*map(list, columns), strict=True)]}

    def _columns(self) -> Mapping[str, Any]:
        """One row for each picture."""
        names = ("confidence", "confidence_8_bit", "generation", "nodes", "connections")
        columns = {"class": as_numpy(self.classes).tolist()} | ({"label": list(self.labels)} if self.labels else {})
        return columns | {n: as_numpy(v).tolist() for n in names if (v := getattr(self, n)) is not None}

    def caption(self, index: int) -> str:
        """What stands under picture `index`: its class, and the confidence, its digits cut off, not rounded up."""
        number, name = int(as_numpy(self.classes)[index]), self.labels[index] if self.labels else ""
        sure = float(as_numpy(self.confidence)[index])
        return f"{number}{f' {name}' * (name not in {'', str(number)})}\n{floor(sure * 1e4) / 1e4:.4f}"

    def picture(self) -> np.ndarray[Any, Any]:
        """A sheet with class and confidence under each picture; one picture alone as it is, pixel for pixel."""
        if len(self) == 1:
            return self.drawn(0)
        tiles = [Tile(self.drawn(n), self.caption(n)) for n in range(len(self))]
        return sheet(square_rows(tiles), heading=f"{self._step} {len(self.history)}", smallest=SMALLEST)

    def after(self, step: int) -> "FoolingImages":
        """The result as it was after so many generations: pictures, confidence, generation, history."""
        history = as_numpy(self.history)[:step]
        first = (history == history[-1]).argmax(axis=0) + 1
        return replace(
            self, images=self.snapshots[step], snapshots={}, history=history, confidence=history[-1], generation=first
        )

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """What an animation shows: the sheet after so many generations, the last one as it is now."""
        if not self.snapshots:
            return super().frames()
        frames = [each.picture() for each in (*map(self.after, sorted(self.snapshots)), self)]
        return frames[:-1] if np.array_equal(frames[-1], frames[-2]) else frames

    @property
    def _step(self) -> str:
        """What one entry of the history is called."""
        return "step" if self.parameters.get("encoding") == "gradient" else "generation"

    def _tiles(self) -> int:
        return 1

    def plot_history(self, axes: Any = None) -> Any:
        """Draw each class's confidence by generation on matplotlib axes (new ones if not given); returns the axes."""
        axes = super().plot_history(axes)
        axes.set_xlabel(self._step)
        axes.set_ylabel("confidence")
        return axes
