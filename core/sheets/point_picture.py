"""Points of a layout as a picture: a disc for each, in the colour of its class; titles and legends beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from .class_colours import class_colours
from .lettering import cut, line_height, text_width, write

__all__ = ["Camera", "classes_of", "colours_of", "drawn_points", "legend", "paler", "titled"]

Pixels = np.ndarray[Any, Any]

UNKNOWN = (205, 205, 205)
"""The colour of what has no class."""
SHARPER = 2
"""Discs are drawn so many times larger, and the picture made smaller, so that their edges are smooth."""
TILT = 0.35
"""Radians by which points in space are looked at from above."""
FOG = 0.55
"""How far the colour of the point that is farthest away goes towards white."""
PALE = 0.72
"""How far the colour of what stands behind goes towards white."""
MARGIN = 1.05
"""White round the points."""
FLATTEST = 0.4
"""The smaller side of a picture, at least, as a share of the larger one."""
RIM = (40, 40, 40)
"""Of the points that lie over the others."""
LETTERS = 12
"""Pixels of letters."""
SHOWN_CLASSES = 24
"""Classes that a legend names at most."""


@dataclass(frozen=True)
class Camera:
    """Which part of a layout a picture shows: the middle, and half the width and the height, in the layout's unit."""

    middle: tuple[float, ...]
    half: float
    height: float

    @classmethod
    def of(cls, points: Pixels) -> "Camera":
        """One that sees all points (..., d), with a margin; those of NaN do not count."""
        flat = points.reshape(-1, points.shape[-1])
        known = flat[np.isfinite(flat).all(axis=1)]
        if not len(known):
            return cls((0.0,) * flat.shape[1], 1.0, 1.0)
        middle = (known.max(axis=0) + known.min(axis=0)) / 2
        if flat.shape[1] == 3:
            reach = float(np.linalg.norm(known - middle, axis=1).max()) * MARGIN or 1.0
            return cls(tuple(middle.tolist()), reach, reach)
        width, height = (float(np.abs(known - middle)[:, :2].max(axis=0)[n : n + 1].sum()) * MARGIN for n in (0, 1))
        width = width or height or 1.0
        return cls(tuple(middle.tolist()), width, min(max(height, FLATTEST * width), width / FLATTEST))

    def size(self, side: int) -> tuple[int, int]:
        """(H, W) of a picture whose longer side has so many pixels."""
        share = side / max(self.half, self.height)
        return max(1, round(self.height * share)), max(1, round(self.half * share))

    def seen(self, points: Pixels, angle: float) -> Pixels:
        """Points (N, d) as (N, 3): to the right, upwards, towards the eye, in half widths."""
        centred = (points - np.asarray(self.middle)) / self.half
        if centred.shape[1] < 3:
            return np.pad(centred, ((0, 0), (0, 3 - centred.shape[1])))
        x, y, z = centred.T
        right, depth = x * np.cos(angle) + z * np.sin(angle), z * np.cos(angle) - x * np.sin(angle)
        up, near = y * np.cos(TILT) - depth * np.sin(TILT), depth * np.cos(TILT) + y * np.sin(TILT)
        return np.stack([right, up, near], axis=1)


def classes_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The classes among labels, "" left out: in the order of numbers where all are such, else in that of letters."""
    names = {str(label) for label in labels if label}
    numbers = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))


def colours_of(labels: Sequence[str]) -> Pixels:
    """(N, 3), uint8: the colour of each label's class."""
    classes = classes_of(labels)
    known = dict(zip(classes, class_colours(len(classes)), strict=True))
    return np.array([known.get(str(label), UNKNOWN) for label in labels], np.uint8).reshape(-1, 3)


def paler(colours: Pixels) -> Pixels:
    """Colours (..., 3), uint8, nearer to white: those of what stands behind."""
    return np.asarray(255 - (255 - colours.astype(np.float32)) * (1 - PALE)).round().astype(np.uint8)


