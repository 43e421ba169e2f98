"""The base of deletion and insertion: pixels change in the order of an explanation, and the target is followed."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.result.scores import Scores

from ._metric import UNITS, Metric, class_probability, fix_choices
from ._ranks import ranks

PORTIONS = ("even", "whole")


@dataclass(frozen=True, kw_only=True)
class PixelCurve(Metric):
    """The target's value at each step from one image to another, the most important pixels first."""

    example: ClassVar[Mapping[str, Any]] = {"steps": 6}
    verb: ClassVar[str]
    presets: ClassVar[Mapping[str, Preset]] = {
        "xplique": Preset({"steps": 10, "fill": "black", "unit": "target"}),
        "torchcam": Preset(
            {"steps": 20, "fill": "black", "unit": "target", "portions": "whole"},
            doc="DeletionInsertionMetric, which gives the area under the curve",
        ),
    }
    fill: Fill
    steps: int = param(50, "steps from the one image to the other, of about as many pixels each", minimum=1)
    magnitude: bool = param(False, "order by magnitude, for signed values whose sign says nothing of importance")
    unit: str = param("probability", "what of a class is followed: its probability, or the target", choices=UNITS)
    portions: str = param(
        "even",
        "pixels of a step: as even as they come, or rounded up, so that the last step has fewer",
        choices=PORTIONS,
    )
    seed: int = param(0, "of the fill 'noise'", minimum=0)

    @abstractmethod
    def ends(self, image: Array, fill: Array) -> tuple[Array, Array]:
        """The image to begin with and the one to end with, (1, C, H, W) each."""

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """One curve for each image, (N, 1, steps + 1): the target's value against the share of pixels changed."""
        pixels = images.shape[2] * images.shape[3]
        if self.steps > pixels:
            raise ParameterError(f"steps is {self.steps}; it must be at most the number of pixels, {pixels}")
        fixed = fix_choices(model, images, objective)
        result = self.attribution(model, images, fixed)
        maps = result.upsampled(images.shape[2:])
        maps = namespace(maps).abs(maps) if self.magnitude else maps
        functions, _ = target_functions(
            model, images, class_probability(fixed) if self.unit == "probability" else fixed
        )
        counts = self._counts(pixels)
        curves = [self._curve(function, maps[n, ...], counts, progress) for n, function in enumerate(functions)]
        return Scores(
            namespace(images).stack(curves)[:, None, :],
            series=(str(functions[0].objective).partition("(")[0],),
            axis=f"share of pixels {self.verb}",
            positions=tuple(float(c) / pixels for c in counts),
            notes=result.notes,
        )

    def _counts(self, pixels: int) -> np.ndarray[Any, Any]:
        """How many pixels have changed at each point of the curve, from 0 to all."""
        if self.portions == "whole":
            return np.asarray([*range(0, pixels, -(-pixels // self.steps)), pixels])
        return np.linspace(0, pixels, self.steps + 1).astype(int)

    def _curve(self, function: TargetFunction, importance: Array, counts: Array, progress: Progress) -> Array:
        """The target's value where so many pixels have changed."""
        before, after = self.ends(function.image, fill_image(self.fill, function.image, function.model, self.seed))
        order = ranks(importance)
        scores = []
        for start, stop in batch_ranges(function.model, len(counts), progress, f"pixels {self.verb}"):
            changed = like(order[None] < counts[start:stop, None, None], function.image)[:, None, :, :]
            scores.append(function.scores(changed * after + (1 - changed) * before))
        return namespace(function.image).concat(scores)


FILL = f"what is shown where a pixel is missing: {FILL_DOC}"
