"""`Result`: what every result has (provenance, images, notes), its parts, and how it is saved and shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..errors import ImageError, ParameterError
from ..image.false_colour import false_colour, side_by_side
from .data_frame import data_frame
from .display import counted, one_line, png
from .equality import equal
from .indexed import Indexed
from .joined_notes import joined_notes
from .saved import Saved
from .selection import items_at, joined_provenance, selected_provenance

__all__ = ["Result", "new_axes"]


@dataclass(frozen=True, kw_only=True)
class Result(Indexed, Saved):
    """What every result carries beside its values."""

    method: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    images: Array = None
    """The images explained or made, (N, C, H, W) or (N, C, D, H, W), in the model's bounds, [0, 1] unless told."""
    bands: tuple[int, ...] | None = None
    """Which channels a picture shows as red, green and blue, counted from 1; see `crosslens.image.false_colour`."""
    notes: tuple[str, ...] = ()
    """What a reader must know to trust the values: all-zero maps, for example."""

    notes_of_each: ClassVar[bool] = False
    """Whether the result of some of its images, `result[2:4]`, has the notes of these images alone."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Dataclasses below keep the one-line representation, and how results are compared."""
        super().__init_subclass__(**keywords)
        cls.__repr__ = Result.__repr__  # type: ignore[method-assign]
        cls.__eq__ = Result.__eq__  # type: ignore[method-assign]
        cls.__hash__ = Result.__hash__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return one_line(f"{type(self).__name__} of {self.method or 'no method'}", [*self._facts(), *self._sources()])

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same class and holds the same, arrays entry by entry."""
        if type(other) is not type(self):
            return NotImplemented
        return all(equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.compare)

    def __hash__(self) -> int:
        """Of what is quick to tell: results that are equal have the same."""
        return hash((type(self).__qualname__, self.method, len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """What `numpy.asarray(result)` gives: the values, or the images of a synthesis.

        Raises:
            ValueError: `copy` is False, and another `dtype` is asked for.
        """
        values = as_numpy(self._main_array())
        if copy is False and dtype not in {None, values.dtype}:
            raise ValueError(f"the values are {values.dtype}: as {dtype} they must be copied")
        return np.array(values, dtype, copy=bool(copy) or None)

    def _main_array(self) -> Array:
        if self.images is None:
            raise ParameterError(f"{self} holds no array")
        return self.images

    def _at(self, places: Sequence[int]) -> Self:
        """The result of the items at these places; what is not one for each image stays whole."""
        count = len(self)
        chosen = {
            name: items_at(values, places)
            for name in self._per_image()
            if (values := getattr(self, name)) is not None and len(values) == count
        }
        return replace(self, provenance=selected_provenance(self.provenance, places, count), **chosen)

    def to_dataframe(self) -> Any:
        """The result as a `pandas.DataFrame`.

        Raises:
            ParameterError: pandas is not installed, or this kind of result has no rows and columns.
        """
        return data_frame(self._columns())

    def _columns(self) -> Mapping[str, Any]:
        raise ParameterError(f"a {type(self).__name__} is no table of rows and columns; its class has no data frame")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value that the images may have."""
        low, high = self.provenance.get("bounds") or (0.0, 1.0)
        return low, high

    def shown(self, index: int) -> np.ndarray[Any, Any]:
        """Image `index` as red, green and blue, (3, H, W), in [0, 1]; the slices of a volume side by side."""
        rgb = false_colour(as_numpy(self.images)[index], self.bounds, self.bands)
        return side_by_side(rgb) if rgb.ndim == 4 else rgb

    def _facts(self) -> Iterator[str]:
        """What the representation says of this kind of result."""
        yield from (f"{name} {value:.4g}" if isinstance(value, float) else "" for name, value in self.figures().items())

    def _sources(self) -> Iterator[str]:
        yield f"objective {self.provenance['objective']}"[:80] if "objective" in self.provenance else ""
        yield f"on {self.provenance['backend']}" if "backend" in self.provenance else ""
        yield counted(len(self.notes), "note")

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows for the last line of a cell; nothing where a result has no picture."""
        try:
            return png(self.picture(), self._tiles())
        except (ImageError, NotImplementedError):
            return None

    def joined(self, others: Sequence[Self]) -> Self:
        """This batch's result with those of the batches after it."""
        if not others:
            return self
        parts = (self, *others)
        merged = {
            f.name: _concatenate([getattr(p, f.name) for p in parts])
            for f in fields(self)
            if f.name in self._per_image()
        }
        notes = joined_notes([(p.notes, len(p)) for p in parts])
        provenance = joined_provenance([(p.provenance, len(p)) for p in parts])
        return replace(self, notes=notes, provenance=provenance, **merged)

    def _per_image(self) -> tuple[str, ...]:
        return ("images",)

    def details(self) -> Mapping[str, Any]:
        """What else belongs into the readable part of a saved record, as JSON can hold it."""
        return {}

    def figures(self) -> Mapping[str, Any]:
        """The few numbers that sum the result up, by name, as JSON can hold them; none where it is a map."""
        return {}


def _concatenate(parts: list[Any]) -> Any:
    if isinstance(parts[0], tuple):
        return tuple(item for part in parts for item in part)
    return None if parts[0] is None else namespace(parts[0]).concat(parts, axis=0)


def new_axes() -> Any:
    """Axes of a new matplotlib figure."""
    from matplotlib import pyplot

    return pyplot.subplots()[1]