def drawn_points(
    points: Pixels, colours: Pixels, camera: Camera, side: int, angle: float = 0.0, *, strong: Pixels | None = None
) -> Pixels:
    """Points as discs on white, (H, W, 3), uint8; those of NaN are left out.

    Args:
        points: (N, d), d from 1 to 3. Which of two in one place is seen is random, the same each time; in space it is
            the nearer one, and those far away are paler.
        colours: (N, 3), uint8.
        camera: what is seen.
        side: pixels of the picture's longer side.
        angle: radians by which points in space are turned about their vertical axis.
        strong: (N,), bool: points that lie over the others, which are pale; each has a dark rim.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    seen = camera.seen(points[known].astype(np.float64), angle)
    over = np.zeros(len(known), bool) if strong is None else strong[known]
    flat = points.shape[1] < 3
    order = np.random.default_rng(0).permutation(len(known)) if flat else np.argsort(seen[:, 2], kind="stable")
    order = order[np.argsort(over[order], kind="stable")]
    pale = np.zeros(len(known)) if flat else FOG * (1 - seen[:, 2].clip(-1, 1)) / 2
    shades = colours[known] * (1 - pale[:, None]) + 255 * pale[:, None]
    if strong is not None:
        shades = np.where(over[:, None], colours[known], paler(shades))
    height, width = camera.size(side)
    picture = Image.new("RGB", (width * SHARPER, height * SHARPER), "white")
    pen = ImageDraw.Draw(picture)
    small, large = (SHARPER * _radius(int(each.sum()), side) for each in (~over, over))
    across, down = (seen[:, 0] + 1) * picture.width / 2, (picture.height - seen[:, 1] * picture.width) / 2
    for n in order:
        radius, rim = (min(max(small, large), 1.6 * small), RIM) if over[n] else (small, None)
        box = (across[n] - radius, down[n] - radius, across[n] + radius, down[n] + radius)
        pen.ellipse(box, fill=tuple(shades[n].astype(int).tolist()), outline=rim)
    return np.array(picture.resize((width, height), Image.Resampling.BOX))


def _radius(count: int, side: int) -> float:
    """Of a disc, in pixels: smaller where there are many."""
    return float(np.clip(side / 180 * (2_000 / max(count, 1)) ** 0.25, 0.6, side / 60))


def legend(names: Sequence[str], colours: Pixels, height: int, *, letters: int = LETTERS) -> Pixels:
    """Names of classes with their colours, one under the other, (height, width, 3), uint8; of no width for none.

    It names as many as there is room for, at most 24, and says how many more there are.

    Args:
        names: of the classes.
        colours: (n, 3), uint8.
        height: pixels.
        letters: pixels of a letter.
    """
    if not names:
        return np.full((height, 0, 3), 255, np.uint8)
    line = line_height(letters)
    room = min(SHOWN_CLASSES, max(1, height // line - 1))
    shown = [cut(name, 12 * letters, letters) or "?" for name in names[:room]]
    more = [f"and {len(names) - room} more"] if len(names) > room else []
    width = 2 * letters + max(text_width(each, letters) for each in [*shown, *more])
    pixels = np.full((height, width, 3), 255, np.uint8)
    for n, colour in enumerate(colours[: len(shown)]):
        top = n * line + letters // 4
        pixels[top : top + letters - 2, 4 : 2 + letters] = colour
    return write(pixels, [*shown, *more], letters + 6, 0, letters)


def titled(panel: Pixels, *lines: str, size: int = LETTERS + 1) -> Pixels:
    """A panel with lines of text over it, in letters of so many pixels."""
    band = np.full((len(lines) * line_height(size) + 4, panel.shape[1], 3), 255, np.uint8)
    texts = [cut(line, panel.shape[1] - 8, size) for line in lines]
    return np.concatenate([write(band, texts, 4, 2, size), panel])
