"""The result of a search: each trial's settings, figures and pictures, and a sheet of all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..arrays import Array, namespace
from ..image.contact_sheet import contact_sheet
from ..result import Result, Synthesis
from ..result.display import counted, one_line
from ..result.selection import selected_provenance

__all__ = ["Search", "Trial"]

LINE = 13
"""Pixels of a line of a caption."""
LETTER = 6.2
"""Pixels of a letter, at most."""
NARROWEST = 150
"""Pixels that a caption needs; smaller pictures are shown on white."""


@dataclass(frozen=True)
class Trial:
    """One setting, and what it made."""

    settings: Mapping[str, Any]
    """The parameters that were drawn."""
    figures: Mapping[str, float]
    """The objective at the first and the last step, and the roughness: the mean difference between neighbours."""
    images: Array
    """(N, C, H, W)."""
    number: int = 1
    """From 1, in the order of the draws."""
    whole: bool = True
    """Whether it took all its steps."""

    def __repr__(self) -> str:
        shape = tuple(self.images.shape)
        return one_line(f"Trial {self.number}", [f"images {shape}", self.caption(), "" if self.whole else "not whole"])

    def caption(self) -> str:
        """Settings and figures in one line."""
        drawn = ", ".join(f"{name} {_short(value)}" for name, value in self.settings.items())
        return f"{drawn}; {', '.join(f'{name} {value:.3g}' for name, value in self.figures.items())}"


@dataclass(frozen=True, kw_only=True)
class Search(Result):
    """Trials of one method; `picture` is the contact sheet."""

    trials: tuple[Trial, ...]
    _item: ClassVar[str] = "trial"
    _array_prefixes: ClassVar[Mapping[str, str]] = {"images": "images"}

    def picture(self) -> np.ndarray[Any, Any]:
        """Each trial's pictures with its number, settings and figures under them."""
        pictures = [Synthesis(images=trial.images).picture() for trial in self.trials]
        texts = [f"{trial.number}: {trial.caption()}" for trial in self.trials]
        return contact_sheet(_add_captions(pictures, texts), gap=8)

    def details(self) -> Mapping[str, Any]:
        """Settings and figures of every trial."""
        return {
            "trials": [
                {"number": t.number, "settings": dict(t.settings), "figures": dict(t.figures), "whole": t.whole}
                for t in self.trials
            ]
        }

    def figures(self) -> Mapping[str, Any]:
        """Each trial in one line, by its number."""
        return {f"trial {trial.number}": trial.caption() for trial in self.trials}

    def __len__(self) -> int:
        return len(self.trials)

    def _at(self, places: Sequence[int]) -> "Search":
        trials = tuple(self.trials[n] for n in places)
        return replace(self, trials=trials, provenance=selected_provenance(self.provenance, places, len(self)))

    def _main_array(self) -> Array:
        """The images of all trials, (N, C, H, W)."""
        images = [trial.images for trial in self.trials]
        return namespace(*images).concat(images, axis=0)

    def _columns(self) -> Mapping[str, Any]:
        """One row for each trial: its number, settings and figures, and whether it took all its steps."""
        rows = [{"trial": t.number, **t.settings, **t.figures, "whole": t.whole} for t in self.trials]
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}

    def _facts(self) -> Iterator[str]:
        yield counted(len(self), "trial")

    def saved_fields(self) -> Mapping[str, Any]:
        """The trials as mappings, their images by the trial's number."""
        trials = tuple({**vars(trial), "images": None} for trial in self.trials)
        images = {trial.number: trial.images for trial in self.trials}
        return {**super().saved_fields(), "trials": trials, "images": images}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> "Search":
        images = saved["images"]
        trials = tuple(Trial(**{**trial, "images": images[trial["number"]]}) for trial in saved["trials"])
        return cls(**{**saved, "trials": trials, "images": None})


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(_short, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _add_captions(pictures: list[np.ndarray[Any, Any]], texts: list[str]) -> list[np.ndarray[Any, Any]]:
    """Pictures (H, W, 3) on white, as large as the largest, each over its text."""
    height = max(picture.shape[0] for picture in pictures)
    width = max(NARROWEST, *(picture.shape[1] for picture in pictures))
    lines = [wrap(text, int(width / LETTER)) for text in texts]
    deep = height + LINE * max(map(len, lines)) + 2
    sheets = []
    for picture, written in zip(pictures, lines, strict=True):
        sheet = np.full((deep, width, 3), 255, np.uint8)
        sheet[: picture.shape[0], : picture.shape[1]] = picture
        sheets.append(_draw_lines(sheet, written, height))
    return sheets


def _draw_lines(sheet: np.ndarray[Any, Any], lines: list[str], top: int) -> np.ndarray[Any, Any]:
    picture = Image.fromarray(sheet)
    pen = ImageDraw.Draw(picture)
    for n, line in enumerate(lines):
        pen.text((1, top + LINE * n), line, fill="black", font=ImageFont.load_default(size=11))
    return np.asarray(picture)
