"""What is found out once for a network and kept until its weights change."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from crosslens.model import Model

__all__ = ["prepared"]

T = TypeVar("T")
_KEPT = 8
"""Findings that are kept for one network."""
_known: "WeakKeyDictionary[Model, dict[Hashable, Any]]" = WeakKeyDictionary()


def prepared(model: Model, key: Hashable, find: Callable[[], T]) -> T:
    """What `find` gives, remembered under a key; findings must not hold the network itself, or it is never freed."""
    findings, now = _known.setdefault(model, {}), (key, model.history.changes)
    if now not in findings:
        while len(findings) >= _KEPT:
            findings.pop(next(iter(findings)))
        findings[now] = find()
    return cast("T", findings[now])
