"""Listing the layers of a Keras network in one trace: layers of Keras, and functions that the network's code calls."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import tensorflow as tf

from .call_sites import call_site, in_custom_gradient
from .layer_tensor import LayerTensor, Origin, is_rectified
from .operations import (
    PASS_THROUGH,
    LayerCall,
    OperationHooks,
    OperationKey,
    base_name,
    before_activation,
    ends_custom_gradient,
    kind_of,
)

__all__ = ["Listing", "is_activation"]

_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
"""Operations whose result does not depend on the values that they read."""


@dataclass(frozen=True)
class _Created:
    """An operation that the network's code created; all of one `site` belong to one call."""

    key: OperationKey | None
    operation: Any
    call: LayerCall
    site: Any
    name: str = ""


@dataclass(frozen=True)
class _Result:
    """A tensor of an operation, as it is read: behind the end of a `tf.custom_gradient`, where that is its `slot`."""

    created: _Created
    index: int
    tensor: Any
    slot: int | None
    kind: str


class Listing:
    """The layers called and the operations created while one graph is traced."""

    def __init__(self, image: Any) -> None:
        self.hooks = OperationHooks(image.graph, self._on_operation)
        self._image = image
        self._listed: list[tuple[LayerTensor, Any] | _Created] = []
        self._created: dict[str, _Created] = {}
        self._returned: dict[str, str] = {}

    def call(self, name: str, operation: Any, call: "partial[Any]") -> Any:
        """Call a layer, listing what is created in it."""
        with self.hooks.calling(name, operation), before_activation(operation, partial(self._before, name, call)):
            return call()

    def add(self, layer_tensor: LayerTensor, y: Any) -> Any:
        """List a layer. An identity, which is what goes on, tells it from one that passes the same tensor on."""
        if in_custom_gradient():
            return y
        self._returned.setdefault(y.name, layer_tensor.name)
        tensor = tf.identity(y)
        self._listed.append((replace(layer_tensor, is_rectified=is_rectified(y)), tensor))
        return tensor

    def _before(self, name: str, call: "partial[Any]", x: Any) -> Any:
        """List what a layer of Keras passes to the activation that is fused with it."""
        key = self.hooks.key(name, "")
        if not is_activation(x, self._image) or any(x is each for each in tf.nest.flatten(call.args)):
            return x
        created = _Created(key, tf.identity(x).op, LayerCall(name, False), object(), x.op.type)
        self._created[created.operation.name] = created
        self._listed.append(created)
        return created.operation.outputs[0]

    def _on_operation(self, key: OperationKey | None, operation: Any, call: LayerCall) -> None:
        where, name = call_site()
        created = _Created(key, operation, call, operation if where is None else where, name)
        self._created[operation.name] = created
        if key is not None:
            self._listed.append(created)

    def layer_tensors(self) -> tuple[list[LayerTensor], list[Any]]:
        """The layers in execution order, and the tensor of each."""
        results, listed = self._results(), list[tuple[LayerTensor, Any]]()
        layers = {each[0].name for each in self._listed if isinstance(each, tuple)}
        names = _Names(layers)
        aliases: dict[str, str] = {}
        for each in self._listed:
            if isinstance(each, tuple):
                listed.append(each)
                continue
            if not (each.call.is_open or each.call.name in layers):
                continue  # of a cell, which Keras calls beside its loop for the shape alone
            for result in results.get(each.operation.name, ()):
                layer, name = self._returned.get(result.tensor.name), names.of(each.call.name, result.kind)
                if layer is None:
                    listed.append((_layer_tensor_of(name, result), result.tensor))
                else:
                    aliases[layer] = name
        layer_tensors = [
            replace(p, aliases=(*p.aliases, aliases[p.name])) if p.name in aliases else p for p, _ in listed
        ]
        return layer_tensors, [tensor for _, tensor in listed]

    def _results(self) -> Mapping[str, list[_Result]]:
        """By operation, its tensors that depend on the image and are read outside of the call that created them."""
        readers = _readers(self.hooks.graph)
        varying = _varying(self.hooks.graph, self._image)
        kinds = self._kinds(varying)
        results: defaultdict[str, list[_Result]] = defaultdict(list)
        for created in self._created.values():
            if created.key is None or created.operation.type == "Cast":
                continue
            for index, tensor in enumerate(created.operation.outputs):
                behind, slot = self._behind(created, tensor, readers)
                if not (is_activation(behind, self._image) and behind.name in varying):
                    continue
                if any(self._leaves(created, operation, behind, readers) for operation in readers[behind.name]):
                    kind = kinds[id(created.site)]
                    results[created.operation.name].append(_Result(created, index, behind, slot, kind))
        return results

    def _kinds(self, varying: "set[str]") -> Mapping[int, str]:
        """By call, the operation's name where it is but one, else the name of the library's function."""
        within: defaultdict[int, list[_Created]] = defaultdict(list)
        for created in self._created.values():
            computed = (t.name in varying and t.dtype.is_floating for t in created.operation.outputs)
            if created.key is not None and any(computed):
                within[id(created.site)].append(created)
        return {at: kind_of(_kind(each)) for at, each in within.items()}

    def _behind(self, created: _Created, tensor: Any, readers: Mapping[str, list[Any]]) -> tuple[Any, int | None]:
        """What is read of a tensor: where a `tf.custom_gradient` of the same call gives it out, that one's result."""
        for operation in readers[tensor.name]:
            if ends_custom_gradient(operation) and self._same_call(created, operation):
                slot = [each.name for each in operation.inputs].index(tensor.name)
                return operation.outputs[slot], slot
        return tensor, None

    def _leaves(self, created: _Created, reader: Any, tensor: Any, readers: Mapping[str, list[Any]]) -> bool:
        """Whether a tensor gets out of the call that created it, through what reads it."""
        if not self._same_call(created, reader):
            return True
        if reader.type not in PASS_THROUGH:
            return False
        slot = [each.name for each in reader.inputs].index(tensor.name)
        passed = reader.outputs[slot]
        return any(self._leaves(created, operation, passed, readers) for operation in readers[passed.name])

    def _same_call(self, created: _Created, operation: Any) -> bool:
        other = self._created.get(operation.name)
        return other is not None and other.site is created.site


