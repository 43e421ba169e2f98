"""Capturing and replacing outputs of layers and functions while a Keras network is traced."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

import tensorflow as tf

from ..rectifiers import SCOPE
from .layer_tensor import LayerTensor, Origin
from .operations import LayerCall, OperationHooks, OperationKey, before_activation, ends_custom_gradient

__all__ = ["Capture"]


class Capture:
    """The outputs of the layers asked for, in one trace."""

    def __init__(self, graph: Any, asked: Mapping[str, LayerTensor], replaced: Mapping[str, Any]) -> None:
        self.outputs: dict[str, Any] = {}
        self._replaced = replaced
        self._layers = {name for name, layer in asked.items() if layer.origin is None}
        self._origins: defaultdict[OperationKey | None, list[tuple[str, Origin]]] = defaultdict(list)
        for name, layer in asked.items():
            if layer.origin is not None:
                self._origins[layer.origin.key].append((name, layer.origin))
        self._at: dict[int, tuple[str, int]] = {}
        self._hooks = OperationHooks(graph, self._on_operation) if self._origins else None

    def call(self, name: str, operation: Any, call: "partial[Any]") -> Any:
        """Call a layer; returns its output, or what replaces it."""
        y = self._call_hooked(name, operation, call)
        if name not in self._layers:
            return y
        self.outputs[name] = self._replaced[name] if name in self._replaced else tf.identity(y)
        return self.outputs[name]

    def _call_hooked(self, name: str, operation: Any, call: "partial[Any]") -> Any:
        if self._hooks is None:
            return call()
        with self._hooks.calling(name, operation), before_activation(operation, partial(self._before, name)):
            return call()

    def _before(self, layer: str, x: Any) -> Any:
        assert self._hooks is not None
        for name, _ in self._origins.get(self._hooks.key(layer, ""), ()):
            x = self.outputs[name] = self._replaced[name] if name in self._replaced else tf.identity(x)
        return x

    def _on_operation(self, key: OperationKey | None, operation: Any, _: LayerCall) -> None:
        if ends_custom_gradient(operation):
            self._move(operation)
        for name, origin in self._origins.get(key, ()):
            self._take(name, operation.outputs[origin.index])
            scoped = SCOPE in operation.name
            if origin.slot is not None or scoped:
                self._at[id(self.outputs[name])] = (name, origin.slot or 0)

    def _move(self, operation: Any) -> None:
        """Move captures from inside a `tf.custom_gradient`, where no gradient arrives, to its result."""
        for slot, (inner, outer) in enumerate(zip(operation.inputs, operation.outputs, strict=True)):
            name, result = self._at.get(id(inner), ("", -1))
            if name and result == slot:
                del self._at[id(inner)]
                self._take(name, outer)

    def _take(self, name: str, tensor: Any) -> None:
        if name in self._replaced:
            assert self._hooks is not None
            self._hooks.give(tensor, self._replaced[name])
        self.outputs[name] = self._replaced.get(name, tensor)
