"""Occlusion sensitivity (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4.2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.batching import batch_limit, slices
from crosslens.errors import LayerError, ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.preset import Preset
from crosslens.progress import Progress
from crosslens.result import Attribution

from .case import Case, cases
from .fills import DOC, Fill, filled
from .token_case import in_places

BORDERS, OVERLAPS = ("cut", "inside"), ("mean", "sum")


Found: TypeAlias = Iterator[tuple[Sequence[int], Array]]
"""Positions in the list of windows, with the target's values there."""


@dataclass(frozen=True, kw_only=True)
class Occlusion(Method):
    """How far the target falls when a window of the image is covered, averaged over the windows that cover each pixel.

    The windows start every `stride` pixels from the upper left; the last ones are cut off at the border, so that every
    pixel is covered, or, with `border` "inside", are left out. A class that is not given is the one predicted for the
    whole image. At a layer, windows of all its maps are covered and the network runs on from there: ablation of a place
    instead of a channel. A transformer's tokens lie as its patches do; class and register tokens are never covered.
    """

    name = "occlusion"
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset({"stride": 1, "fill": 0.0}, doc="it has no default window"),
        "xplique": Preset({"window": 3, "stride": 3, "fill": 0.0, "border": "inside", "overlap": "sum"}),
        "pair": Preset({"window": 15, "stride": 1, "fill": 0.0, "border": "inside", "overlap": "sum"}),
    }
    example: ClassVar[Mapping[str, Any]] = {"window": 4, "stride": 3}
    window: int = param(32, "side of the square that is covered, in pixels, or in positions of the layer")
    stride: int = param(16, "distance between windows, in pixels; at most the window")
    fill: Fill | None = param(None, f"what covers: {DOC}; grey in an image and 0 in a layer if not given")
    border: str = param("cut", "windows that reach beyond the border: cut off, or left out", choices=BORDERS)
    overlap: str = param("mean", "what is taken of the windows that cover a pixel", choices=OVERLAPS)
    layer: str = param(INPUT, "layer whose maps or patches are covered; the image if not given")
    seed: int = param(0, "of the fill 'noise'")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Score differences (N, H, W), or at the layer's resolution: positive where the target needs the place."""
        whole, scores = cases(model, images, objective, self.layer)
        found = [in_places(case) for case in whole]
        self._check(found[0].activation)
        values, ways = zip(*(self._map(case, scores[n], progress) for n, case in enumerate(found)), strict=True)
        return Attribution(namespace(images).stack(values), scores=scores, provenance={"computed": ways[0]})

    def _check(self, activation: Array) -> None:
        if activation.ndim != 4:
            raise LayerError(
                f"layer {self.layer!r} holds {tuple(activation.shape[1:])}, not maps (C, H, W) with places"
            )
        if self.border not in BORDERS or self.overlap not in OVERLAPS:
            raise ParameterError(
                f"border is {self.border!r} and overlap {self.overlap!r}; there are {', '.join(BORDERS)}, and "
                f"{', '.join(OVERLAPS)}"
            )
        longer = max(activation.shape[2:])
        if not 1 <= self.window <= longer:
            raise ParameterError(
                f"window is {self.window}; it must be at least 1 pixel and at most {longer}, the longer side"
            )
        if not 1 <= self.stride <= self.window:
            raise ParameterError(
                f"stride is {self.stride}; it must lie between 1 and the window, {self.window}, or pixels are left out"
            )

    def _map(self, case: Case, score: Any, progress: Progress) -> tuple[Array, str]:
        """The mean drop at each place of one image, (H, W), and how the windows' scores were computed."""
        x = case.activation
        total, count = namespace(x).zeros_like(x[0, 0, ...]), np.zeros(x.shape[2:], np.float32)
        fill = (0.0 if self.layer != INPUT else "grey") if self.fill is None else self.fill
        cover = filled(fill, x, case.model, self.seed, self.layer)
        windows = self._windows(*x.shape[2:])
        way, found = _at_image(case, windows, cover) if case.layer == INPUT else _at_layer(case, windows, cover)
        for window, covered in _scores(found, windows, progress):
            total[window.rows, window.columns] += score - covered
            count[window.rows, window.columns] += 1
        return (total if self.overlap == "sum" else total / like(np.maximum(count, 1), total)), way

    def _windows(self, height: int, width: int) -> "list[Window]":
        """All windows, row by row."""
        rows, columns = (_spans(n, self.window, self.stride, self.border == "cut") for n in (height, width))
        return [Window(y, x) for y in rows for x in columns]


def _scores(found: Found, windows: "list[Window]", progress: Progress) -> Iterator[tuple["Window", Any]]:
    """Each window with the target's value where it is covered."""
    done = 0
    for which, values in found:
        yield from ((windows[w], values[row]) for row, w in enumerate(which))
        done += len(which)
        progress(done, len(windows), "occluding")


def _at_image(case: Case, windows: "list[Window]", cover: Array) -> tuple[str, Found]:
    """Windows of the image that show `cover`, (1, C, H, W); a network may compute only what they can change."""
    boxes = [(w.rows.start, w.rows.stop, w.columns.start, w.columns.stop) for w in windows]
    found = case.model.occluded(case.image, cover, boxes, case.objective.layers)
    return found.way, ((which, case.objective.value(activations)) for which, activations in found)


def _at_layer(case: Case, windows: "list[Window]", cover: Array) -> tuple[str, Found]:
    return f"the network from {case.layer} on", _covered(case, windows, cover)


def _covered(case: Case, windows: "list[Window]", cover: Array) -> Found:
    for start, stop in slices(len(windows), batch_limit(case.model)):
        variants = namespace(cover).concat([case.activation] * (stop - start), axis=0)
        for row, window in enumerate(windows[start:stop]):
            variants[row, :, window.rows, window.columns] = cover[0, :, window.rows, window.columns]
        yield range(start, stop), case.scores(variants)


class Window(NamedTuple):
    """The rows and columns that are covered."""

    rows: slice
    columns: slice


def _spans(length: int, window: int, stride: int, cut: bool) -> list[slice]:
    """As few as cover every pixel, the last one cut off; or those that lie inside."""
    last = max(ceil((length - window) / stride), 0) * stride if cut else length - window
    return [slice(start, min(start + window, length)) for start in range(0, last + 1, stride)]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Occlusion]
