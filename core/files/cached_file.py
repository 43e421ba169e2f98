"""Files in the user's cache folder: made once, checked by digest each time, made again where damaged or out of date."""

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ..errors import CrosslensError
from ..files.whole_file import write_bytes

__all__ = ["cache_folder", "cached_file"]

_SHOWN = 16
"""Hexadecimal digits of a key and of a content's digest in a file's name."""


def cache_folder() -> Path | None:
    """Where cached files lie: $CROSSLENS_CACHE, else crosslens in $XDG_CACHE_HOME, else ~/.cache/crosslens.

    None where there is no home folder, or CROSSLENS_CACHE is empty, which turns the cache off.
    """
    if (named := os.environ.get("CROSSLENS_CACHE")) is not None:
        return Path(named) if named else None
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "crosslens"
    try:
        return Path.home() / ".cache" / "crosslens"
    except RuntimeError:
        return None


def cached_file(name: str, key: str, make: Callable[[], bytes]) -> bytes:
    """The content of a cached file, or what `make` gives, which is then kept.

    The file's name holds a digest of the key and one of the content, so that one that is damaged, half written or made
    from something else is never read. It appears whole or not at all: processes may do this at the same time. Files of
    other keys are removed. A folder that cannot be written to leaves everything uncached.

    Args:
        name: of the file, with its suffix: "lite0.onnx".
        key: all that the content depends on.
        make: gives the content.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    stem, suffix = os.path.splitext(name)
    start = f"{stem}-{_digest(key.encode())}-"
    with suppress(OSError):
        for path in sorted(folder.glob(f"{start}*{suffix}")):
            content = path.read_bytes()
            if path.name == f"{start}{_digest(content)}{suffix}":
                return content
    content = make()
    with suppress(OSError, CrosslensError):
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{start}{_digest(content)}{suffix}"
        write_bytes(kept, content)
        for path in folder.glob(f"{stem}-{'[0-9a-f]' * _SHOWN}-*{suffix}"):
            if path != kept:
                path.unlink(missing_ok=True)
    return content


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:_SHOWN]
