"""`crosslens.load`: a saved result, whole; classes of plugins are found by the method that made it."""

import sys
from contextlib import suppress
from pathlib import Path

from ..errors import PluginError
from ..result import Result
from ..result.loading import read_result
from .registry import method_class

__all__ = ["load"]


def load(path: str | Path) -> Result:
    """A result that `save` wrote as `.npz`: of the class that it had, with all its fields, arrays as NumPy's.

    Loading runs no code of the file. A result class of a plugin is found through the method that made the result, whose
    plugin must be installed.

    Raises:
        ParameterError: no such file, or it is damaged, not a saved result, of a newer crosslens, or of a class that no
            installed plugin brings.
    """
    return read_result(path, _import_class)


def _import_class(kind: str, method: str) -> None:
    """A class that `crosslens` names and imports when it is first used, else that of the method."""
    root = sys.modules[__name__.partition(".")[0]]
    if kind in root.__all__:
        getattr(root, kind)
    with suppress(PluginError):
        method_class(method)
