"""Occlusion sensitivity (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4.2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import LayerError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, target_functions
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ..evaluation._metric import class_probability
from ._occlusion_windows import (
    SHARE,
    CoveredActivations,
    OcclusionWindow,
    centred_windows,
    covered_activations,
    window_sides,
    windows_by_stride,
)
from ._tokens_as_maps import patches_as_maps

BORDERS, OVERLAPS, SHOWN = ("cut", "inside"), ("mean", "sum"), ("difference", "value")


@dataclass(frozen=True, kw_only=True)
class Occlusion(Method):
    """How far the target falls when a window is covered.

    How far the target falls when a window of the image is covered, averaged over the windows that cover each pixel.

    The windows start every `stride` pixels from the upper left; the last ones are cut off at the border, so that every
    pixel is covered, or, with `border` "inside", are left out. Pixels that no window covers get 0. A class that is not
    given is the one predicted for the whole image. At a layer, windows of all its maps are covered and the network runs
    on from there: ablation of a position instead of a channel. A transformer's tokens lie as its patches do; class and
    register tokens are never covered. With `show` "value" it is figure 7 of the paper: the target's value itself, a
    class's probability, with the window centred at each point; low where the target needs it. One image given
    several times with as many targets goes through the network once for all of them.
    """

    name = "occlusion"
    aliases: ClassVar[Mapping[str, str]] = {
        "occlusion_sensitivity": "",
        "occlusion_map": "",
    }
    nearest_to: ClassVar[Mapping[str, str]] = {
        "feature_ablation": "it covers windows in place of given features",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset({"stride": 1, "fill": 0.0}, doc="it has no default window"),
        "xplique": Preset({"window": 3, "stride": 3, "fill": 0.0, "border": "inside", "overlap": "sum"}),
        "pair": Preset({"window": 15, "stride": 1, "fill": 0.0, "border": "inside", "overlap": "sum"}),
    }
    example: ClassVar[Mapping[str, Any]] = {"window": 4, "stride": 3}
    window: int | tuple[int, ...] | None = param(
        None,
        "side of what is covered, or height,width, in pixels or a layer's positions; a seventh of the shorter side",
        minimum=1,
    )
    stride: int | tuple[int, ...] | None = param(
        None, "distance between windows, one number or down,across; half of the window if not given", minimum=1
    )
    fill: Fill | None = param(None, f"what covers: {FILL_DOC}; grey in an image and 0 in a layer if not given")
    border: str = param("cut", "windows that reach beyond the border: cut off, or left out", choices=BORDERS)
    overlap: str = param("mean", "over the windows that cover a pixel: their mean or sum", choices=OVERLAPS)
    show: str = param("difference", "the target's fall, or its value with the window centred there", choices=SHOWN)
    layer: str = param(INPUT, "layer whose maps or patches are covered; the image if not given")
    seed: int = param(0, "of the fill 'noise'", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Score differences (N, H, W), or at the layer's resolution: positive where the target needs the position.

        With `show` "value": the target's values on the grid of the windows' centres, (N, rows, columns).
        """
        followed = class_probability(objective) if self.show == "value" else objective
        functions, scores = target_functions(model, images, followed, self.layer)
        functions = [patches_as_maps(function) for function in functions]
        self._check(functions[0].activation)
        values: list[Array] = []
        for start, stop in _runs_of_equal_images(images):
            maps, strategy = self._maps(functions[start:stop], scores[start:stop], progress)
            values += maps
        return Attribution(namespace(images).stack(values), scores=scores, provenance={"computed": strategy})

    def _check(self, activation: Array) -> None:
        if activation.ndim not in {4, 5}:
            raise LayerError(f"layer {self.layer!r} holds {tuple(activation.shape[1:])}, not maps (C, H, W)")

    def _maps(self, functions: Sequence[TargetFunction], scores: Array, progress: Progress) -> tuple[list[Array], str]:
        """A map for each target of one image, (H, W), and how the values behind the windows were computed."""
        first, x = functions[0], functions[0].activation
        fill = (0.0 if self.layer != INPUT else "grey") if self.fill is None else self.fill
        cover = fill_image(fill, x, first.model, self.seed, self.layer)
        windows, grid = self._windows(tuple(int(n) for n in x.shape[2:]))
        layers = sorted(frozenset().union(*(function.objective.layers for function in functions)))
        strategy, covered = covered_activations(first, windows, cover, layers)
        behind = np.zeros((len(functions), len(windows)), np.float64)
        for indices, activations in _with_progress(covered, len(windows), progress):
            behind[:, list(indices)] = [as_numpy(function.objective.value(activations)) for function in functions]
        if grid is not None:
            return [like(each.reshape(grid).astype(np.float32), x) for each in behind], strategy
        falls = as_numpy(scores).astype(np.float64)[:, None] - behind
        return [like(self._pixel_map(fall, windows, x.shape[2:]), x) for fall in falls], strategy

    def _pixel_map(self, falls: np.ndarray[Any, Any], windows: Sequence[OcclusionWindow], size: Sequence[int]) -> Any:
        """(H, W) float32: mean or sum of the falls of the windows that cover each pixel."""
        total, count = np.zeros(tuple(size)), np.zeros(tuple(size))
        for window, fall in zip(windows, falls, strict=True):
            total[window] += fall
            count[window] += 1
        return (total if self.overlap == "sum" else total / np.maximum(count, 1)).astype(np.float32)

    def _windows(self, size: tuple[int, ...]) -> tuple[list[OcclusionWindow], list[int] | None]:
        """All windows, row by row, and the grid (rows, columns) where each stands for one point."""
        side = max(round(min(size) / SHARE), 1)
        window = window_sides("window", self.window, (side,) * len(size), size)
        stride = window_sides("stride", self.stride, tuple(max(n // 2, 1) for n in window))
        if self.show == "value":
            return centred_windows(size, window, stride)
        windows = windows_by_stride(size, window, stride, self.border == "cut")
        if not windows:
            raise ParameterError(
                f"no window of {' x '.join(map(str, window))} pixels lies inside {' x '.join(map(str, size))} ones"
            )
        return windows, None


def _runs_of_equal_images(images: Array) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive images that are one and the same."""
    values, start = as_numpy(images), 0
    for n in range(1, len(values) + 1):
        if n == len(values) or not np.array_equal(values[n], values[start]):
            yield start, n
            start = n


def _with_progress(covered: CoveredActivations, total: int, progress: Progress) -> CoveredActivations:
    """The same, each batch reported once it has been worked on."""
    done = 0
    for indices, activations in covered:
        yield indices, activations
        done += len(indices)
        progress(done, total, "occluding")


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Occlusion]
