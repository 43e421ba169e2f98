"""Points of a layout as a picture: a disc for each, in the colour of its class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..sheets.lettering import cut, line_height, text_width, write

__all__ = ["Camera", "class_colours", "drawn_points", "legend"]

Pixels = np.ndarray[Any, Any]

_TEN = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
    (140, 86, 75), (227, 119, 194), (110, 110, 110), (188, 189, 34), (23, 190, 207),
)  # fmt: skip
"""Colours of up to ten classes."""
UNKNOWN = (190, 190, 190)
"""The colour of what has no class."""
SHARPER = 2
"""Discs are drawn so many times larger, and the picture made smaller, so that their edges are smooth."""
TILT = 0.35
"""Radians by which points in space are looked at from above."""
FOG = 0.55
"""How far the colour of the point that is farthest away goes towards white."""
MARGIN = 1.05
"""White round the points."""
FLATTEST = 0.4
"""The smaller side of a picture, at least, as a share of the larger one."""
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


def class_colours(count: int) -> Pixels:
    """(count, 3), uint8: ten that differ well, then hues a golden section apart, alternately light and dark."""
    from colorsys import hsv_to_rgb

    more = [hsv_to_rgb(n * 0.618034 % 1, 0.8, 0.95 if n % 2 else 0.65) for n in range(max(0, count - len(_TEN)))]
    colours = [*_TEN, *(tuple(round(255 * part) for part in each) for each in more)]
    return np.array(colours[:count], np.uint8).reshape(-1, 3)


def drawn_points(points: Pixels, colours: Pixels, camera: Camera, side: int, angle: float = 0.0) -> Pixels:
    """Points as discs on white, (H, W, 3), uint8; those of NaN are left out.

    Args:
        points: (N, d), d from 1 to 3. Which of two in one place is seen is random, the same each time; in space it is
            the nearer one, and those far away are paler.
        colours: (N, 3), uint8.
        camera: what is seen.
        side: pixels of the picture's longer side.
        angle: radians by which points in space are turned about their vertical axis.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    seen = camera.seen(points[known].astype(np.float64), angle)
    flat = points.shape[1] < 3
    order = np.random.default_rng(0).permutation(len(known)) if flat else np.argsort(seen[:, 2], kind="stable")
    pale = np.zeros(len(known)) if flat else FOG * (1 - seen[:, 2].clip(-1, 1)) / 2
    shades = colours[known] * (1 - pale[:, None]) + 255 * pale[:, None]
    height, width = camera.size(side)
    picture = Image.new("RGB", (width * SHARPER, height * SHARPER), "white")
    pen = ImageDraw.Draw(picture)
    radius = SHARPER * _radius(len(known), side)
    across, down = (seen[:, 0] + 1) * picture.width / 2, (picture.height - seen[:, 1] * picture.width) / 2
    for x, y, shade in zip(across[order], down[order], shades[order].astype(int).tolist(), strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(shade))
    return np.array(picture.resize((width, height), Image.Resampling.BOX))


def _radius(count: int, side: int) -> float:
    """Of a disc, in pixels: smaller where there are many."""
    return float(np.clip(side / 180 * (2_000 / max(count, 1)) ** 0.25, 0.6, side / 60))


def legend(names: Sequence[str], colours: Pixels, height: int) -> Pixels:
    """Names of classes with their colours, one under the other, (height, width, 3), uint8; of no width for none."""
    if not names:
        return np.full((height, 0, 3), 255, np.uint8)
    room = min(SHOWN_CLASSES, max(1, height // line_height(LETTERS) - 1))
    shown = [cut(name, 140, LETTERS) or "?" for name in names[:room]]
    more = [f"and {len(names) - room} more"] if len(names) > room else []
    width = 24 + max(text_width(line, LETTERS) for line in [*shown, *more])
    pixels = np.full((height, width, 3), 255, np.uint8)
    for n, colour in enumerate(colours[: len(shown)]):
        top = n * line_height(LETTERS)
        pixels[top + 3 : top + 13, 4:14] = colour
    return write(pixels, [*shown, *more], 18, 0, LETTERS)
