"""Pictures through a method in batches; a picture that fails, and what is noted, are found out picture by picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..arrays import Array, as_numpy, namespace
from ..errors import CrosslensError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress, silent
from ..image.loading import join_records, remember_loading
from ..model.base import OUTPUT, Model
from ..objective import ClassScore
from ..result import Result
from .job import PictureJob
from .picture_list import PictureFile

__all__ = ["BatchRunner", "Outcome", "explained_classes", "of_picture"]


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
    raised: CrosslensError | None = None
    """What the method raised of it; None of a picture that came through, or could not be read."""
    record: Mapping[str, Any] | None = None
    """Its line of the index, without settings, where its outputs are written already; then there is no result."""


class BatchRunner:
    """Runs a job on batches of pictures, in any order: what becomes of a batch does not depend on those before it.

    The results of a batch are those of its pictures one by one, to rounding. Notes count the images of a batch, so a
    batch with a note that the first batch and each of its pictures do not all have is run one by one as well, for the
    notes of each picture.
    """

    def __init__(self, job: PictureJob, pictures: Sequence[PictureFile]) -> None:
        """`pictures` are all of them, for which the target may name a class each."""
        self.job, self.pictures = job, pictures
        self.objective = job.objective(len(pictures))
        self._common: frozenset[str] | None = None
        """Notes that are the same for the first batch and each of its pictures alone."""

    @property
    def size(self) -> int:
        """Pictures in a batch; one where the method takes one at a time, or sizes differ, or each has a target."""
        method = self.job.method
        alone = not method.batched or method.takes_any_size() or self.objective.count is not None
        return 1 if alone else method.images_at_once(self.job.model)

    def run(self, batch: range, progress: Progress = silent) -> list[Outcome]:
        """What becomes of these pictures.

        Args:
            batch: their indices among all, at most `size`.
            progress: told of the method's own steps.

        Raises:
            KeyboardInterrupt: a signal came: nothing of this batch is finished, even where the method gave something.
        """
        with stop_on_signals() as received:
            read = {index: self._read(self.pictures[index]) for index in batch}
            images = {index: each for index, each in read.items() if not isinstance(each, CrosslensError)}
            made = dict(zip(images, self._results(images, batch.start == 0, progress), strict=True))
            explained = dict(zip(images, self._explained(images), strict=True))
            if received:
                raise received[0]
        outcomes = []
        for index, each in read.items():
            picture, result = self.pictures[index], made.get(index, each)
            if isinstance(result, CrosslensError):
                raised = result if index in made else None
                outcomes.append(Outcome(picture, error=str(result), raised=raised))
            else:
                outcomes.append(Outcome(picture, replace(result, bands=self.job.bands), explained[index]))
        return outcomes

    def _read(self, picture: PictureFile) -> Any:
        """The picture (1, C, H, W), or why there is none."""
        try:
            return self.job.load(picture.path)
        except CrosslensError as error:
            return error

    def _results(self, images: Mapping[int, Array], first: bool, progress: Progress) -> list[Result | CrosslensError]:
        """A result for each image, by its index, or why there is none; `first` says whether it is the first batch."""
        if len(images) < 2:
            return [self._alone(index, image, progress) for index, image in images.items()]
        try:
            batch = stacked(images.values())
            together: Result = self.job.method(self.job.model, batch, self.objective, progress=progress)
        except CrosslensError:
            return [self._alone(index, image, progress) for index, image in images.items()]
        parts = [of_picture(together, n, len(images)) for n in range(len(images))]
        if (
            together.notes_of_each
            or not together.notes
            or (not first and self._common_notes().issuperset(together.notes))
        ):
            return list(parts)
        alone = [self._alone(index, image, progress) for index, image in images.items()]
        notes = [
            part.notes if isinstance(one, CrosslensError) else one.notes for part, one in zip(parts, alone, strict=True)
        ]
        if first:
            self._common = frozenset(together.notes).intersection(*notes)
        return [replace(part, notes=each) for part, each in zip(parts, notes, strict=True)]

    def _common_notes(self) -> frozenset[str]:
        if self._common is None:
            self._common = frozenset()
            self.run(range(min(self.size, len(self.pictures))))
        return self._common

    def _alone(self, index: int, image: Array, progress: Progress) -> Result | CrosslensError:
        try:
            objective = self.objective.select(index, index + 1)
            result: Result = self.job.method(self.job.model, image, objective, progress=progress)
        except CrosslensError as error:
            return error
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
