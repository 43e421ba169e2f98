"""Adversarial patches (Brown et al. 2017, https://arxiv.org/abs/1712.09665)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.attack.patch.patch_result import GREY, HELD_OUT, NOISE, TRAINING, PatchResult
from crosslens.attack.patch.trials import Trials
from crosslens.data import Source, State, Statistic
from crosslens.errors import ImageError, TargetError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod, param
from crosslens.method.unit_range import in_unit_range
from crosslens.model import Model
from crosslens.objective.class_score import ClassScore
from crosslens.objective.target import resolve_target
from crosslens.optim.adam import Adam
from crosslens.optim.loop import long_run
from crosslens.plugins.hookspecs import hookimpl

from ._held_out_pictures import PictureMarks, Pictures, aim_at, held_out, without_class
from ._patch_parameters import PatchTraining, PlacementOptions
from ._patch_trials import PatchLoss, Place, confidence, tried

__all__ = ["AdversarialPatch"]

Numbers = np.ndarray[Any, Any]
States = Mapping[Statistic, State]
FEWER = 10
"""Placements of a picture with other patches, and in pictures of the training, at most."""
EXAMPLES = 6


@dataclass(frozen=True, kw_only=True)
class AdversarialPatch(PlacementOptions, PatchTraining, DatasetMethod):
    """A patch that makes pictures look like a class.

    Trained to raise the log-probability of the class in expectation over pictures, places, turns and scales (equation 1
    of the paper), with pixels in [0, 1]; then judged in pictures that took no part, each at placements of its own. The
    interval of the rate is over pictures, whose placements are not independent of each other. Pictures that are of
    the class without a patch are left out.
    """

    name = "adversarial_patch"
    example: ClassVar[Mapping[str, Any]] = {
        "towards": 1, "steps": 2, "batch": 2, "placements": 3, "learning_rate": 0.01
    }  # fmt: skip

    towards: int | str = param(doc="class that pictures with the patch are to be seen as, a number or a label")
    held_out: float = param(0.4, "share of the pictures that the patch is judged on, not trained on", above=0, below=1)
    placements: int = param(50, "placements in each picture that it is judged on", minimum=1)

    def check_parameters(self) -> None:
        super().check_parameters()
        self.placing()

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        marks = self._marks(model)
        if marks in (gathered or {}):
            return []
        if None not in model.input.shape:  # refused before the pass over the data
            self.placing().check(model.input.size)
            self.first_patch(model, self.placing().side(model.input.size))
        return [marks]

    def _marks(self, model: Model) -> PictureMarks:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"adversarial_patch is for networks of pictures (C, H, W), not {model.input.shape}")
        try:
            objective = resolve_target(self.towards, model, 1)
        except TargetError as error:
            raise TargetError(f"towards: {error}") from error
        if not isinstance(objective, ClassScore) or not isinstance(objective.target, int):
            raise TargetError(f"towards is {self.towards!r}, and a patch is for a class: give its number or its label")
        aim_at(model.output, objective.target, 1)  # refuses networks without classes
        return PictureMarks(model.output, objective.target)

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> PatchResult:
        marks, view = self._marks(model), in_unit_range(model)
        known, notes = without_class(gathered[marks])
        pictures = Pictures(view, model, source)
        height, width = pictures(int(known.index[0])).shape[2:]
        placing = self.placing()
        placing.check((height, width))
        place = Place(view, pictures, marks.towards, placing, (height, width))
        start, trained_on = self.first_patch(model, placing.side((height, width)))
        held = held_out(known.digests, self.held_out if self.steps else None, trained_on, self.seed)
        training, judged = known.index[~held] if self.steps else known.index[:0], known.index[held]
        patch, history, more = self._trained(place, training, view.placed(start), progress)
        trials = self._trials(place, training, judged, patch, progress)
        shown = np.linspace(0, len(judged) - 1, min(EXAMPLES, len(judged))).astype(int)
        examples = [as_numpy(place.batch([row])) for row in judged[shown]]
        seen = known.digests[~held] if self.steps else known.digests[:0]
        return PatchResult(
            images=model.input.from_unit(as_numpy(patch)),
            history=history,
            shape=self.shape,
            area=self.area,
            scale=self.scale,
            rotation=self.rotation,
            towards=marks.towards,
            trials={name: each.arrays() for name, each in trials.items()},
            held_out=tuple(source.ids[row] for row in judged),
            before=known.classes[held],
            trained_on=np.union1d(seen, seen if trained_on is None else trained_on),
            examples=model.input.from_unit(np.concatenate(examples)),
            example_rows=shown,
            example_confidence=np.array([confidence(view, x) for x in examples]),
            labels=tuple(model.output.names(model.labels)),
            notes=(*notes, *more),
        )

    def _trained(
        self, place: Place, training: Numbers, start: Array, progress: Progress
    ) -> tuple[Array, Numbers | None, tuple[str, ...]]:
        """The patch, the loss of each step, and a note where it was interrupted."""
        if not self.steps:
            return start, None, ()
        loss = PatchLoss(place, training, self.batch, self.seed, self.printable, self.smooth)
        adam = Adam(self.learning_rate, bounds=(0.0, 1.0))
        run = long_run(loss, start, self.steps, optimiser=adam, progress=progress)
        note = f"the training was interrupted after {run.state.step} of {self.steps} steps"
        return run.parameters, as_numpy(run.history)[:, 0], (note,) * run.interrupted

    def _trials(
        self, place: Place, training: Numbers, judged: Numbers, patch: Array, progress: Progress
    ) -> Mapping[str, Trials]:
        """Of the patch in pictures held out and in as many of the training; of a grey patch and of one of noise."""
        few = min(FEWER, self.placements)
        grey = namespace(patch).full_like(patch, 0.5)
        noise = like(np.random.default_rng([self.seed, 4]).random(patch.shape), patch)
        asked = {
            HELD_OUT: (judged, patch, self.placements),
            TRAINING: (training[: len(judged)], patch, few),
            GREY: (judged, grey, few),
            NOISE: (judged, noise, few),
        }
        return {
            what: tried(place, rows, each, count, self.seed, progress, what)
            for what, (rows, each, count) in asked.items()
            if len(rows)
        }


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """This module's method."""
    return [AdversarialPatch]
