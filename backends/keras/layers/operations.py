"""Hooks on the operations that are created while a function is traced; another tensor can replace a result.

One method of the graph creates all of its operations, whatever library asks for them, so that method is replaced.
Operations created later read the other tensor, as with `input_map` in `tf.graph_util.import_graph_def`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

__all__ = [
    "PASS_THROUGH",
    "LayerCall",
    "OperationHooks",
    "OperationKey",
    "base_name",
    "before_activation",
    "ends_custom_gradient",
    "kind_of",
    "runs_own_code",
]

OperationKey = tuple[str, str, int]
"""The layer that was running when an operation was created, the operation's type, and its number among those."""

PASS_THROUGH = frozenset({"Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape"})
"""Operations that return their input's values."""
_SOURCES = frozenset({"Const", "Placeholder", "NoOp", "ReadVariableOp", "VarHandleOp"})


@dataclass(frozen=True)
class LayerCall:
    """A layer that is being called."""

    name: str
    is_open: bool
    """Whether the network's own code runs in it; Keras' own layers are closed."""


class OperationHooks:
    """Calls `seen` with each operation that is created in the open layers of a graph being traced."""

    def __init__(self, graph: Any, seen: Callable[[OperationKey | None, Any, LayerCall], None]) -> None:
        self.graph, self._seen, self._make = graph, seen, graph._create_op_internal
        self._calls: list[LayerCall] = []
        self._instead: dict[int, tuple[Any, Any]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        graph._create_op_internal = self._create

    def give(self, tensor: Any, instead: Any) -> None:
        """All operations created from now on read `instead` in place of `tensor`."""
        self._instead[id(tensor)] = (tensor, instead)

    @contextmanager
    def calling(self, name: str, operation: Any) -> Iterator[None]:
        """Within the block this layer is being called; the root's name is empty."""
        self._calls.append(LayerCall(name, runs_own_code(operation)))
        try:
            yield
        finally:
            self._calls.pop()

    def key(self, name: str, kind: str) -> OperationKey:
        """The next key of a kind of operation in a layer."""
        at = (base_name(name), kind)
        self._counts[at] += 1
        return (*at, self._counts[at])

    def _create(self, op_type: str, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        read = [self._instead.get(id(tensor), (None, tensor))[1] for tensor in inputs]
        operation = self._make(op_type, read, *args, **kwargs)
        if self._calls and self._calls[-1].is_open and op_type not in _SOURCES:
            call = self._calls[-1]
            self._seen(None if op_type in PASS_THROUGH else self.key(call.name, op_type), operation, call)
        return operation


def base_name(name: str) -> str:
    """A layer's name without the number of the call."""
    head, mark, number = name.rpartition("#")
    return head if mark and number.isdigit() else name


def runs_own_code(operation: Any) -> bool:
    """Whether a layer runs code of the network's own: its `call` is not defined in Keras, or it is a Lambda."""
    code = getattr(type(operation), "call", None)
    module = getattr(code, "__module__", None) or type(operation).__module__
    return isinstance(operation, keras.layers.Lambda) or not module.startswith("keras.")


def ends_custom_gradient(operation: Any) -> bool:
    """Whether a `tf.custom_gradient` ends here: its results come first, and no gradient reaches what is inside."""
    return bool(operation.type == "IdentityN" and b"_gradient_op_type" in operation.node_def.SerializeToString())


@contextmanager
def before_activation(operation: Any, see: Callable[[Any], Any]) -> Iterator[None]:
    """Within the block `see` gets what a layer gives to its fused activation, and returns what that is called on.

    In a layer of the network's own, `see` is left out: its functions are seen one by one.
    """
    activation = vars(operation).get("activation")
    plain = activation is keras.activations.linear or isinstance(operation, keras.layers.Activation)
    if plain or not callable(activation) or not isinstance(operation, keras.Layer):
        yield
        return

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        return activation(x if runs_own_code(operation) else see(x), *args, **kwargs)

    vars(operation)["activation"] = call
    try:
        yield
    finally:
        vars(operation)["activation"] = activation


_KINDS = {
    "AddV2": "add",
    "AddN": "add",
    "BiasAdd": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "RealDiv": "divide",
    "DivNoNan": "divide",
    "ConcatV2": "concat",
    "BatchMatMulV2": "matmul",
    "MatMul": "matmul",
    "Conv2D": "conv2d",
    "Conv3D": "conv3d",
    "DepthwiseConv2dNative": "depthwise_conv2d",
    "Conv2DBackpropInput": "conv2d_transpose",
    "MaxPool": "max_pool2d",
    "MaxPoolV2": "max_pool2d",
    "AvgPool": "avg_pool2d",
    "MaxPool3D": "max_pool3d",
    "AvgPool3D": "avg_pool3d",
    "Swish": "silu",
    "If": "cond",
    "StatelessIf": "cond",
    "StatelessWhile": "while",
    "PartitionedCall": "function",
    "StatefulPartitionedCall": "function",
}


def kind_of(word: str) -> str:
    """The readable name of an operation's type: LeakyRelu as leaky_relu, AddV2 as add."""
    if word in _KINDS:
        return _KINDS[word]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"V\d+$", "", word))
    return "silu" if spaced.lower() == "swish" else spaced.lower()
