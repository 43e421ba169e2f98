"""Pictures through a method in batches; a picture that fails, and what is noted, are found out picture by picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..arrays import Array, as_numpy, namespace
from ..errors import CrosslensError, LayerError, ParameterError, PluginError, TargetError, UnsupportedOperators
from ..execution.batching import batch_limit
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress, silent
from ..image.loading import join_records, remember_loading
from ..model.base import OUTPUT, Model
from ..objective import ClassScore
from ..result import Result
from .job import PictureJob
from .picture_list import PictureFile

__all__ = ["BatchRunner", "Outcome", "explained_classes", "of_picture"]

_OF_THE_CALL = (LayerError, ParameterError, PluginError, TargetError, UnsupportedOperators)
"""Errors that no other picture mends."""


@dataclass(frozen=True)
class Outcome:
    """What became of one picture."""

    picture: PictureFile
    result: Result | None = None
    """Of this picture alone, N = 1; None where it failed."""
    explained: Mapping[str, Any] = field(default_factory=dict)
    """The class that was explained, see `explained_classes`."""
    error: str = ""
    """Why it failed."""


class BatchRunner:
    """Runs a job on one batch of pictures after the other.

    The results of a batch are those of its pictures one by one, to rounding. Notes count the images of a batch, so a
    batch with a note that was not seen before is run one by one as well, for the notes of each picture.
    """

    def __init__(self, job: PictureJob, count: int) -> None:
        """`count` is the number of pictures, for which the target may name a class each."""
        self.job = job
        self.objective = job.objective(count)
        self._common: set[str] = set()
        """Notes that are the same for a batch and for a picture alone."""
        self._works = False
        """Whether any picture came through."""
        self._errors: set[str] = set()
        """What went wrong before one did."""

    @property
    def size(self) -> int:
        """Pictures in a batch; one where the method takes one at a time, or sizes differ, or each has a target."""
        method = self.job.method
        alone = not method.batched or method.takes_any_size() or self.objective.count is not None
        return 1 if alone else batch_limit(self.job.model)

    def run(self, pictures: Sequence[PictureFile], first: int = 0, progress: Progress = silent) -> list[Outcome]:
        """What becomes of these pictures.

        Args:
            pictures: at most `size`, one batch.
            first: the index of the first of them among all.
            progress: told of the method's own steps.

        Raises:
            CrosslensError: what fails whatever the picture: a layer, a parameter, the target; or the first two pictures
                fail alike.
            KeyboardInterrupt: a signal came: nothing of this batch is finished, even where the method gave something.
        """
        with stop_on_signals() as received:
            read = [self._read(picture) for picture in pictures]
            images = {first + n: each for n, each in enumerate(read) if not isinstance(each, CrosslensError)}
            made = dict(zip(images, self._results(images, progress), strict=True))
            explained = dict(zip(images, self._explained(images), strict=True))
            if received:
                raise received[0]
        outcomes = []
        for index, (picture, each) in enumerate(zip(pictures, read, strict=True), start=first):
            result = made.get(index, each)
            if isinstance(result, CrosslensError):
                outcomes.append(Outcome(picture, error=str(result)))
            else:
                outcomes.append(Outcome(picture, replace(result, bands=self.job.bands), explained[index]))
        return outcomes

    def _read(self, picture: PictureFile) -> Any:
        """The picture (1, C, H, W), or why there is none."""
        try:
            return self.job.load(picture.path)
        except CrosslensError as error:
            return error

    def _results(self, images: Mapping[int, Array], progress: Progress) -> list[Result | CrosslensError]:
        """A result for each image, or why there is none; by the images' indices."""
        if len(images) < 2:
            return [self._alone(index, image, progress) for index, image in images.items()]
        try:
            batch = stacked(images.values())
            together: Result = self.job.method(self.job.model, batch, self.objective, progress=progress)
        except CrosslensError:
            return [self._alone(index, image, progress) for index, image in images.items()]
        self._works = True
        parts = [of_picture(together, n, len(images)) for n in range(len(images))]
        if set(together.notes) <= self._common:
            return list(parts)
        alone = [self._alone(index, image, progress) for index, image in images.items()]
        notes = [
            part.notes if isinstance(one, CrosslensError) else one.notes for part, one in zip(parts, alone, strict=True)
        ]
        self._common |= set(together.notes).intersection(*notes)
        return [replace(part, notes=each) for part, each in zip(parts, notes, strict=True)]

    def _alone(self, index: int, image: Array, progress: Progress) -> Result | CrosslensError:
        try:
            objective = self.objective.select(index, index + 1)
            result: Result = self.job.method(self.job.model, image, objective, progress=progress)
        except CrosslensError as error:
            if not self._works and (isinstance(error, _OF_THE_CALL) or str(error) in self._errors):
                raise
            self._errors.add(str(error))
            return error
        self._works = True
        return result

    def _explained(self, images: Mapping[int, Array]) -> list[Mapping[str, Any]]:
        """`explained_classes` of each image; images of one size go through the network together."""
        if not isinstance(self.objective, ClassScore) or not images:
            return [{} for _ in images]
        if len(images) > 1:
            return explained_classes(self.job.model, self.objective, stacked(images.values()))
        ((index, image),) = images.items()
        objective = self.objective.select(index, index + 1)
        assert isinstance(objective, ClassScore)
        return explained_classes(self.job.model, objective, image)


def stacked(images: Iterable[Array]) -> Array:
    """Images (1, C, H, W) as one batch."""
    several = list(images)
    batch = namespace(*several).concat(several, axis=0)
    remember_loading(batch, join_records(several))
    return batch


def of_picture(result: Result, index: int, count: int) -> Result:
    """The result of one of the `count` images of a batch, N = 1; its seconds are the share of one."""
    part = result[index]
    source = {name: value for name, value in part.provenance.items() if name != "selection"}
    return replace(part, provenance={**source, "seconds": round(source["seconds"] / count, 4)})


def explained_classes(model: Model, objective: ClassScore, images: Array) -> list[Mapping[str, Any]]:
    """Of each image the class that is explained: `class`, `label` (None without labels), and `probability` or `score`.

    Args:
        model: the network.
        objective: the target.
        images: (N, C, H, W), of which the model takes N at once.
    """
    activations = model.forward(images, {OUTPUT, *objective.layers})
    spec = model.output
    classes = as_numpy(objective.classes(activations)).tolist()
    names, values = spec.names(model.labels), spec.values(as_numpy(activations[OUTPUT]))
    unit = "probability" if spec.has_probabilities else "score"
    return [
        {"class": each, "label": names[each] if names else None, unit: float(values[n, each])}
        for n, each in enumerate(classes)
    ]
