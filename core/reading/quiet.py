"""Pillow, tifffile and NumPy warn and log about damaged files; what matters of it comes as an error of ours."""

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes.util import find_library
from functools import cache
from pathlib import Path
from threading import Lock

__all__ = ["quiet_readers"]

_MODULES = r"(PIL|tifffile|numpy\.lib)\b"
"""Only warnings that are raised in these are kept back, in whatever thread."""
_LOCK = Lock()
_inside: list[int] = []
"""An entry for each block that is entered now."""


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Keep back what libraries that read pictures and arrays say on stderr beside their errors.

    Blocks may be entered on several threads at once, and inside each other.
    """
    _without_logs()
    with _LOCK:
        if not _inside:
            warnings.filterwarnings("ignore", module=_MODULES)
        _inside.append(1)
    try:
        yield
    finally:
        with _LOCK:
            _inside.pop()
            if not _inside:
                _remove_filter()


def _remove_filter() -> None:
    kept = [each for each in warnings.filters if getattr(each[3], "pattern", "") != _MODULES]
    if len(kept) < len(warnings.filters):
        warnings.filters[:] = kept  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]


@cache
def _without_logs() -> None:
    """Keep the loggers of Pillow and tifffile off stderr where no handler is set up, and libtiff's errors too."""
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    if library := _libtiff():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(library).TIFFSetErrorHandler(None)


def _libtiff() -> str | None:
    """The libtiff that Pillow uses: the one in its wheel, else the system's."""
    import PIL

    package = Path(PIL.__file__).parent
    places = (package.parent / "pillow.libs", package.parent / "Pillow.libs", package / ".dylibs")
    found = [str(path) for place in places for path in place.glob("libtiff*")]
    return found[0] if found else find_library("tiff")
