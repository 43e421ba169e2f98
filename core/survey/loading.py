"""`crosslens.load`: a saved result, or the folder of a survey."""

from pathlib import Path
from typing import Any

from ..plugins import saved_result

__all__ = ["load"]


def load(path: str | Path) -> Any:
    """What was saved: a result, or a survey.

    Args:
        path: an `.npz` that `save` wrote, or the folder of a survey.

    Returns:
        A result of the class that it had, with all its fields, arrays as NumPy's; a `crosslens.Survey` of a folder.

    Loading runs no code of the file. A result class of a plugin is found through the method that made the result, whose
    plugin must be installed.

    Raises:
        ParameterError: no such file, or it is damaged, not a saved result, of a newer crosslens, or of a class that no
            installed plugin brings; or a folder that holds no finished survey.
    """
    if Path(path).is_dir():
        from .survey import open_survey

        return open_survey(path)
    return saved_result.load(path)
