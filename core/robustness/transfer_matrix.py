"""`Transfer`: how often pictures made on each network fool each other one, with intervals, counts and disputes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError
from ..result.base import new_axes
from ..result.display import counted
from ..result.formats import PICTURES
from .figure import PlottedTable
from .formats import TRANSFER_WRITERS
from .intervals import wilson

__all__ = ["COUNTED", "Transfer", "transfer_columns"]

Values = np.ndarray[Any, Any]
COUNTED = (
    "Of each pair of networks those images count of which both give the class to leave before any change: the label, "
    "or, where there are no labels, the class that the source predicts. The rate is the share of these whose picture, "
    "made on the source, makes the target leave that class (reach the other one, where one is to be reached), whether "
    "it fooled the source or not."
)


def transfer_columns(models: tuple[str, ...], fooled: Values, counts: Values) -> Mapping[str, Values]:
    """The table of a matrix: a row for each source and target.

    Args:
        models: their names, M.
        fooled: (M, M, N), booleans: source, target, image.
        counts: (M, M, N), booleans: the images that count.
    """
    own = np.stack([fooled[n, n] for n in range(len(models))])[:, None, :]
    count, of, of_source = (each.sum(axis=2) for each in (fooled & counts, counts, own & counts))
    low, high = wilson(count, of)
    with np.errstate(invalid="ignore"):
        rate, given = count / of, (fooled & own & counts).sum(axis=2) / of_source
    return {
        "source": np.asarray(models).repeat(len(models)),
        "target": np.tile(np.asarray(models), len(models)),
        "rate": rate.ravel(),
        "low": low.ravel(),
        "high": high.ravel(),
        "fooled": count.ravel(),
        "images": of.ravel(),
        "source_fooled": of_source.ravel(),
        "rate_of_source_fooled": given.ravel(),
    }


@dataclass(frozen=True, kw_only=True)
class Transfer(PlottedTable):
    """One row for each source and target network, the source that pictures were made on first.

    Columns: "source", "target"; "rate", the share of images whose picture fools the target, with the ends "low" and
    "high" of its Wilson interval at 95 %; "fooled" and "images", of how many; "source_fooled", how many of these
    pictures fooled the source, and "rate_of_source_fooled", the share of those that fool the target too. `COUNTED` says
    which images count. A rate of no image is NaN.
    """

    models: tuple[str, ...]
    attack: str
    """As a word, "pgd:eps=0.1"."""
    norm: str
    fooled: Array
    """(M, M, N), booleans: source, target, image."""
    counts: Array
    """(M, M, N), booleans: whether the image counts for the pair."""
    margins: Array
    """(M, M, N), float64: by how much the target's logit of the class to leave is ahead (of another class, that of any
    but the one to reach); below 0 where it is fooled, 0 a tie, which the lower class wins."""
    pictures: Array
    """(M, N, C, H, W): those made on each source; `images` has what they were made from."""
    names: tuple[str, ...] = ()
    """Of the N images."""
    against: str = "prediction"
    """"label" or "prediction"."""
    rounding: float = 0.0
    """The largest difference of the logits of the images themselves between two copies of one network."""
    alike: tuple[tuple[str, ...], ...] = ()
    """Networks that are one: their logits of the images agree to rounding."""
    disputes: Mapping[str, Array] = field(default_factory=dict)
    """A row for each picture that fools its source and not another framework's copy of it, or the other way round:
    "source", "target", "image"; "source_margin" and "target_margin"; "rounding", by how much the logits of the images
    themselves lie apart; "by_rounding", whether both margins are within twice that; "fools", by the mean margin of all
    copies."""
    _kind: ClassVar[str] = "transfer matrix"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".svg", ".html", ".npz", ".csv", ".parquet", ".json")
    _choices: ClassVar[str] = (
        ".png, .jpg, .webp or .svg for the matrix, .html for a page, .csv, .parquet or .json for the table, .npz for "
        "everything"
    )
    _array_prefixes: ClassVar[Mapping[str, str]] = {"columns": "", "disputes": "dispute"}

    def matrix(self, column: str = "rate") -> Values:
        """(M, M): a column as a matrix, sources down, targets across."""
        return as_numpy(self.columns[column]).reshape(len(self.models), len(self.models))

    def figures(self) -> Mapping[str, Any]:
        """The mean rate on the sources themselves, and on other networks."""
        rate, same = self.matrix(), np.eye(len(self.models), dtype=bool)
        known = np.isfinite(rate)
        return {
            name: float(rate[own & known].mean())
            for name, own in (("on the source itself", same), ("on others", ~same))
            if (own & known).any()
        }

    def _facts(self) -> Iterator[str]:
        yield f"{self.attack} on {', '.join(self.models)}"
        yield counted(as_numpy(self.fooled).shape[2], "image")
        yield from (f"{name} {value:.4g}" for name, value in self.figures().items())
        yield counted(len(next(iter(self.disputes.values()), ())), "dispute")

    def dispute_rows(self) -> list[dict[str, Any]]:
        """The disputes one by one."""
        columns = {name: as_numpy(values).tolist() for name, values in self.disputes.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def plot(self, axes: Any = None) -> Any:
        """Draw the matrix on matplotlib axes (new ones if not given); returns the axes."""
        axes, rate, count = axes or new_axes(), self.matrix(), len(self.models)
        axes.imshow(np.where(np.isfinite(rate), rate, 0.0), vmin=0, vmax=1, cmap="magma")
        low, high, fooled, images = (self.matrix(name) for name in ("low", "high", "fooled", "images"))
        for s, t in np.ndindex(rate.shape):
            text = f"{rate[s, t]:.2f}\n{low[s, t]:.2f} to {high[s, t]:.2f}\n{fooled[s, t]} of {images[s, t]}"
            colour = "black" if rate[s, t] > 0.6 else "white"
            size = "medium" if count < 4 else "x-small"
            axes.text(t, s, text if images[s, t] else "no image", ha="center", va="center", color=colour, fontsize=size)
        for edge in np.arange(1, count) - 0.5:
            axes.axhline(edge, color="white", lw=2)
            axes.axvline(edge, color="white", lw=2)
        axes.set_xticks(range(count), self.models, rotation=0 if count < 4 else 40)
        axes.set_yticks(range(count), self.models)
        axes.set_xlabel("tried on")
        axes.set_ylabel("made on")
        axes.set_title(f"{self.attack}: share of pictures that fool, 95 % intervals", fontsize="medium")
        return axes

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix in TRANSFER_WRITERS:
            file.write(TRANSFER_WRITERS[suffix](self).encode(errors="backslashreplace"))
        elif suffix == ".html":
            raise ImageError("a page needs `import crosslens`, which brings its writer")
        else:
            super()._write(file, suffix, form, scale, quality)

    def as_json(self) -> dict[str, Any]:
        """The table, which picture fools whom, the disputes, and where all that came from."""
        return {
            "attack": self.attack,
            "models": list(self.models),
            "against": self.against,
            "counted": COUNTED,
            "columns": {name: as_numpy(values).tolist() for name, values in self.columns.items()},
            "images": list(self.names),
            "fooled": as_numpy(self.fooled).tolist(),
            "counts": as_numpy(self.counts).tolist(),
            "alike": [list(each) for each in self.alike],
            "disputes": self.dispute_rows(),
            "parameters": dict(self.parameters),
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
        }
