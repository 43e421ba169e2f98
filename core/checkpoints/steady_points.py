"""`SteadyPoints`: a point for each image in each checkpoint, as panels side by side and as an animation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt, tau
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from ..files.parquet_file import write_parquet
from ..layouts import Layout, layout_from_saved
from ..result.base import Result
from ..result.display import counted
from ..result.formats import PICTURES
from ..sheets.class_colours import class_colours
from ..sheets.point_picture import Camera, classes_of, colours_of, drawn_points, legend, titled

__all__ = ["SteadyPoints"]

Pixels = np.ndarray[Any, Any]

PANEL = 420
"""Pixels of a panel's side."""
BETWEEN, STILL = 14, 6
"""Frames on the way from one checkpoint to the next, and at each of them."""
SAME = 0.9
"""The share from which a row counts as unchanged; see `crosslens.layouts.unchanged`."""


@dataclass(frozen=True, kw_only=True)
class SteadyPoints(Result):
    """One data set in several checkpoints, each layout steady to the one before.

    `.png`, `.jpg` and `.webp` show them side by side, `.gif` and `.mp4` as an animation; points have the colour of
    their class.
    """

    layouts: tuple[Layout, ...]
    """One for each checkpoint; `layouts[k].place(rows)` adds new points."""
    names: tuple[str, ...]
    """Of the checkpoints."""
    ids: tuple[str, ...]
    """Of the images, N."""
    labels: tuple[str, ...]
    """The class of each image; "" where none is known."""
    kept: Array
    """(checkpoints - 1, N): how far each row is what it was in the checkpoint before; see `layouts.unchanged`."""
    quality: Mapping[str, Mapping[str, Any]]
    """By checkpoint: "trustworthiness", "judged" (of how many points), "neighbourhood_hit"."""
    _item: ClassVar[str] = "checkpoint"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".gif", ".mp4", ".npz")
    _choices: ClassVar[str] = (
        ".png, .jpg or .webp for panels side by side, .gif or .mp4 for an animation, .npz for everything"
    )

    @property
    def points(self) -> Pixels:
        """(checkpoints, N, d), float32; NaN for images that could not be read."""
        return np.stack([each.points for each in self.layouts])

    @property
    def moves(self) -> Pixels:
        """(checkpoints - 1, N): how far each point moved, as a share of the layout's extent, its longer side."""
        points = self.points
        steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
        known = points[:, np.isfinite(points).all(axis=(0, 2))]
        extents = np.ptp(known, axis=1).max(axis=1) if known.size else np.ones(len(points))
        return np.asarray(steps / np.where(extents > 0, extents, 1)[:-1, None])

    def figures(self) -> Mapping[str, Any]:
        """By checkpoint its quality, and of each step how far points moved whose rows did not change, and others."""
        return {**{name: dict(each) for name, each in self.quality.items()}, **self._steps()}

    def _steps(self) -> Mapping[str, Any]:
        moves, kept = self.moves, as_numpy(self.kept)
        steps = {}
        for n, (before, after) in enumerate(zip(self.names, self.names[1:], strict=False)):
            known = np.isfinite(moves[n])
            same = known & (kept[n] >= SAME)
            figures: dict[str, Any] = {"unchanged": int(same.sum())}
            for word, chosen in (("unchanged", same), ("changed", known & ~same)):
                if chosen.any():
                    figures[f"{word}_move_median"] = float(np.median(moves[n][chosen]))
                    figures[f"{word}_move_largest"] = float(moves[n][chosen].max())
            steps[f"{before} -> {after}"] = figures
        return steps

    def picture(self) -> Pixels:
        """The checkpoints side by side, with what their layouts are worth, and the classes at the right."""
        camera, colours = Camera.of(self.points), colours_of(self.labels)
        panels = [
            titled(drawn_points(each.points, colours, camera, PANEL, 0.5), *self._title(name))
            for name, each in zip(self.names, self.layouts, strict=True)
        ]
        columns = len(panels) if len(panels) <= 3 else ceil(sqrt(len(panels)))
        white = np.full_like(panels[0], 255)
        rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
        lines = [np.concatenate([*row, *[white] * (columns - len(row))], axis=1) for row in rows]
        return self._with_legend(np.concatenate(lines))

    def frames(self) -> list[Pixels]:
        """Points on their way from each checkpoint to the next; those in space turn once meanwhile."""
        camera, colours, points = Camera.of(self.points), colours_of(self.labels), self.points.astype(np.float64)
        times: list[float] = [0.0] * STILL
        for n in range(len(points) - 1):
            way = np.arange(1, BETWEEN + 1) / BETWEEN
            times += [*(n + way * way * (3 - 2 * way)).tolist(), *[float(n + 1)] * STILL]
        frames = []
        for count, time in enumerate(times):
            first, share = min(int(time), len(points) - 1), time - int(time)
            now = points[first] + (share * (points[first + 1] - points[first]) if share else 0)
            name = self.names[round(time)] if not share else f"{self.names[first]} -> {self.names[first + 1]}"
            panel = drawn_points(now, colours, camera, PANEL, 0.5 + tau * count / len(times))
            frames.append(self._with_legend(titled(panel, name, self._title(self.names[round(time)])[1])))
        return frames

    def _title(self, name: str) -> tuple[str, str]:
        known = self.quality[name]
        figures = [f"{word.replace('_', ' ')} {known[word]:.3f}" for word in _SHOWN if known.get(word) is not None]
        return name, ", ".join(figures)

    def _with_legend(self, pixels: Pixels) -> Pixels:
        classes = classes_of(self.labels)
        return np.concatenate([pixels, legend(classes, class_colours(len(classes)), len(pixels))], axis=1)

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def __len__(self) -> int:
        return len(self.layouts)

    def _at(self, places: Sequence[int]) -> Self:
        raise ParameterError("a checkpoint is taken by layouts[k] or points[k]: the others are what it is steady to")

    def _main_array(self) -> Array:
        return self.points

    def _columns(self) -> Mapping[str, Any]:
        """One row for each checkpoint and image."""
        points, count, images = self.points, len(self.layouts), len(self.ids)
        axes = {name: points[:, :, n].reshape(-1) for n, name in enumerate("xyz"[: points.shape[2]])}
        moves = np.concatenate([np.full((1, images), np.nan), self.moves])
        kept = np.concatenate([np.full((1, images), np.nan), as_numpy(self.kept)])
        return {
            "checkpoint": np.repeat(self.names, images),
            "id": np.tile(self.ids, count),
            "label": np.tile(self.labels, count),
            **axes,
            "moved": moves.reshape(-1),
            "unchanged": kept.reshape(-1),
        }

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`checkpoints.png`, `checkpoints.gif`, and `points.parquet` with a row for each checkpoint and image."""
        pictures = [self.save(folder / f"checkpoints{suffix}") for suffix in (".png", ".gif")]
        return [*pictures, write_parquet(self._columns(), folder / "points.parquet")]

    def saved_fields(self) -> Mapping[str, Any]:
        return {**super().saved_fields(), "layouts": [each.saved() for each in self.layouts]}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        return cls(**{**saved, "layouts": tuple(map(layout_from_saved, saved["layouts"]))})

    def _facts(self) -> Iterator[str]:
        yield counted(len(self.layouts), "checkpoint")
        yield counted(len(self.ids), "image")


_SHOWN = ("trustworthiness", "neighbourhood_hit")
