"""What became of pictures, one after the other, and the line of an index that says so."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..arrays import as_numpy
from ..errors import ImageError
from ..execution.progress import Progress
from ..result import Attribution
from ..result.joined_notes import joined_notes, kind_of
from .batches import BatchRunner, Outcome
from .index import Record
from .picture_list import PictureFile

__all__ = ["merged_notes", "outcomes", "record_of", "refuse_where_all_failed"]


def outcomes(
    runner: BatchRunner, pictures: Sequence[PictureFile], left: Sequence[int], progress: Progress
) -> Iterator[tuple[int, Outcome]]:
    """What becomes of the pictures with these indices.

    Batches are cut from all pictures, whatever is left of them: so a run that was stopped gives the same values, to the
    last bit, when it goes on.

    Args:
        runner: runs a batch.
        pictures: all of them.
        left: indices of those that are wanted.
        progress: called with (pictures done, to be done, which).
    """
    wanted, size, done = set(left), runner.size, 0
    progress(0, len(wanted), "")
    for start in range(0, len(pictures), size):
        batch = range(start, min(start + size, len(pictures)))
        if not wanted.intersection(batch):
            continue
        first = pictures[start].path.name

        def steps(step: int, total: int, what: str, done: int = done, first: str = first) -> None:
            progress(done, len(wanted), f"{first}: {what} {step}/{total}" if total else first)

        made = runner.run([pictures[n] for n in batch], start, steps)
        for n, outcome in zip(batch, made, strict=True):
            if n in wanted:
                yield n, outcome
                done += 1
                progress(done, len(wanted), pictures[n].path.name)


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
