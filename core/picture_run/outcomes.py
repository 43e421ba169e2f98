"""What became of pictures, whoever computed it, and what is said of all of them."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..errors import ImageError, LayerError, ParameterError, PluginError, TargetError, UnsupportedOperators
from ..execution.progress import Progress, silent
from ..execution.workers import Workers
from ..result.joined_notes import joined_notes, kind_of
from .batch_job import BatchJob, PictureBatch
from .batches import BatchRunner, Outcome
from .index import Record

__all__ = ["merged_notes", "outcomes", "refuse_where_all_failed"]

_OF_THE_CALL = (LayerError, ParameterError, PluginError, TargetError, UnsupportedOperators)
"""Errors that no other picture mends."""


def outcomes(job: BatchJob, left: Sequence[int], progress: Progress, workers: Workers) -> Iterator[tuple[int, Outcome]]:
    """What becomes of the pictures with these indices, as they are finished.

    Batches are cut from all pictures, whatever is left of them: so a run that was stopped gives the same values, to the
    last bit, when it goes on.

    Args:
        job: what is done with a batch.
        left: indices of those that are wanted.
        progress: called with (pictures done, to be done, which).
        workers: who does it.

    Raises:
        CrosslensError: what fails whatever the picture: a layer, a parameter, the target; or the first two pictures
            fail alike.
    """
    done, now = 0, ""
    progress(0, len(left), "")

    def steps(step: int, total: int, what: str) -> None:
        progress(done, len(left), f"{now}: {what} {step}/{total}" if total else now)

    def begun(batches: Sequence[PictureBatch]) -> Iterator[PictureBatch]:
        nonlocal now
        for batch in batches:
            now = job.pictures[batch.pictures.start].path.name
            yield batch

    job = replace(job, threads=workers.threads, progress=steps if workers.here else silent)
    batches = _batches(job, left)
    for made in _in_order_until_one_works(batches, workers.executor().run(job, begun(batches))):
        for n, outcome in made:
            yield n, outcome
            done += 1
            progress(done, len(left), outcome.picture.path.name)


def _batches(job: BatchJob, left: Sequence[int]) -> list[PictureBatch]:
    size, count = BatchRunner(job.job, job.pictures).size, len(job.pictures)
    wanted = set(left)
    cut = (range(start, min(start + size, count)) for start in range(0, count, size))
    parts = ((batch, wanted.intersection(batch)) for batch in cut)
    return [PictureBatch(batch, frozenset(part)) for batch, part in parts if part]


Made = Sequence[tuple[int, Outcome]]


def _in_order_until_one_works(
    batches: Iterable[PictureBatch], results: Iterable[tuple[PictureBatch, Made]]
) -> Iterator[Made]:
    """What became of each batch, in the order of the pictures until one of them came through, then as it comes.

    Raises:
        CrosslensError: before any picture came through, an error that no other picture mends, or the same one twice.
    """
    works, errors = False, set[str]()
    early, turns = dict[PictureBatch, Made](), deque(batches)
    for batch, made in results:
        early[batch] = made
        while early and (works or turns[0] in early):
            given = early.pop(next(iter(early)) if works else turns.popleft())
            for _, outcome in given:
                works = works or (outcome.raised is None and not outcome.error)
                if outcome.raised is not None and not works:
                    if isinstance(outcome.raised, _OF_THE_CALL) or outcome.error in errors:
                        raise outcome.raised
                    errors.add(outcome.error)
            yield given


def refuse_where_all_failed(records: Sequence[Record]) -> None:
    """Refuse to call it a success when not one picture could be done."""
    if records and all("error" in each for each in records):
        raise ImageError(f"none of the {len(records)} pictures could be done; the first: {records[0]['error']}")


def merged_notes(records: Sequence[Record]) -> Mapping[str, int]:
    """Each note of these lines of an index, and on how many pictures."""
    alike: dict[str, list[str]] = {}
    for note in (note for each in records for note in each.get("notes", ())):
        alike.setdefault(kind_of(note, 1), []).append(note)
    return {joined_notes([([note], 1) for note in same])[0]: len(same) for same in alike.values()}
