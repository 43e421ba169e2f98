"""Infidelity of an explanation (Yeh et al., 2019, https://arxiv.org/abs/1901.09392, definition 2.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution
from crosslens.result.scores import Scores

from ..perturbation._occlusion_windows import SHARE
from ._metric import Metric, fix_choices

CHANGES = ("squares", "noisy_baseline")


@dataclass(frozen=True, kw_only=True)
class Infidelity(Metric):
    """Judge a method by how well its values predict.

    Judge a method: how wrongly its values, taken as slopes, predict the target's fall when the image changes.

    mean over changes I of (<I, E> - (S(x) - S(x - I)))^2 (definition 2.1), and the same with E scaled by the best one
    number, which makes methods of different units comparable. "squares" fills a square at a random position with `fill`
    (section 2.3); "noisy_baseline" takes I = x - (fill + noise). A map (N, h, w) counts for each channel alike. Values
    that are contributions and no slopes (gradient x input, integrated gradients) must be divided by x - fill before.
    """

    name = "infidelity"
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(
            {"samples": 10, "change": "noisy_baseline"},
            doc="its perturb_func has no default; the series are its normalize=False and True",
        ),
    }
    example: ClassVar[Mapping[str, Any]] = {"samples": 6, "window": 3, "method": "gradient"}
    method: str | Method = param("gradient", "the method that is judged: its name, or in Python a configured method")
    change: str = param("squares", "what changes in the image", choices=CHANGES)
    window: int | None = param(
        None, "side of the squares, in pixels; a seventh of the shorter side if not given", minimum=1
    )
    noise: float = param(0.2, "deviation of the noise on the baseline, as a share of the images' range", minimum=0)
    fill: Fill = param("black", f"the square, or the baseline: {FILL_DOC}")
    samples: int = param(50, "changed images", minimum=1)
    seed: int = param(0, "of the draws; the same for each image", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """Infidelity of each image, in the target's unit squared, as it is and with E scaled, (N, 2, 1)."""
        self._check(images)
        functions, scores = target_functions(model, images, objective)
        slopes = _slopes(self.attribution(model, images, fix_choices(model, images, objective)), images)
        xp = namespace(images)
        values = [
            self._infidelities(function, scores[n], slopes[n, ...], progress) for n, function in enumerate(functions)
        ]
        return Scores(xp.stack(values)[:, :, None], series=("infidelity", "infidelity, scaled"))

    def _check(self, images: Array) -> None:
        shorter = min(images.shape[2:])
        if self.change == "squares" and self.window is not None and self.window > shorter:
            raise ParameterError(f"window is {self.window}; it must be at most {shorter}, the image's shorter side")

    def _infidelities(self, function: TargetFunction, score: Array, slopes: Array, progress: Progress) -> Array:
        """(2,) for one image with slopes (C, H, W)."""
        xp = namespace(slopes)
        rng = np.random.default_rng(self.seed)
        baseline = fill_image(self.fill, function.image, function.model, self.seed)
        predicted_falls, falls = [], []
        deviation = self.noise * function.model.input.range
        for start, stop in batch_ranges(function.model, self.samples, progress, "changing the image"):
            changes = xp.concat(
                [self._change(function.image, baseline, deviation, rng) for _ in range(stop - start)], axis=0
            )
            predicted_falls.append(xp.sum(changes * slopes[None, ...], axis=(1, 2, 3)))
            falls.append(score - function.scores(function.image - changes))
        predicted, true = xp.concat(predicted_falls), xp.concat(falls)
        power = xp.sum(predicted * predicted)
        best = xp.sum(predicted * true) / xp.where(power > 0, power, xp.ones_like(power))
        return xp.stack([xp.mean((predicted - true) ** 2), xp.mean((best * predicted - true) ** 2)])

    def _change(self, image: Array, baseline: Array, deviation: float, rng: np.random.Generator) -> Array:
        """I of one sample, (1, C, H, W)."""
        if self.change == "noisy_baseline":
            return image - baseline - like(rng.normal(0, deviation, tuple(image.shape)), image)
        side = self.window or max(round(min(image.shape[2:]) / SHARE), 1)
        top, left = (int(rng.integers(0, n - side + 1)) for n in image.shape[2:])
        square = np.zeros(tuple(image.shape[2:]), np.float32)
        square[top : top + side, left : left + side] = 1
        return like(square, image) * (image - baseline)


def _slopes(result: Attribution, images: Array) -> Array:
    """(N, C, H, W) of the images' shape."""
    if tuple(result.values.shape) == tuple(images.shape):
        return result.values
    return result.upsampled(images.shape[2:])[:, None, :, :] + namespace(images).zeros_like(images)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Infidelity]
