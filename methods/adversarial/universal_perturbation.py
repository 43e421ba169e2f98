"""Universal adversarial perturbations (Moosavi-Dezfooli et al., 2017, https://arxiv.org/abs/1610.08401)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy, like, namespace
from crosslens.attack import Ball, BallOptions
from crosslens.attack.ball import refuse_wide
from crosslens.attack.universal_result import HELD_OUT, NOISE, TRAINING, UniversalResult
from crosslens.data import Source, State, Statistic
from crosslens.errors import ImageError, TargetError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod, param
from crosslens.method.unit_range import in_unit_range
from crosslens.model import Model
from crosslens.objective.class_score import ClassScore
from crosslens.objective.target import resolve_target
from crosslens.plugins.hookspecs import hookimpl

from ._held_out_pictures import Known, PictureMarks, Pictures, aim_at, split, without_class
from ._universal_training import Crowd, Judged, trained

__all__ = ["UniversalPerturbation"]

States = Mapping[Statistic, State]
EXAMPLES = 9
FIRST_STEP, LEAST_PATH = 0.3, 2.0
"""In radii: length of the first step; it is longer where there are few, so that together they are about so long."""


@dataclass(frozen=True, kw_only=True)
class UniversalPerturbation(BallOptions, DatasetMethod):
    """One perturbation that fools many pictures.

    Added to any picture of the data and cut off at its bounds, it is to change the network's prediction. It is made by
    stochastic steps along the mean loss of a batch, as Shafahi et al. (2020, https://arxiv.org/abs/1811.11304) make
    it, within the ball around zero, and judged in pictures that took no part, beside random noise of the same norm.
    """

    name = "universal_perturbation"
    aliases: ClassVar[Mapping[str, str]] = {
        "universal_adversarial_perturbation": "",
        "uap": "that of 2017 adds up DeepFool's perturbations; here are steps along the mean gradient",
        "universal_perturbations": "ART's name",
    }
    example: ClassVar[Mapping[str, Any]] = {"eps": 0.3, "passes": 2, "batch": 4}
    eps: float = param(10 / 255, "largest norm of the perturbation, in the unit of images in [0, 1]", minimum=0)
    towards: int | str | None = param(
        None, "class that all pictures are to have, a number or a label; any if not given"
    )
    passes: int = param(10, "over all pictures of the training", minimum=1)
    batch: int = param(32, "pictures at each step, at most", minimum=1)
    step_size: float | None = param(None, "length of the first step; 0.3 eps if not given, more of few steps", above=0)
    held_out: float = param(0.4, "share of the pictures that it is judged on, not trained on", above=0, below=1)
    seed: int = param(0, "of the pictures held out, of the order in training, and of the noise", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        refuse_wide(self.eps, self.norm)

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        marks = self._marks(model)
        return [] if marks in (gathered or {}) else [marks]

    def _marks(self, model: Model) -> PictureMarks:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"{self.name} is for networks of pictures (C, H, W), not {model.input.shape}")
        wanted = -1
        if self.towards is not None:
            objective = resolve_target(self.towards, model, 1)
            if not isinstance(objective, ClassScore) or not isinstance(objective.target, int):
                raise TargetError(f"towards is {self.towards!r}, and it is a class: give its number or its label")
            wanted = objective.target
        aim_at(model.output, wanted, 1)  # refuses networks without classes
        return PictureMarks(model.output, wanted)

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> UniversalResult:
        marks, view = self._marks(model), in_unit_range(model)
        known, notes = self._known(gathered[marks])
        classes = np.full(len(source), -1)
        classes[known.index] = known.classes
        crowd = Crowd(view, Pictures(view, model, source), classes, None if marks.towards < 0 else marks.towards)
        known, more = crowd.with_a_class(known, progress)
        held = split(known.digests, self.held_out, self.seed)
        training, judged = known.index[~held], known.index[held]
        training = training[np.argsort(known.digests[~held], kind="stable")]
        zero = namespace(crowd.batch(training[:1])).zeros_like(crowd.batch(training[:1]))
        region = Ball(self.norm, self.eps).around(zero, None)
        first = self._first_step(len(training))
        found, history, taken = trained(crowd, training, region, self.passes, self.batch, first, self.seed, progress)
        if taken < (asked := self._steps(len(training))):
            notes = (*notes, f"the training was interrupted after {taken} of {asked} steps")
        noise = region.furthest(like(np.random.default_rng([self.seed, 2]).standard_normal(zero.shape), zero))
        said = crowd.judged(judged, found, progress, HELD_OUT)
        beside = crowd.judged(training, found, progress, TRAINING)
        random = crowd.judged(judged, noise, progress, NOISE)
        result = UniversalResult(
            images=model.input.from_unit(_as_picture(as_numpy(found))),
            history=history,
            perturbation=as_numpy(found),
            norm=self.norm,
            towards=marks.towards,
            examples=model.input.from_unit(as_numpy(crowd.batch(judged[:EXAMPLES]))),
            labels=tuple(model.output.names(model.labels)),
            **_of_pictures(source, classes, (judged, said), (training, beside), random.success),
        )
        return replace(result, notes=(*notes, *more, *result.comparison_with_noise()))

    def _first_step(self, pictures: int) -> float:
        """Its length, in the norm."""
        if self.step_size is not None:
            return self.step_size
        return max(FIRST_STEP, 2 * LEAST_PATH / (self._steps(pictures) + 1)) * self.eps

    def _steps(self, pictures: int) -> int:
        return self.passes * -(-pictures // self.batch)

    def _known(self, state: State) -> tuple[Known, tuple[str, ...]]:
        """The pictures to train and to judge on; without those of the class wanted."""
        if self.towards is not None:
            return without_class(state)
        rows = state["rows"][state["index"]]
        return Known(state["index"], rows[:, 0], rows[:, 1]), ()


def _as_picture(perturbation: Any) -> Any:
    """On mid-grey, as large as fits into [0, 1]."""
    largest = float(abs(perturbation).max())
    return (0.5 + perturbation * (0.5 / largest if largest else 1.0)).astype(np.float32)


def _of_pictures(
    source: Source, classes: Any, held: tuple[Any, Judged], training: tuple[Any, Judged], noise: Any
) -> dict[str, Any]:
    """What `UniversalResult` holds of each picture, those held out first."""
    rows, judged = np.concatenate([held[0], training[0]]), (held[1], training[1])
    return {
        "ids": tuple(source.ids[row] for row in rows),
        "held_out": np.arange(len(rows)) < len(held[0]),
        "before": classes[rows],
        "after": np.concatenate([each.classes for each in judged]),
        "confidence": np.concatenate([each.confidence for each in judged]),
        "success": np.concatenate([each.success for each in judged]),
        "noise_success": np.concatenate([noise, np.zeros(len(training[0]), bool)]),
    }


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """This module's method."""
    return [UniversalPerturbation]