class _Names:
    """Names for functions, "block/add", "block/add#2", that no layer and no other function has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def of(self, layer: str, kind: str) -> str:
        """The next name of a kind of function in a layer."""
        first = f"{base_name(layer)}/{kind}".removeprefix("/")
        name, number = first, 1
        while name in self._taken:
            number += 1
            name = f"{first}#{number}"
        self._taken.add(name)
        return name


def _kind(created: "list[_Created]") -> str:
    first, last = created[0], created[-1]
    if not first.call.is_open:
        return first.name
    return first.operation.type if len(created) == 1 or not last.name else last.name


def _layer_tensor_of(name: str, result: _Result) -> LayerTensor:
    y = result.tensor
    key = result.created.key
    assert key is not None
    return LayerTensor(
        name,
        result.kind,
        tuple(y.shape),
        y.dtype,
        origin=Origin(key, result.index, result.slot),
        is_rectified=is_rectified(y),
    )


def _readers(graph: Any) -> Mapping[str, list[Any]]:
    """The operations that read each tensor."""
    readers: defaultdict[str, list[Any]] = defaultdict(list)
    for operation in graph.get_operations():
        for tensor in operation.inputs:
            readers[tensor.name].append(operation)
    return readers


def _varying(graph: Any, image: Any) -> "set[str]":
    """The tensors whose values depend on the image."""
    varying = {image.name}
    for operation in graph.get_operations():
        if operation.type not in _SHAPES and any(tensor.name in varying for tensor in operation.inputs):
            varying.update(tensor.name for tensor in operation.outputs)
    return varying


def is_activation(y: Any, image: Any) -> bool:
    """Whether this is one floating tensor, batch first, of the function being traced itself and not of a loop in it."""
    if not (tf.is_tensor(y) and y.graph is image.graph and y.dtype.is_floating):
        return False
    return bool(y.shape.rank and y.shape[0] == image.shape[0])
