"""Hooks on every call of a Keras layer while a function is traced, wherever in a network it happens.

Sub-models through `keras.Model(inputs, layer.output)` break on nested and subclassed networks. Every layer and every
operation of a functional graph is called through `keras.Operation.__call__`, so that method is replaced while one
thread traces, and put back whatever happens; other threads pass straight through meanwhile.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

__all__ = ["LOCK", "CallPath", "replace_attribute", "visit_calls"]

LOCK = threading.RLock()
"""Held while tracing: one function is traced at a time."""
_here = threading.local()

Visit = Callable[[str, Any, "partial[Any]"], Any]
"""visit(name, operation, call): makes the call and returns the layer's value, or another one instead."""


@contextmanager
def replace_attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    """`owner.name` is `value` within the block, and what it was before afterwards. Hold `LOCK`."""
    before = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class CallPath:
    """Names for calls: "outer/inner" by nesting below the root, "name#2" for the second call of one name."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._calls: Counter[str] = Counter()

    @contextmanager
    def enter(self, own: str) -> Iterator[str]:
        """The name of a call of an operation called `own`, empty for the root."""
        name = "/".join([*self._open[1:], own]) if self._open else ""
        self._calls[name] += 1
        self._open.append(own)
        try:
            yield name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"
        finally:
            self._open.pop()


@contextmanager
def visit_calls(visit: Visit) -> Iterator[None]:
    """Within the block, each call of a Keras operation in this thread goes through `visit`. Hold `LOCK`."""
    original = keras.Operation.__call__
    path, owners = CallPath(), list[Any]()

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        seen = getattr(_here, "visit", None)
        if seen is None or not _is_permanent(operation, owners):
            return original(operation, *args, **kwargs)
        owners.append(operation)
        try:
            with path.enter(operation.name) as name:
                return seen(name, operation, partial(original, operation, *args, **kwargs))
        finally:
            owners.pop()

    with replace_attribute(keras.Operation, "__call__", call):
        _here.visit = visit
        try:
            yield
        finally:
            del _here.visit


def _is_permanent(operation: Any, owners: list[Any]) -> bool:
    """Whether an operation exists at the next call too: it is a layer, or a node of a functional graph.

    Some of `keras.ops`, `pad` in `ZeroPadding2D` for one, make an operation with a new name each time they are called.
    """
    graph = getattr(owners[-1], "operations", ()) if owners else ()
    return isinstance(operation, keras.Layer) or any(operation is node for node in graph)
