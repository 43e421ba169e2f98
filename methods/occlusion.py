"""Occlusion sensitivity (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, NamedTuple

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.batching import batch_limit, slices
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.progress import Progress
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class Occlusion(Method):
    """How far the target falls when a window of the image is covered, averaged over the windows that cover each pixel.

    The windows start every `stride` pixels from the upper left; the last ones are cut off at the border, so that every
    pixel is covered. A class that is not given is the one predicted for the whole image.
    """

    name = "occlusion"
    example: ClassVar = {"window": 4, "stride": 3}
    window: int = param(32, "side of the square that is covered, in pixels")
    stride: int = param(16, "distance between windows, in pixels; at most the window")
    fill: float = param(0.5, "value in the image's unit that covers; 0.5 is mid grey")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Score differences (N, H, W): positive where the target needs the pixel."""
        self._check()
        clean = model.forward(images, objective.layers)
        scores, objective = objective.value(clean), objective.pinned(clean)
        windows = _windows(images.shape[2], images.shape[3], self.window, self.stride)
        xp = namespace(images)
        maps = [
            self._map(model, images[n : n + 1, ...], objective.select(n, n + 1), scores[n], windows, progress)
            for n in range(images.shape[0])
        ]
        return Attribution(xp.stack(maps), scores=scores)

    def _check(self) -> None:
        if self.window < 1:
            raise ParameterError(f"window is {self.window}; it must be at least 1 pixel")
        if not 1 <= self.stride <= self.window:
            raise ParameterError(
                f"stride is {self.stride}; it must lie between 1 and the window, {self.window}, or pixels are left out"
            )

    def _map(
        self, model: Model, image: Array, objective: Objective, score: Any, windows: "list[Window]", progress: Progress
    ) -> Array:
        """The mean drop at each pixel of one image, (H, W)."""
        xp = namespace(image)
        total = xp.zeros(image.shape[2:], dtype=image.dtype, device=image.device)
        count = np.zeros(image.shape[2:], np.float32)
        for window, covered in self._scores(model, image, objective, windows, progress):
            total[window.rows, window.columns] += score - covered
            count[window.rows, window.columns] += 1
        return total / like(count, total)

    def _scores(
        self, model: Model, image: Array, objective: Objective, windows: "list[Window]", progress: Progress
    ) -> Iterator[tuple["Window", Any]]:
        """Each window with the objective of the image that it covers."""
        for start, stop in slices(len(windows), batch_limit(model)):
            covered = namespace(image).concat([image] * (stop - start), axis=0)
            for row, window in enumerate(windows[start:stop]):
                covered[row, :, window.rows, window.columns] = self.fill
            values = objective.value(model.forward(covered, objective.layers))
            yield from zip(windows[start:stop], (values[row] for row in range(stop - start)), strict=True)
            progress(stop, len(windows), "occluding")


class Window(NamedTuple):
    """The rows and columns that are covered."""

    rows: slice
    columns: slice


def _windows(height: int, width: int, window: int, stride: int) -> list[Window]:
    rows, columns = _starts(height, window, stride), _starts(width, window, stride)
    return [Window(slice(y, min(y + window, height)), slice(x, min(x + window, width))) for y in rows for x in columns]


def _starts(length: int, window: int, stride: int) -> range:
    """As few as cover every pixel."""
    return range(0, max(ceil((length - window) / stride), 0) * stride + 1, stride)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Occlusion]
