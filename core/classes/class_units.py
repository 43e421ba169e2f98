"""`ClassUnits`: the units of a layer that tell two classes apart, or one class from all others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw

from ..arrays import as_numpy
from ..result.display import Pixels, counted
from ..sheets.lettering import cut, font, line_height, wrap
from .class_table import ClassTable

__all__ = ["REST", "ClassUnits"]

REST = "all others"
"""What one class is compared with where it is alone."""
ROW, BAR, LETTERS, TITLE = 18, 220, 12, 14
SIDES = ((69, 117, 180), (214, 96, 77))
"""Blue for the second class, red for the first."""


@dataclass(frozen=True, kw_only=True)
class ClassUnits(ClassTable):
    """One row for each unit, the one that tells both apart best first, by the magnitude of d'.

    Columns: "unit"; "d_prime", above 0 where the first class has the larger mean; "auc", the chance that a picture of
    the first class has a larger value than one of the second, of the `ranked` best units, NaN for the others;
    "stands_for", the class with the larger mean; "mean" and "deviation" of the first, "other_mean" and
    "other_deviation" of the second.
    """

    pair: tuple[str, str]
    """The labels; the second is `REST` where the first one was compared with all others."""
    counts: tuple[int, int]
    """Images of both."""
    ranked: int
    """Units that have an AUC, and that are drawn."""
    _item: ClassVar[str] = "unit"

    def figures(self) -> Mapping[str, Any]:
        """The best unit, its d' and its AUC."""
        best = {name: as_numpy(self.columns[name])[0].item() for name in ("unit", "d_prime", "auc")}
        return {"images": list(self.counts), **best}

    def _facts(self) -> Iterator[str]:
        yield " against ".join(
            f"{name} ({counted(n, 'image')})" for name, n in zip(self.pair, self.counts, strict=True)
        )
        found = self.figures()
        best = f"unit {found['unit']} tells them apart best: d' {found['d_prime']:.3g}, AUC {found['auc']:.3g}"
        yield best if found["d_prime"] else "no unit tells them apart"

    def picture(self) -> Pixels:
        """A bar of d' for each of the best units, red to the right for the first class, blue to the left."""
        columns = {name: as_numpy(values)[: self.ranked] for name, values in self.columns.items()}
        d_primes = columns["d_prime"]
        finite = np.abs(d_primes[np.isfinite(d_primes)])
        limit = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
        middle, width = 90 + BAR, 90 + 2 * BAR + 330
        layer = ", ".join(self.provenance.get("layers", ()))
        lines = wrap(f"layer {layer}: {'; '.join(self._facts())}", width - 20, TITLE)
        sides = (f"< {self.pair[1]}", f"{self.pair[0]} >")
        top = 10 + (len(lines) + 1) * line_height(TITLE) + 10
        canvas = Image.new("RGB", (width, top + ROW * len(d_primes) + 10), "white")
        pen = ImageDraw.Draw(canvas)
        for n, line in enumerate(lines):
            pen.text((10, 10 + n * line_height(TITLE)), line, fill="black", font=font(TITLE))
        for side, text in enumerate(sides):
            place = (middle + (8 if side else -8), top - 6)
            pen.text(
                place, cut(text, BAR, LETTERS), fill=SIDES[side], font=font(LETTERS), anchor="ls" if side else "rs"
            )
        for n, value in enumerate(d_primes.tolist()):
            upper = top + n * ROW
            end = middle + round(BAR * max(-1.0, min(1.0, value / limit)))
            pen.rectangle((min(middle, end), upper + 3, max(middle, end), upper + ROW - 3), fill=SIDES[value > 0])
            said = (
                f"unit {columns['unit'][n]}",
                f"d' {value:.2f}, AUC {columns['auc'][n]:.3f}, means "
                + " / ".join(f"{columns[name][n]:.3g}" for name in ("mean", "other_mean")),
            )
            pen.text((84, upper + ROW // 2), said[0], fill="black", font=font(LETTERS), anchor="rm")
            pen.text((middle + BAR + 8, upper + ROW // 2), said[1], fill="black", font=font(LETTERS), anchor="lm")
        pen.line((middle, top, middle, top + ROW * len(d_primes)), fill="black")
        return np.array(canvas)
