"""Which backends may know an object, a file or a factory's name."""

import os
import re
import sys
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

from ..errors import CrosslensError, ModelError, did_you_mean
from ..limits.regular_file import check_regular_file
from .registry import BACKENDS, plugins

__all__ = ["from_factory", "in_words", "known_backends", "names_for_file", "names_for_object"]

_FACTORY = re.compile(r"\w+(\.\w+)*:\w+")


def known_backends() -> list[str]:
    """Root modules and suffixes that a backend is registered for."""
    return sorted({p.name for p in plugins(BACKENDS)})


def in_words(network: Any) -> str:
    """The network as an error names it: its path, or its class."""
    return (
        f"'{network}'" if isinstance(network, str | Path) else f"a {type(network).__module__}.{type(network).__name__}"
    )


def names_for_file(path: Path) -> list[str]:
    """The suffix under which a backend may be registered.

    Raises:
        ModelError: no regular file and no folder that can be read, or of another suffix.
    """
    is_folder = os.path.isdir(path)
    if not is_folder:
        check_regular_file(path, ModelError, "model")
    suffix = ".pb" if is_folder and (path / "saved_model.pb").exists() else path.suffix
    if suffix in known_backends():
        return [suffix]
    suffixes = [name for name in known_backends() if name.startswith(".")]
    if is_folder:
        raise ModelError(
            f"'{path}' is a folder without saved_model.pb, so no SavedModel; files end in {', '.join(suffixes)}"
        )
    raise ModelError(
        f"'{path}' ends in {suffix!r}; a model file ends in {', '.join(suffixes)}.{did_you_mean(suffix, suffixes)}"
    )


def names_for_object(network: Any) -> list[str]:
    """Root modules of the object's classes, the framework underneath first (Keras on torch is torch's)."""
    roots = [kind.__module__.partition(".")[0] for kind in reversed(type(network).__mro__)]
    names = [root for root in dict.fromkeys(roots) if root in known_backends()]
    if not names:
        raise ModelError(
            f"no backend wraps {in_words(network)}; backends know objects and files of {', '.join(known_backends())}"
        )
    return names


def from_factory(spec: str) -> Any:
    """What "package.module:factory" names: called, if it is a class or a function.

    Raises:
        ModelError: it is no such name, there is no such module, or its code fails; what ends the program fails too.
    """
    module, _, name = spec.partition(":")
    if not _FACTORY.fullmatch(spec):
        raise ModelError(
            f"'{spec}' is neither a file nor package.module:factory, such as mynets.cats:make; demo:NAME is a network "
            "that a plugin brings"
        )
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        made = getattr(import_module(module), name)
        return made() if isinstance(made, type) or (callable(made) and not hasattr(made, "forward")) else made
    except ModuleNotFoundError as error:
        raise ModelError(f"no model '{spec}': no file of that name, and no module {error.name!r} to import") from error
    except (CrosslensError, OSError):
        raise
    except (Exception, SystemExit) as error:
        loaded = sys.modules.get(module)
        if isinstance(error, AttributeError) and loaded is not None and not hasattr(loaded, name):
            raise ModelError(f"module {module!r} has no {name!r}.{_known_names(loaded, name)}") from error
        raise ModelError(f"'{spec}' fails: {_failure(error)}") from error


def _known_names(module: Any, name: str) -> str:
    known = [n for n in dir(module) if not n.startswith("_")]
    return did_you_mean(name, known) or f" It has {', '.join(known)}." * (len(known) < 20)


def _failure(error: BaseException) -> str:
    """What a user's code raised, and where."""
    if isinstance(error, SystemExit):
        return f"it ends the program (sys.exit({error.code!r})); take that out of it"
    place = extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())[:300]
    return (
        f"{type(error).__name__}{': ' * bool(said)}{said} (line {place.lineno} of {os.path.basename(place.filename)})"
    )
