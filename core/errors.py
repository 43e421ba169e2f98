"""What can go wrong, as one tree. Every message says what was received, what would be right and what to do next.

CrosslensError
├── ImageError          a picture or an array that cannot be explained: wrong shape, range, type, NaN, unreadable file
├── ModelError          a network that cannot be wrapped or run: file, format, mode, outputs
│   └── UnsupportedOperators    an ONNX graph needs derivative rules that nobody registered; names them all
├── LayerError          no such layer, or a layer of the wrong kind for what was asked
├── TargetError         a class, label or objective that this model does not have
├── ParameterError      a method's parameter has a value that the method cannot use
├── DivergedError       steps that were too long: values, losses or gradients that are not finite any more
├── ComparisonError     models or results that cannot be compared with each other
├── MemoryLimitError    work that would take more memory than the limit (`crosslens.limits.memory`)
├── WorkerError         a worker process or actor that was lost, or to which the work cannot be sent
└── PluginError         a plugin that cannot be found, loaded or trusted to be the only one of its name
"""

from collections.abc import Iterable
from difflib import get_close_matches

from .printable import printable

__all__ = [
    "ComparisonError",
    "CrosslensError",
    "DivergedError",
    "ImageError",
    "LayerError",
    "MemoryLimitError",
    "ModelError",
    "ParameterError",
    "PluginError",
    "TargetError",
    "UnsupportedOperators",
    "WorkerError",
    "did_you_mean",
    "unknown_name",
]


class CrosslensError(Exception):
    """An error that crosslens foresees; the command line prints its text and no traceback.

    Its text is one line that can be printed, whatever the names within it are.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class ImageError(CrosslensError, ValueError):
    """A picture or an array that cannot be explained."""


class ModelError(CrosslensError, ValueError):
    """A network that cannot be wrapped or run."""


class UnsupportedOperators(ModelError):  # noqa: N818 - reads as what is listed
    """An ONNX graph needs derivative rules that nobody registered."""


class LayerError(CrosslensError, LookupError):
    """No such layer, or a layer of the wrong kind for what was asked."""


class TargetError(CrosslensError, ValueError):
    """A class, label or objective that this model does not have."""


class ParameterError(CrosslensError, ValueError):
    """A method's parameter has a value that the method cannot use."""


class DivergedError(CrosslensError, ArithmeticError):
    """Steps that were too long: values, losses or gradients that are not finite any more."""


class ComparisonError(CrosslensError, ValueError):
    """Models or results that cannot be compared with each other."""


class MemoryLimitError(CrosslensError, MemoryError):
    """Work that would take more memory than the limit."""


class WorkerError(CrosslensError, RuntimeError):
    """A worker process or actor that was lost, or to which the work cannot be sent."""


class PluginError(CrosslensError, RuntimeError):
    """A plugin that cannot be found, loaded or trusted to be the only one of its name."""


def did_you_mean(wrong: str, known: Iterable[str], most: int = 2) -> str:
    """A sentence with the names nearest to a wrong one, or an empty string.

    >>> did_you_mean("grad_can", ["cam", "grad_cam"])
    " Did you mean 'grad_cam'?"
    >>> did_you_mean("tree", ["three", "three"])
    " Did you mean 'three'?"
    """
    near = get_close_matches(wrong, list(dict.fromkeys(known)), n=most)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def unknown_name(what: str, name: object, known: Iterable[object], *, of: str = "", also: str = "") -> str:
    """The text of an error about a name that is not known: the names that are, and the nearest of them.

    Args:
        what: what the name should be a name of, in the singular.
        name: what was received.
        known: the names that would be right.
        of: what has these names, if they are not the only ones that there are.
        also: what would be right and has no name.

    >>> unknown_name("mask", "gausian", ["gaussian", "single"])
    "no mask 'gausian'; there are gaussian, single. Did you mean 'gaussian'?"
    >>> unknown_name("preset", "captum", [], of="eigen_cam")
    "eigen_cam has no preset 'captum'; it has none"
    """
    names = [str(each) for each in known]
    choice = ", ".join([*names, f"and {also}"] if also else names) or "none"
    hint = did_you_mean(str(name), names)
    text = f"{of} has no {what} {name!r}; it has {choice}" if of else f"no {what} {name!r}; there are {choice}"
    return f"{text}.{hint}" if hint else text
