"""Layers and functions of a Keras network captured, and others put in their place, while it is traced."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

import tensorflow as tf

from ..rectifiers import SCOPE
from .layer_tensor import Origin, Place
from .operations import Call, Key, Watch, before_activation, has_own_gradient

__all__ = ["Tracing"]


class Tracing:
    """What is found of the places that are asked for."""

    def __init__(self, graph: Any, asked: Mapping[str, Place], replaced: Mapping[str, Any]) -> None:
        self.found: dict[str, Any] = {}
        self._replaced = replaced
        self._layers = {name for name, place in asked.items() if place.origin is None}
        self._origins: defaultdict[Key | None, list[tuple[str, Origin]]] = defaultdict(list)
        for name, place in asked.items():
            if place.origin is not None:
                self._origins[place.origin.key].append((name, place.origin))
        self._at: dict[int, tuple[str, int]] = {}
        self._watch = Watch(graph, self._seen) if self._origins else None

    def call(self, name: str, operation: Any, call: "partial[Any]") -> Any:
        """Call a layer, and give out what takes the place of its output."""
        y = self._called(name, operation, call)
        if name not in self._layers:
            return y
        self.found[name] = self._replaced[name] if name in self._replaced else tf.identity(y)
        return self.found[name]

    def _called(self, name: str, operation: Any, call: "partial[Any]") -> Any:
        if self._watch is None:
            return call()
        with self._watch.calling(name, operation), before_activation(operation, partial(self._before, name)):
            return call()

    def _before(self, layer: str, x: Any) -> Any:
        assert self._watch is not None
        for name, _ in self._origins.get(self._watch.key(layer, ""), ()):
            x = self.found[name] = self._replaced[name] if name in self._replaced else tf.identity(x)
        return x

    def _seen(self, key: Key | None, operation: Any, _: Call) -> None:
        if has_own_gradient(operation):
            self._move(operation)
        for name, origin in self._origins.get(key, ()):
            self._take(name, operation.outputs[origin.index])
            scoped = SCOPE in operation.name
            if origin.slot is not None or scoped:
                self._at[id(self.found[name])] = (name, origin.slot or 0)

    def _move(self, operation: Any) -> None:
        """From inside of a `tf.custom_gradient`, where no gradient arrives, to its result."""
        for slot, (inner, outer) in enumerate(zip(operation.inputs, operation.outputs, strict=True)):
            name, result = self._at.get(id(inner), ("", -1))
            if name and result == slot:
                del self._at[id(inner)]
                self._take(name, outer)

    def _take(self, name: str, tensor: Any) -> None:
        if name in self._replaced:
            assert self._watch is not None
            self._watch.give(tensor, self._replaced[name])
        self.found[name] = self._replaced.get(name, tensor)
