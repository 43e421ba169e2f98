"""Run a job over pictures: into a folder, an output for each, or into one result of all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..execution.progress import Progress, silent
from ..execution.workers import Workers
from ..files.kept_files import check_target
from ..method.base import Method, gives
from ..model.base import Model
from ..result.scores import Scores
from .batch_job import BatchJob, Writer
from .index import Index, Record
from .job import PictureJob
from .outcomes import merged_notes, outcomes, refuse_where_all_failed
from .picture_list import PictureFile, find_pictures

__all__ = ["PictureRun", "PictureSummary", "default_format", "run_pictures"]


def run_pictures(
    method: Method,
    model: Model,
    pictures: Any,
    out: str | Path,
    *,
    target: Any = None,
    formats: Sequence[str] = (),
    again: bool = False,
    workers: int | None = None,
    threads: int | None = None,
    ray: bool | str | None = None,
    progress: Progress = silent,
) -> "PictureSummary":
    """Run a method on each of many pictures, and write an output for each and an index into a folder.

    A run that was stopped, by ctrl-C or worse, goes on where it was when it is called again. A picture that fails is
    recorded with its reason, and the others go on.

    The index, `index.jsonl`, has a line for each picture: `file`, `name`, `outputs`, `folder` (the sub-folder that
    counts as its label), `class`, `label` and `probability` or `score` of what was explained, `figures` of a method
    that measures, `layers`, `notes`, `seconds`, `picture` and `settings` (digests), or `error`. `run.json` has the
    settings.

    Args:
        method: what `crosslens.method` gave.
        model: what `crosslens.wrap` gave.
        pictures: files, folders (with their sub-folders) and patterns like "photos/*.jpg": one or several.
        out: the folder; it is made.
        target: as for a method; None means each picture's predicted class.
        formats: endings of the outputs, "png", "jpg", "webp", "npz"; `default_format` if none is given.
        again: do what is finished once more, and replace results of other settings.
        workers: processes on this machine, or on Ray, that share the pictures; None for this process, on Ray as many
            as it has room for. Outputs and index are the same whatever their number, but for `seconds`.
        threads: of each worker, on which the last bits depend; one if `workers` or `ray` is given.
        ray: True for Ray on this machine, or the address of a cluster, which is trusted code: it can run programs as
            you, here and there.
        progress: called with (pictures done, to be done, which).

    Raises:
        WorkerError: a worker was lost; the same call goes on.
        CrosslensError: the call is wrong: no picture, another folder's settings, a target or layer that does not exist.
        ImageError: not one of the pictures could be done.
    """
    who = Workers.of(workers, threads, ray)
    job, found = PictureJob(method, model, target), find_pictures(pictures, out)
    run = PictureRun(job, found, Path(out), formats, again=again)
    for _ in run.records(progress, who):
        pass
    return run.summary()


@dataclass(frozen=True)
class PictureSummary:
    """What came of a run over pictures."""

    folder: Path
    records: tuple[Record, ...]
    """A line of the index for each picture, in their order; those of an earlier call included."""
    before: int = 0
    """How many were finished by an earlier call."""

    @property
    def failed(self) -> tuple[Record, ...]:
        """The pictures that failed: `file` and `error`."""
        return tuple(each for each in self.records if "error" in each)

    @property
    def notes(self) -> Mapping[str, int]:
        """Each note, and on how many pictures."""
        return merged_notes(self.records)

    def __repr__(self) -> str:
        done = len(self.records) - len(self.failed)
        return f"<PictureSummary: {done} of {len(self.records)} pictures in '{self.folder}'>"


class PictureRun:
    """A job over pictures, into a folder. Nothing is computed before `records` is read."""

    def __init__(
        self,
        job: PictureJob,
        pictures: Sequence[PictureFile],
        folder: Path,
        formats: Sequence[str] = (),
        *,
        again: bool = False,
    ) -> None:
        """Open the folder.

        Args:
            job: the method, the model and the target.
            pictures: what `find_pictures` gave.
            folder: where the outputs go; it is made.
            formats: endings of the outputs; `default_format` if none is given.
            again: do what is finished once more, and replace results of other settings.

        Raises:
            CrosslensError: the target, the folder, or an output that would replace a picture.
        """
        self.job, self.pictures, self.folder = job, pictures, folder
        job.objective(len(pictures))
        self._writer = Writer(folder, tuple(formats) or (default_format(type(job.method)),), job.form)
        self._refuse_overwriting([])
        for name in (name for picture in pictures for name in self._writer.names(picture)):
            check_target(folder / name)
        self._index = Index(folder, job.settings(), [each.name for each in pictures], again=again)
        self._refuse_overwriting(self._index.outputs)
        known = [None if again else self._index.finished(each, self._writer.names(each)) for each in pictures]
        self._records: dict[int, Record] = {n: each for n, each in enumerate(known) if each is not None}
        self.before = len(self._records)

    def _refuse_overwriting(self, outputs: Any) -> None:
        written = {(self.folder / each).resolve() for picture in self.pictures for each in self._writer.names(picture)}
        for picture in self.pictures:
            if (path := picture.path.resolve()) in written or path in outputs:
                raise ParameterError(
                    f"'{picture.path}' is read, and written in '{self.folder}', where it would be lost; write to "
                    "another folder"
                )

    def records(self, progress: Progress = silent, workers: Workers | None = None) -> Iterator[Record]:
        """Do what is not finished yet; gives the line of the index of each picture when its outputs are written.

        Args:
            progress: called with (pictures done, to be done, which).
            workers: who does it; this process if not given.

        Raises:
            CrosslensError: what fails whatever the picture.
            ImageError: at the end, if not one picture of all could be done.
        """
        workers = workers or Workers()
        left = [n for n in range(len(self.pictures)) if n not in self._records]
        there = None if workers.here or workers.elsewhere else self._writer
        job = BatchJob(self.job, self.pictures, writer=there)
        try:
            for n, outcome in outcomes(job, left, progress, workers) if left else ():
                line = self._writer.write(outcome) if outcome.record is None else outcome.record
                record = self._records[n] = {**line, "settings": self._index.digest}
                self._index.add(record)
                yield record
        finally:
            self._index.close()
        refuse_where_all_failed(list(self._records.values()))

    def summary(self) -> PictureSummary:
        """What came of it so far."""
        return PictureSummary(self.folder, tuple(self._records[n] for n in sorted(self._records)), self.before)


def default_format(kind: type[Method]) -> str:
    """The ending of outputs if none is given: "png", or "npz" for a method that measures."""
    return "npz" if gives(kind, Scores) else "png"
