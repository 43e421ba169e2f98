"""Expected gradients (Erion et al., 2021, https://arxiv.org/abs/1906.10670)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.baselines import NAMES, baselines, made_up_note
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class ExpectedGradients(Method):
    """Integrated gradients over many baselines.

    Integrated gradients averaged over a background of many baselines, by drawing baselines and points on the way.

    Equation 2 of the paper: the mean over x' from the background and a uniform in [0, 1] of
    (x - x') dS/dx (x' + a (x - x')). The values add up, in the mean of the draws, to S(x) less the mean of S over the
    background. The paper's background is the training data: give images (M, C, H, W).
    """

    name = "expected_gradients"
    aliases: ClassVar[Mapping[str, str]] = {
        "gradient_shap": "captum's GradientShap takes 5 samples (preset='captum'), with noise where stdevs= is given",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset({"samples": 5}, doc="its GradientShap; it has no default background"),
    }
    example: ClassVar[Mapping[str, Any]] = {"samples": 8}
    background: str | tuple[str, ...] | Any = param(
        NAMES, "baselines to draw from: images (M, C, H, W), names or pictures' files"
    )
    samples: int = param(200, "draws for each image", minimum=1)
    layer: str = param(INPUT, "layer to attribute to; the image if not given")
    seed: int = param(0, "of the draws; each image gets the same", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image, or of the layer, in the target's unit."""
        functions, scores = target_functions(model, images, objective, self.layer)
        values = namespace(images).stack([self._values(function, progress) for function in functions])
        return Attribution(values, scores=scores, notes=made_up_note(self.background))

    def _values(self, function: TargetFunction, progress: Progress) -> Array:
        """The mean over the draws for one image, of the shape of its activation without the batch axis."""
        background = function.at_layer(baselines(self.background, function.image, function.model, self.seed))
        rng, x = np.random.default_rng(self.seed), function.activation
        drawn, shares = rng.integers(background.shape[0], size=self.samples), rng.random(self.samples)
        xp = namespace(x)
        total = xp.zeros_like(x[0, ...])
        for first, stop in batch_ranges(function.model, self.samples, progress, "drawing from the background"):
            starts = xp.stack([background[int(m), ...] for m in drawn[first:stop]])
            along = xp.reshape(like(shares[first:stop], x), (-1, *[1] * (x.ndim - 1)))
            way = x - starts
            total = total + xp.sum(way * function.gradients(starts + along * way), axis=0)
        return total / self.samples


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ExpectedGradients]
