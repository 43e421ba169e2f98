"""One result of many pictures, in memory or as one file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from ..arrays import as_numpy
from ..errors import ParameterError
from ..execution.progress import Progress, silent
from ..execution.whole_file import whole_file
from ..result import Result
from ..result.formats import saved_arrays
from .batches import BatchRunner
from .index import Record
from .job import PictureJob
from .outcomes import outcomes, record_of, refuse_where_all_failed
from .picture_list import PictureFile

__all__ = ["joined_result", "save_joined"]

LARGEST = 4 << 30
"""Bytes that one result of many pictures may take."""


def joined_result(
    job: PictureJob, pictures: Sequence[PictureFile], progress: Progress = silent
) -> tuple[Result, tuple[Record, ...]]:
    """One result of all pictures, N of them, and a record for each; those that failed are in the records only.

    Args:
        job: the method, the model and the target.
        pictures: what `find_pictures` gave.
        progress: called with (pictures done, to be done, which).

    Raises:
        ParameterError: the result would take more than 4 GiB.
        ImageError: not one of the pictures could be done.
    """
    parts, records = list[Result](), list[Record]()
    for _, outcome in outcomes(BatchRunner(job, len(pictures)), pictures, range(len(pictures)), progress):
        records.append(record_of(outcome))
        if outcome.result is not None:
            parts.append(outcome.result)
            _refuse_too_large(parts, len(pictures))
    refuse_where_all_failed(records)
    done = [each for each in records if "error" not in each]
    result = parts[0].joined(parts[1:])
    return replace(result, provenance={**result.provenance, "pictures": done}), tuple(records)


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


def _refuse_too_large(parts: Sequence[Result], count: int) -> None:
    if len(parts) > 1:
        return
    size = sum(as_numpy(each).nbytes for each in saved_arrays(parts[0]).values()) * count
    if size > LARGEST:
        raise ParameterError(
            f"one result of {count} pictures would take {size / 2**30:.1f} GiB, more than {LARGEST >> 30}; write to a "
            "folder instead, an output for each picture"
        )
