"""Sanity checks for saliency maps (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292, section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.comparison.metrics import agreement
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.progress import Progress, track
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result.scores import Scores

from ._metric import Metric, fix_choices
from ._ranks import round_ties

Values = np.ndarray[Any, Any]
STAGES = 8
"""Stages by default, if the network has as many layers with weights."""
SERIES = ("Spearman", "Spearman of magnitudes", "SSIM of magnitudes")


@dataclass(frozen=True, kw_only=True)
class SanityCheck(Metric):
    """Judge a method by redrawing the network's weights.

    Judge a method: are its maps still the same when the network's weights are redrawn? They must not be.

    Layers are redrawn from the output down, each stage on top of those before it (cascading), or alone. At each stage
    the maps, at image size, are compared with the trained network's: rank correlation of values and of magnitudes, and
    structural similarity of magnitudes scaled to 1. A method whose curves stay up shows the image, not the network.
    """

    name = "sanity_check"
    aliases: ClassVar[Mapping[str, str]] = {
        "sanity_checks": "",
        "model_parameter_randomization": "",
        "model_parameter_randomisation": "",
    }
    example: ClassVar[Mapping[str, Any]] = {"stages": 3}
    stages: int | None = param(
        None,
        "steps from the last layer to the first, of as many layers each; 0: layer by layer; up to 8 if not given",
        minimum=0,
    )
    independent: bool = param(False, "redraw the layers of one stage only, instead of all from the output down to it")
    seed: int = param(0, "of the weights", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """Similarities (N, 3, stages + 1): the trained network's own, which are 1, and those of each stage."""
        parts = list(_stages(model, self.stages))
        fixed = fix_choices(model, images, objective)
        trained = self._maps(model, images, fixed)
        similarities, empty = [_similarities(trained, trained)], 0
        for n in track(range(len(parts)), progress, "redrawing weights", total=len(parts)):
            layers = parts[n] if self.independent else [name for part in parts[: n + 1] for name in part]
            redrawn = self._maps(model.randomised(layers, self.seed), images, fixed)
            empty += not redrawn.any()
            similarities.append(_similarities(trained, redrawn))
        return Scores(
            like(np.stack(similarities, axis=2), images),
            series=SERIES,
            axis="redrawn: this layer's stage only"
            if self.independent
            else "redrawn: from the output down to this layer",
            positions=("trained", *(str(part[-1]) for part in parts)),
            notes=_notes(sum(map(len, parts)), empty, len(parts)),
        )

    def _maps(self, model: Model, images: Array, objective: Objective) -> Values:
        """(N, H, W)"""
        return as_numpy(self.attribution(model, images, objective).upsampled(images.shape[2:])).astype(np.float64)


def _notes(layers: int, empty: int, stages: int) -> tuple[str, ...]:
    """Notes on the weights that were drawn, and on maps of zeros, which cannot be compared."""
    own = (
        f"weights are drawn layer by layer, and this framework shows {layers} layers with weights: where another shows "
        "others, its redrawn networks and similarities are others too; compare several seeds (seed=)"
    )
    none = f"the maps of {empty} of {stages} redrawn networks are zero everywhere: their similarities say nothing"
    return (own, none) if empty else (own,)


def _stages(model: Model, count: int | None) -> Iterator[list[str]]:
    """Names of the layers with weights, from the last to the first, in `count` parts about as long as each other."""
    names = [name for name in reversed(list(model.layers)) if "#" not in name and model.weights(name)]
    if not names:
        raise ModelError("this network has no weights to redraw")
    count = min(STAGES, len(names)) if count is None else count
    if count > len(names):
        raise ParameterError(
            f"stages is {count}; this network has {len(names)} layers with weights, 0 takes each alone"
        )
    return (list(part) for part in np.array_split(names, count or len(names)))


def _similarities(a: Values, b: Values) -> Values:
    """(N, 3)"""
    pairs = zip(a, b, strict=True)
    return np.array([[_spearman(x, y), _spearman(abs(x), abs(y)), ssim(_unit(x), _unit(y))] for x, y in pairs])


def _spearman(a: Values, b: Values) -> float:
    return agreement(round_ties(a), round_ties(b))["rank_correlation"]


def _unit(values: Values) -> Values:
    return np.asarray(np.abs(values) / (np.abs(values).max() or 1.0))


def ssim(a: Values, b: Values) -> float:
    """Structural similarity of two pictures (H, W) with values from 0 to 1 (Wang et al., 2004), 1 if they are equal.

    Gaussian windows of deviation 1.5, cut off at 5 pixels, and means over the windows that lie within the picture; over
    all of them where it is smaller than a window. Agrees with skimage.metrics.structural_similarity(gaussian_weights=
    True, use_sample_covariance=False) to 1e-6 (tests/methods/evaluation/test_metrics.py).
    """
    from scipy.ndimage import gaussian_filter

    def local(values: Values) -> Values:
        return np.asarray(gaussian_filter(values, 1.5, truncate=3.5))

    c1, c2, border = 0.01**2, 0.03**2, 5
    ma, mb = local(a), local(b)
    covariance = local(a * b) - ma * mb
    variances = local(a * a) - ma**2 + local(b * b) - mb**2
    each = (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma**2 + mb**2 + c1) * (variances + c2))
    inner = each[border:-border, border:-border]
    return float((inner if inner.size else each).mean())


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [SanityCheck]
