"""Digests of the code that computes a survey, by folder: states of two versions of it are not added up."""

import sys
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

__all__ = ["code_digests"]

_CORE = Path(__file__).parents[1]
_PARTS = ("data", "model", "method", "execution", "image", "input", "introspection", "operators", "objective", "store")


def code_digests(objects: Iterable[Any]) -> dict[str, str]:
    """By name of a package: the digest of the folders of core that states come from, and of those of these objects.

    Args:
        objects: a model, a source, methods: the modules of their classes, with those that lie in the same folder.
    """
    folders = {f"crosslens.{part}": _CORE / part for part in _PARTS}
    for each in objects:
        for kind in type(each).__mro__:
            module = sys.modules.get(kind.__module__)
            file, package = getattr(module, "__file__", None), getattr(module, "__package__", None)
            if file and not _is_of_core(Path(file)) and kind.__module__ != "builtins" and _is_ours(kind):
                folders[package or kind.__module__] = Path(file).parent if package else Path(file)
    return {name: _digest(path) for name, path in sorted(folders.items())}


def _is_of_core(file: Path) -> bool:
    return _CORE in file.parents


def _is_ours(kind: type[Any]) -> bool:
    """Whether the class builds on crosslens: frameworks' own are told apart by their versions."""
    return any(base.__module__.partition(".")[0] == __package__.partition(".")[0] for base in kind.__mro__)


@cache
def _digest(path: Path) -> str:
    state = blake2b(digest_size=8)
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        state.update(file.name.encode() + b"\0" + file.read_bytes())
    return state.hexdigest()
