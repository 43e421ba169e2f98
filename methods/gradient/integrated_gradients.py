"""Integrated gradients (Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.batching import batch_limit, slices
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.baselines import baselines
from crosslens.method.postprocess import absolute, channel_mean, channel_sum, eight_bits_of_the_batch
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._quadrature import RULES, Quadrature, quadrature

TOLERANCE = 0.05
"""The completeness gap, as a share of the score's difference, above which the result says so."""


@dataclass(frozen=True)
class PathAttribution(Attribution):
    """Values that should add up to the difference of the target between image and baseline."""

    gap: Array = field(default=None, kw_only=True)
    """What they miss it by: sum(values) - (S(x) - S(x')), (N,), in the target's unit; a mean over baselines."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "gap")


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(Method):
    """The gradient along the way from a baseline.

    The gradient gathered on the straight way from a baseline x' to the image, times the way: equation 1.

    (x - x') integral_0^1 dS/dx (x' + a (x - x')) da. The values add up to S(x) - S(x') (completeness, proposition 1);
    what the numerical integral misses is the result's `gap`. Gauss-Legendre with n steps is exact where the gradient
    along the way is a polynomial of degree 2 n - 1; "right" is the paper's equation 3; "mean" looks at both ends and
    counts each point alike. Values are averaged over several baselines.
    """

    name = "integrated_gradients"
    aliases: ClassVar[Mapping[str, str]] = {
        "ig": "",
        "integrated_gradient": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset({"rule": "gauss_legendre", "steps": 50}),
        "xplique": Preset({"rule": "trapezoid", "steps": 50}, (channel_mean,)),
        "pair": Preset({"rule": "mean", "steps": 25}, doc="both ends of the way count in full"),
        "tf-explain": Preset(
            {"rule": "mean", "steps": 10, "times_way": False},
            (absolute, channel_sum, eight_bits_of_the_batch),
            doc="bugs: not multiplied by the way, both ends in full, one standardisation for all images",
        ),
        "zennit": Preset({"rule": "right", "steps": 20}),
    }
    example: ClassVar[Mapping[str, Any]] = {"steps": 8}
    baseline: str | tuple[str, ...] | Any = param(
        "black", "where the way starts: black, white, grey, blurred, noise, a picture's file or an array; or several"
    )
    steps: int = param(50, "gradients along the way", minimum=1)
    rule: str = param("gauss_legendre", "how the integral is taken", choices=RULES)
    times_way: bool = param(True, "multiply by the way from the baseline; else the mean gradient, not complete")
    layer: str = param(
        INPUT, "layer to attribute to, from the baseline's activation to the image's; the image if not given"
    )
    seed: int = param(0, "of the baseline 'noise'", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        quadrature(self.rule, self.steps)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> PathAttribution:
        """Signed values of the shape of the image, or of the layer, in the target's unit."""
        rule = quadrature(self.rule, self.steps)
        xp = namespace(images)
        starts = [baselines(self.baseline, images[n : n + 1, ...], model, self.seed) for n in range(images.shape[0])]
        clean, *ends = _activations(model, [images, *starts], [self.layer, *objective.layers])
        functions, scores = target_functions(model, images, objective, self.layer, clean)
        results = [
            self._values(function, scores[n], end, rule, progress)
            for n, (function, end) in enumerate(zip(functions, ends, strict=True))
        ]
        values, gaps, differences = (xp.stack(parts) for parts in zip(*results, strict=True))
        return PathAttribution(values, scores=scores, gap=gaps, notes=self._note(gaps, differences))

    def _values(
        self, function: TargetFunction, score: Array, end: Mapping[str, Array], rule: Quadrature, progress: Progress
    ) -> tuple[Array, ...]:
        """Values, completeness gap and score difference of one image, averaged over the baselines' activations."""
        starts = end[function.layer]
        xp = namespace(starts)
        integrals = [self._integral(function, starts[m : m + 1, ...], rule, progress) for m in range(starts.shape[0])]
        values = xp.mean(xp.stack(integrals), axis=0)
        difference = score - xp.mean(function.objective.value(end))
        return values, xp.sum(values) - difference, difference

    def _integral(self, function: TargetFunction, start: Array, rule: Quadrature, progress: Progress) -> Array:
        """The integral from one baseline (1, ...), of the shape of the activation without the batch axis."""
        way, (points, weights) = function.activation - start, rule
        xp = namespace(way)
        total = xp.zeros_like(way[0, ...])
        for first, stop in batch_ranges(function.model, len(points), progress, "integrating gradients"):
            along = xp.reshape(like(points[first:stop], way), (-1, *[1] * (way.ndim - 1)))
            gradients = function.gradients(start + along * way)
            total = total + xp.tensordot(like(weights[first:stop], way), gradients, axes=1)
        return total * way[0, ...] if self.times_way else total

    def _note(self, gaps: Array, differences: Array) -> tuple[str, ...]:
        xp = namespace(gaps)
        wide = int(xp.sum(xp.astype(xp.abs(gaps) > TOLERANCE * xp.abs(differences), xp.int64)))
        if not wide or not self.times_way:
            return ()
        return (
            f"the values of {wide} of {gaps.shape[0]} images miss the score's difference from the baseline by more "
            f"than {TOLERANCE:.0%} (at most by {float(xp.max(xp.abs(gaps))):.3g}): raise steps, now {self.steps}",
        )


def _activations(model: Model, groups: Sequence[Array], layers: Sequence[str]) -> list[dict[str, Array]]:
    """The activations of each group of images (n, C, H, W), as few passes for all of them as memory allows."""
    xp = namespace(groups[0])
    images = xp.concat(list(groups))
    parts = [model.forward(images[a:b, ...], set(layers)) for a, b in slices(images.shape[0], batch_limit(model))]
    stops = np.cumsum([group.shape[0] for group in groups]).tolist()
    whole = {name: xp.concat([part[name] for part in parts]) for name in parts[0]}
    return [
        {name: values[stop - group.shape[0] : stop, ...] for name, values in whole.items()}
        for group, stop in zip(groups, stops, strict=True)
    ]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [IntegratedGradients]
