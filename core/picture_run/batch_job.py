"""Batches of pictures as work for executors."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..arrays import as_numpy
from ..execution.executor import Job
from ..execution.progress import Progress, silent
from ..execution.threads import computes_with
from ..result import Attribution
from ..result.formats import PICTURES
from .batches import BatchRunner, Outcome
from .job import PictureJob
from .picture_list import PictureFile

__all__ = ["BatchJob", "PictureBatch", "Writer", "record_of"]


@dataclass(frozen=True)
class PictureBatch:
    """Consecutive pictures."""

    pictures: range
    """Indices among all."""
    wanted: frozenset[int]
    """Those of them that are not finished yet: a batch is computed whole, so that values keep their last bits."""

    def __str__(self) -> str:
        return f"pictures {self.pictures.start} to {self.pictures.stop - 1}"


@dataclass(frozen=True)
class Writer:
    """Writes the outputs of pictures into a folder."""

    folder: Path
    formats: tuple[str, ...]
    form: str | None = None

    def names(self, picture: PictureFile) -> list[str]:
        """The outputs of a picture, in the folder."""
        return [f"{picture.name}.{each}" for each in self.formats]

    def write(self, outcome: Outcome) -> dict[str, Any]:
        """Write its outputs, none of a picture that failed; its line of the index, without settings."""
        names = self.names(outcome.picture) if outcome.result is not None else []
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            outcome.result.save(path, self.form if path.suffix in PICTURES else None)  # type: ignore[union-attr]
        return {**record_of(outcome), "outputs": names}


@dataclass(frozen=True)
class BatchJob(Job[PictureBatch, list[tuple[int, Outcome]]]):
    """What a worker does with a batch: what becomes of each picture that is wanted, by its index."""

    job: PictureJob
    pictures: Sequence[PictureFile]
    threads: int | None = None
    writer: Writer | None = None
    """Writes outputs where they are computed; then they do not travel."""
    progress: Progress = silent
    """Told of the method's own steps; for this process only."""

    @contextmanager
    def open(self) -> Iterator[Callable[[PictureBatch], list[tuple[int, Outcome]]]]:
        with computes_with(self.job.model, self.threads):
            runner = BatchRunner(self.job, self.pictures)
            yield lambda batch: self._run(runner, batch)

    def _run(self, runner: BatchRunner, batch: PictureBatch) -> list[tuple[int, Outcome]]:
        made = zip(batch.pictures, runner.run(batch.pictures, self.progress), strict=True)
        return [(n, self._written(outcome)) for n, outcome in made if n in batch.wanted]

    def _written(self, outcome: Outcome) -> Outcome:
        if self.writer is None:
            return outcome
        return replace(outcome, result=None, record=self.writer.write(outcome))


def record_of(outcome: Outcome) -> dict[str, Any]:
    """The line of an index, without outputs and settings."""
    picture, result = outcome.picture, outcome.result
    record: dict[str, Any] = {"file": str(picture.path), "name": picture.name}
    record |= {} if picture.folder is None else {"folder": picture.folder}
    if result is None:
        return {**record, "error": outcome.error, "picture": picture.digest()}
    record |= outcome.explained
    if isinstance(result, Attribution) and result.scores is not None and "score" not in record:
        record["score"] = float(as_numpy(result.scores)[0])
    record |= (
        {"objective": result.provenance["objective"]}
        if not outcome.explained and "objective" in result.provenance
        else {}
    )
    record |= {"figures": dict(result.figures())} if result.figures() else {}
    return {
        **record,
        "layers": list(result.provenance.get("layers", ())),
        "notes": list(result.notes),
        "seconds": result.provenance["seconds"],
        "picture": picture.digest(),
    }
