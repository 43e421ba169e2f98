"""`Result`: what every result has (provenance, images, notes), and how results are saved and shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..errors import ImageError
from ..execution.whole_file import whole_file
from ..image.false_colour import false_colour, side_by_side
from ..image.io import save_image
from ..image.video import save_animation
from .display import counted, one_line, png

__all__ = ["Result", "new_axes"]


@dataclass(frozen=True, kw_only=True)
class Result:
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

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Dataclasses below keep the one-line representation."""
        super().__init_subclass__(**keywords)
        cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return one_line(f"{type(self).__name__} of {self.method or 'no method'}", [*self._facts(), *self._sources()])

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
            return png(self.picture())
        except (ImageError, NotImplementedError):
            return None

    def picture(self) -> np.ndarray[Any, Any]:
        """(H, W, 3), uint8: what `save` writes as PNG."""
        raise NotImplementedError(f"{type(self).__name__} has no picture")

    def frames(self) -> list[np.ndarray[Any, Any]]:
        """Pictures (H, W, 3), uint8, to be shown one after the other.

        Raises:
            ImageError: this result is not a sequence of pictures.
        """
        raise ImageError(f"{self.method} makes no animation; save it as .png or .npz")

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
        notes = tuple(dict.fromkeys(note for p in parts for note in p.notes))
        return replace(self, notes=notes, **merged)

    def _per_image(self) -> tuple[str, ...]:
        return ("images",)

    def _arrays(self) -> dict[str, Array]:
        """What a saved `.npz` holds beside the record."""
        return {f.name: getattr(self, f.name) for f in fields(self) if hasattr(getattr(self, f.name), "shape")}

    def details(self) -> Mapping[str, Any]:
        """What else belongs into the record of a saved result, as JSON can hold it."""
        return {}

    def figures(self) -> Mapping[str, Any]:
        """The few numbers that sum the result up, by name, as JSON can hold them; none where it is a map."""
        return {}

    def save(self, path: str | Path) -> Path:
        """Write the result: `.png` a picture of it; `.npz` everything, raw values and provenance; `.gif`, `.webp` or
        `.mp4` the pictures made, one after the other.

        Raises:
            ImageError: another suffix.
        """
        path = Path(path)
        if path.suffix == ".png":
            return save_image(self.picture(), path)
        if path.suffix in {".gif", ".webp", ".mp4"}:
            return save_animation(self.frames(), path)
        if path.suffix != ".npz":
            raise ImageError(f"cannot save a result as {path.name!r}; use .png for a picture, .npz for everything")
        arrays = self._arrays()
        record = {"kind": type(self).__name__, "method": self.method, "parameters": self.parameters}
        record |= {"provenance": self.provenance, "notes": self.notes, **self.details()}
        everything: dict[str, Any] = {"record": json.dumps(record), **{name: as_numpy(a) for name, a in arrays.items()}}
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **everything)
        return path


def _concatenate(parts: list[Any]) -> Any:
    return None if parts[0] is None else namespace(parts[0]).concat(parts, axis=0)


def new_axes() -> Any:
    """Axes of a new matplotlib figure."""
    from matplotlib import pyplot

    return pyplot.subplots()[1]
