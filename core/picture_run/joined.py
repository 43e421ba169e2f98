"""One result of many pictures, in memory or as one file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from ..arrays import as_numpy
from ..errors import ParameterError
from ..execution.progress import Progress, silent
from ..execution.workers import Workers
from ..files.whole_file import whole_file
from ..result import Result
from ..result.formats import saved_arrays
from .batch_job import BatchJob, record_of
from .index import Record
from .job import PictureJob
from .outcomes import outcomes, refuse_where_all_failed
from .picture_list import PictureFile

__all__ = ["joined_result", "save_joined"]

LARGEST = 4 << 30
"""Bytes that one result of many pictures may take."""


def joined_result(
    job: PictureJob,
    pictures: Sequence[PictureFile],
    progress: Progress = silent,
    workers: Workers | None = None,
) -> tuple[Result, tuple[Record, ...]]:
    """One result of all pictures, N of them, and a record for each; those that failed are in the records only.

    Args:
        job: the method, the model and the target.
        pictures: what `find_pictures` gave.
        progress: called with (pictures done, to be done, which).
        workers: who does it; this process if not given.

    Raises:
        ParameterError: the result would take more than 4 GiB.
        ImageError: not one of the pictures could be done.
    """
    parts, lines = dict[int, Result](), dict[int, Record]()
    for n, outcome in outcomes(BatchJob(job, pictures), range(len(pictures)), progress, workers or Workers()):
        lines[n] = record_of(outcome)
        if outcome.result is not None:
            parts[n] = outcome.result
            _refuse_too_large(parts, len(pictures))
    records = [lines[n] for n in range(len(pictures))]
    refuse_where_all_failed(records)
    done = [each for each in records if "error" not in each]
    _refuse_different_sizes(list(parts.values()))
    first, *others = (parts[n] for n in sorted(parts))
    result = first.joined(others)
    return replace(result, provenance={**result.provenance, "pictures": done}), tuple(records)


def _refuse_different_sizes(parts: Sequence[Result]) -> None:
    """Refuse pictures of different sizes in one result, which a method that takes any size gives.

    Raises:
        ParameterError: with the sizes.
    """
    sizes = {tuple(each.images.shape[2:]) for each in parts if each.images is not None}
    if len(sizes) > 1:
        written = ", ".join(" x ".join(map(str, size)) for size in sorted(sizes))
        raise ParameterError(
            f"one result of pictures of different sizes, {written}, is not possible: write to a folder, an output for "
            "each picture"
        )


def save_joined(result: Result, path: Path, form: str | None = None) -> None:
    """As `Result.save`; an `.npz` also holds the arrays `files` and, of classes, `classes`, for NumPy alone."""
    if path.suffix != ".npz":
        result.save(path, form)
        return
    pictures = result.provenance["pictures"]
    columns = {"files": [each["file"] for each in pictures]}
    columns |= {"classes": [each["class"] for each in pictures]} if all("class" in each for each in pictures) else {}
    with whole_file(path) as temporary:
        result.save(temporary)
        with ZipFile(temporary, "a", ZIP_DEFLATED) as archive:
            for name, values in columns.items():
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def _refuse_too_large(parts: Mapping[int, Result], count: int) -> None:
    if len(parts) > 1:
        return
    (part,) = parts.values()
    size = sum(as_numpy(each).nbytes for each in saved_arrays(part).values()) * count
    if size > LARGEST:
        raise ParameterError(
            f"one result of {count} pictures would take {size / 2**30:.1f} GiB, more than {LARGEST >> 30}; write to a "
            "folder instead, an output for each picture"
        )
