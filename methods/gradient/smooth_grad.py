"""SmoothGrad (Smilkov et al., 2017, https://arxiv.org/abs/1706.03825) and its relatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import channel_max, channel_mean, unit_range
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

STATISTICS = ("mean", "square", "variance", "sample_variance", "magnitude", "magnitude_variance")


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(Method):
    """The gradient averaged over noisy copies.

    The gradient averaged over noisy copies of the image: mean of dS/dx (x + n), n normal.

    `statistic` is the paper's "mean"; "square", the mean of squares (SmoothGrad-Squared, Hooker et al. 2019);
    "variance" around the mean (VarGrad, Adebayo et al. 2018), "sample_variance" over one sample fewer; or "magnitude",
    the mean of absolute values, and "magnitude_variance" theirs. The deviation of the noise is `noise` times each
    image's range, max - min, as in the paper, or `noise` itself if not `relative`.
    """

    name = "smooth_grad"
    aliases: ClassVar[Mapping[str, str]] = {
        "smooth_gradient": "",
        "smooth_gradients": "",
        "noise_tunnel": "the signed mean over noisy copies; captum's NoiseTunnel over Saliency is preset='captum'",
        "var_grad": "SmoothGrad unless told: statistic='variance' gives VarGrad",
        "square_grad": "SmoothGrad unless told: statistic='square' gives its squares",
        "smooth_grad_squared": "SmoothGrad unless told: statistic='square' gives its squares",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(
            {"samples": 5, "noise": 1.0, "relative": False, "statistic": "magnitude"}, doc="NoiseTunnel over Saliency"
        ),
        "captum-smoothgrad_sq": Preset(
            {"samples": 5, "noise": 1.0, "relative": False, "statistic": "square"}, doc="nt_type='smoothgrad_sq'"
        ),
        "captum-vargrad": Preset(
            {"samples": 5, "noise": 1.0, "relative": False, "statistic": "magnitude_variance"}, doc="nt_type='vargrad'"
        ),
        "tf-keras-vis": Preset(
            {"noise": 0.2, "statistic": "magnitude"},
            (channel_max, unit_range(1e-7)),
            doc="its own default takes no sample: give samples",
        ),
        "xplique": Preset({"noise": 0.2, "relative": False}, (channel_mean,)),
        "xplique-squaregrad": Preset({"noise": 0.2, "relative": False, "statistic": "square"}, (channel_mean,)),
        "xplique-vargrad": Preset({"noise": 0.2, "relative": False, "statistic": "sample_variance"}, (channel_mean,)),
        "pair": Preset({"samples": 25, "noise": 0.15, "statistic": "square"}),
        "zennit": Preset({"samples": 20, "noise": 0.1, "clean_last": True}),
    }
    example: ClassVar[Mapping[str, Any]] = {"samples": 5}
    samples: int = param(50, "noisy copies of each image", minimum=1)
    noise: float = param(
        0.15, "deviation of the noise: a share of the image's range, or an amount in its unit", minimum=0
    )
    relative: bool = param(True, "take the noise as a share of each image's range")
    statistic: str = param("mean", "statistic of the gradients", choices=STATISTICS)
    clean_last: bool = param(False, "the last copy is the image itself, without noise")
    layer: str = param(INPUT, "layer whose activation is made noisy; the image if not given")
    seed: int = param(0, "of the noise; each image gets the same draws", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.statistic == "sample_variance" and self.samples < 2:
            raise ParameterError(f"samples is {self.samples}; statistic='sample_variance' needs at least 2")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Values of the shape of the image, or of the layer."""
        functions, scores = target_functions(model, images, objective, self.layer)
        values = namespace(images).stack([self._values(function, progress) for function in functions])
        return Attribution(values, scores=scores)

    def _values(self, function: TargetFunction, progress: Progress) -> Array:
        """The statistic for one image, of the shape of its activation without the batch axis."""
        needs_variance = self.statistic not in {"mean", "magnitude"}
        x, rng, moments = function.activation, np.random.default_rng(self.seed), Moments(needs_variance)
        xp = namespace(x)
        deviation = self.noise * (float(xp.max(x) - xp.min(x)) if self.relative else 1.0)
        for start, stop in batch_ranges(function.model, self.samples, progress, "averaging noisy gradients"):
            noise = rng.standard_normal((stop - start, *x.shape[1:]), dtype=np.float32)
            if self.clean_last:
                noise[self.samples - 1 - start :] = 0
            gradients = function.gradients(x + deviation * like(noise, x))
            moments.add(xp.abs(gradients) if "magnitude" in self.statistic else gradients)
        if self.statistic == "square":
            return moments.variance + moments.mean**2
        if self.statistic == "sample_variance":
            return moments.variance * (self.samples / (self.samples - 1))
        return moments.variance if "variance" in self.statistic else moments.mean


class Moments:
    """Mean and variance (over n) of a stream of batches, no item kept: Chan, Golub and LeVeque 1983, equation 2.1."""

    def __init__(self, with_variance: bool = True) -> None:
        """Without it there is no variance, which saves most of the work."""
        self._with_variance = with_variance
        self.count, self.mean, self._squares = 0, 0.0, 0.0  # type: tuple[int, Any, Any]

    def add(self, batch: Array) -> None:
        """Take in a batch (B, ...)."""
        xp = namespace(batch)
        mean = xp.mean(batch, axis=0)
        difference, total = mean - self.mean, self.count + batch.shape[0]
        if self._with_variance:
            between = difference**2 * (self.count * batch.shape[0] / total)
            self._squares = self._squares + xp.sum((batch - mean[None, ...]) ** 2, axis=0) + between
        self.mean = self.mean + difference * (batch.shape[0] / total)
        self.count = total

    @property
    def variance(self) -> Array:
        """The mean squared distance to the mean."""
        return self._squares / self.count


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [SmoothGrad]
