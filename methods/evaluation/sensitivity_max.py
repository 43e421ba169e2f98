"""Max-sensitivity of an explanation (Yeh et al., 2019, https://arxiv.org/abs/1901.09392, definition 3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.method.target_function import batch_ranges
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result.scores import Scores

from ._metric import Metric, euclidean_length, fix_choices


@dataclass(frozen=True, kw_only=True)
class SensitivityMax(Metric):
    """Judge a method by changing the image a little.

    Judge a method: how much its values change when the image changes a little; low is good.

    max |E(y) - E(x)| over `samples` images y drawn uniformly from the cube |y - x| <= radius, Euclidean length over all
    values, as it is and as a share of |E(x)|. A predicted class stays that of x. More samples can only raise it.
    """

    name = "sensitivity_max"
    aliases: ClassVar[Mapping[str, str]] = {
        "max_sensitivity": "",
    }
    presets: ClassVar[Mapping[str, Preset]] = {"captum": Preset(doc="it gives the second series, the share")}
    example: ClassVar[Mapping[str, Any]] = {"samples": 3}
    radius: float = param(0.02, "largest change of a pixel, as a share of the images' range (1 for [0, 1])", above=0)
    samples: int = param(10, "changed images", minimum=1)
    seed: int = param(0, "of the draws; the same for each image", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """The largest change of each image's values, and it as a share of their length, (N, 2, 1)."""
        fixed = fix_choices(model, images, objective)
        values = self.attribution(model, images, fixed).values
        largest_changes = [
            self._largest(model, images[n : n + 1, ...], fixed.select(n, n + 1), values[n : n + 1, ...], progress)
            for n in range(images.shape[0])
        ]
        xp = namespace(images)
        largest, size = xp.concat(largest_changes), euclidean_length(values)
        share = largest / xp.where(size > 0, size, xp.ones_like(size))
        series = ("largest change", "as a share")
        return Scores(xp.stack([largest, share], axis=1)[:, :, None], series=series, notes=_note(size))

    def _largest(self, model: Model, image: Array, objective: Objective, values: Array, progress: Progress) -> Array:
        """(1,)"""
        xp = namespace(image)
        rng = np.random.default_rng(self.seed)
        changes = []
        for start, stop in batch_ranges(model, self.samples, progress, "changing the image"):
            radius = self.radius * model.input.range
            noise = rng.uniform(-radius, radius, (stop - start, *image.shape[1:]))
            changed = self.attribution(model, image + like(noise, image), objective).values
            changes.append(euclidean_length(changed - values))
        return xp.max(xp.concat(changes), keepdims=True)


def _note(size: Array) -> tuple[str, ...]:
    empty = int(namespace(size).sum(namespace(size).astype(size == 0, namespace(size).int64)))
    return (f"{empty} of {size.shape[0]} images have values of zero only: no share of them can be given",) * bool(empty)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [SensitivityMax]
