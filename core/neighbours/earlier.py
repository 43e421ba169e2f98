"""An earlier result of `nearest_neighbours` in place of data: itself, its file, or the survey that holds it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..model.base import Model
from ..plugins.saved_result import load
from ..reading.array_file import read_npz_headers
from ..store.manifest import read_manifest
from ..store.row_files import RowFiles
from ..survey.survey import Survey, open_survey
from .neighbours import Neighbours

__all__ = ["Earlier", "earlier_neighbours"]

NAME = "nearest_neighbours"


@dataclass(frozen=True, eq=False)
class Earlier:
    """A result, and the folder of the survey that it lies in, if it does."""

    result: Neighbours
    folder: Path | None = None

    def whole(self, model: Model) -> Neighbours:
        """The result with its features, read from the survey's rows where it does not hold them itself."""
        result = self.result
        if "features" in result.data or self.folder is None:
            return result
        features = result.gather(model, {**result.parameters, "layer": None}).features
        rows = RowFiles(self.folder / "rows", int(result.provenance["source"]["images"]))
        return replace(result, data={**result.data, "features": rows.state(features)["rows"]})


def earlier_neighbours(data: Any) -> Earlier | None:
    """The earlier result that stands in place of data; None where `data` is none.

    Args:
        data: a `Neighbours`, a `Survey`, an `Earlier`; or the path of an `.npz` that `save` wrote, or of a survey.

    Raises:
        ParameterError: a saved result of another method, or a survey without one of this, or with several.
    """
    if isinstance(data, Earlier | Neighbours):
        return Earlier(data) if isinstance(data, Neighbours) else data
    if isinstance(data, Survey):
        return _of_survey(data)
    if not isinstance(data, str | os.PathLike):
        return None
    path = Path(data)
    if path.is_dir():
        return None if read_manifest(path) is None else _of_survey(open_survey(path))
    if path.suffix.lower() != ".npz" or not path.is_file() or not _is_result(path):
        return None
    result = load(path)
    if not isinstance(result, Neighbours):
        raise ParameterError(
            f"'{path}' is a result of {result.method}; {NAME} goes on from one of its own, or from data"
        )
    return Earlier(result)


def _of_survey(survey: Survey) -> Earlier:
    own = [label for label in survey if label.partition(" ")[0] == NAME]
    if not own:
        raise ParameterError(
            f"{survey} holds no {NAME}: add it, `crosslens sweep MODEL DATA {NAME} -o {survey.folder}`, or give data"
        )
    results = [result for label in own if isinstance(result := survey[label], Neighbours)]
    if len({(*each.provenance["layers"], each.parameters["pooling"]) for each in results}) > 1:
        files = " or ".join(f"'{survey.files(label)[-1]}'" for label in own) if survey.folder else " or ".join(own)
        raise ParameterError(f"{len(own)} results of {NAME} with other features are here; give one of them: {files}")
    result = results[0]
    return Earlier(result, survey.folder)


def _is_result(path: Path) -> bool:
    """Whether an array file holds the record of a result."""
    try:
        return "record" in read_npz_headers(path)
    except ValueError:
        return False
