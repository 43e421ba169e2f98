"""Where in a traced graph the linear map of one layer is: from its input to its output with the bias, no activation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from crosslens.arrays import Array, as_numpy
from crosslens.errors import ModelError

from .graph_facts import MOVES, GraphFacts, compute_anew
from .sweep import pull_back

__all__ = ["LayerRun", "LinearMap", "find_linear_map"]

_ADD = frozenset({"BiasAdd", "AddV2", "Add"})
_LOOPS = frozenset({"While", "StatelessWhile"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


@dataclass(frozen=True)
class LayerRun:
    """One call of a layer in a trace."""

    name: str
    source: Any
    """The Keras layer; None of an operation of a SavedModel."""
    kernel: Any
    """The tensor that the call read as its kernel."""
    bias: Any
    """As `kernel`; None for a layer without."""
    operations: Sequence[Any]
    """What was created during the call."""


@dataclass(frozen=True)
class LinearMap:
    """y = K x + b of one layer in a graph, x and y as the layer's own layout has them."""

    run: LayerRun
    start: Any
    """x."""
    product: Any
    """K x."""
    end: Any
    """y; the same as `product` without a bias."""
    core: Any
    """The operation that multiplies."""

    def apply(self, x: Any, kernel: Any) -> Any:
        """K x for another kernel, of the layout that the network stores, and another x."""
        if self.core.type in _CALLS:  # a compiled function: a copy of it would have no gradient
            return self.run.source.convolution_op(x, kernel)
        inside = {operation.name for operation in self.run.operations}
        return compute_anew(self.product, {self.start.name: x, self.run.kernel.name: kernel}, inside)

    def pull(self, dy: Any) -> Any:
        """K' dy for the layer's own kernel."""
        return pull_back([self.product], [dy], [self.start], stop=True)[0]

    def along_inputs(self, values: Array) -> Any:
        """Numbers (in,), one for each input channel, so that they broadcast with x."""
        return tf.constant(self._placed(as_numpy(values), self.start, 0), self.start.dtype)

    def with_border(self, u: Any, border: Sequence[tuple[int, int]]) -> Any:
        """`u`, of the shape of x, with 0 in that many places at both ends of each axis of positions."""
        if not any(map(any, border)):
            return u
        channels = _channel_axis(self) % u.shape.rank
        axes = [axis for axis in range(1, u.shape.rank) if axis != channels]
        for axis, (low, high) in zip(axes, border, strict=True):
            places, count = tf.range(tf.shape(u)[axis]), tf.shape(u)[axis]
            inner = tf.cast((places >= low) & (places < count - high), u.dtype)
            u *= tf.reshape(inner, [-1 if each == axis else 1 for each in range(u.shape.rank)])
        return u

    def along_outputs(self, values: Array) -> Any:
        """Numbers (out,), one for each output channel, so that they broadcast with y."""
        return tf.constant(self._placed(as_numpy(values), self.end, 1), self.end.dtype)

    def _placed(self, values: Array, tensor: Any, side: int) -> Array:
        if isinstance(self.run.source, keras.layers.EinsumDense):
            return _by_letters(self.run, values, tensor.shape.rank, side)
        shape = [1] * tensor.shape.rank
        shape[_channel_axis(self)] = len(values)
        return values.reshape(shape)


def find_linear_map(run: LayerRun, facts: GraphFacts) -> LinearMap | None:
    """The linear map of one call of a layer; None where the call does not depend on the image.

    Raises:
        ModelError: the kernel is used within a loop, or in several places.
    """
    inside = {operation.name for operation in run.operations}
    constant, products = {run.kernel.name}, []
    for operation in run.operations:
        if any(tensor.name in constant for tensor in operation.inputs):
            if facts.varying_inputs(operation):
                products.append(operation)
            else:
                constant.update(tensor.name for tensor in operation.outputs)
    if not products:
        return None
    core = products[0]
    places = facts.varying_inputs(core)
    compiled = core.type in _CALLS and not hasattr(run.source, "convolution_op")
    if compiled or core.type in _LOOPS or len(products) > 1 or len(places) > 1 or len(core.outputs) > 1:
        raise ModelError(
            f"a kernel rule cannot reach the linear map of layer {run.name!r}: its kernel is used within a loop, in a "
            "tf.function or in several places; leave the layer out of kernels="
        )
    start = _before(core.inputs[places[0]], inside, facts)
    product, end = _behind(core.outputs[0], run, inside, facts)
    return LinearMap(run, start, product, end, core)


def _before(x: Any, inside: set[str], facts: GraphFacts) -> Any:
    """The layer's input, from what enters the product: padded, reshaped or transposed in between."""
    while x.op.name in inside and x.op.type in MOVES and facts.varying_inputs(x.op) == [0]:
        x = x.op.inputs[0]
    return x


def _behind(y: Any, run: LayerRun, inside: set[str], facts: GraphFacts) -> tuple[Any, Any]:
    """The product in the layout of the layer's output, and with the bias."""
    biases = {run.bias.name} if run.bias is not None else set()
    for operation in run.operations:
        if operation.type in MOVES and operation.inputs[0].name in biases:
            biases.add(operation.outputs[0].name)
    while True:
        readers = [each for each in facts.readers[y.name] if each.name in inside and facts.varying_inputs(each)]
        readers = [each for each in readers if any(facts.varies(tensor) for tensor in each.outputs)]
        if len(readers) != 1:
            return y, y
        (reader,) = readers
        if reader.type in _ADD and any(tensor.name in biases for tensor in reader.inputs):
            return y, reader.outputs[0]
        if reader.type not in MOVES or reader.inputs[0].name != y.name:
            return y, y
        y = reader.outputs[0]


def _channel_axis(found: LinearMap) -> int:
    source = found.run.source
    if source is not None:
        return 1 if getattr(source, "data_format", "channels_last") == "channels_first" else -1
    attributes = found.core.node_def.attr
    return 1 if attributes["data_format"].s.startswith(b"NC") else -1


def _by_letters(run: LayerRun, values: Array, rank: int, side: int) -> Array:
    """For "abc,cde->abde": the letters of the kernel that the result has are outputs, the others inputs."""
    inputs, result = run.source.equation.split("->")
    read, letters = inputs.split(",")
    letters = letters.replace("...", "")
    own = [letter for letter in letters if (letter in result) == bool(side)]
    sizes = {letter: int(run.kernel.shape[place]) for place, letter in enumerate(letters)}
    term = result if side else read
    placed = _full(term, rank)
    shape = [sizes[letter] if letter in own else 1 for letter in placed]
    ordered = sorted(own, key=placed.index)
    values = np.reshape(values, [sizes[letter] for letter in own])
    return values.transpose([own.index(letter) for letter in ordered]).reshape(shape)


def _full(term: str, rank: int) -> list[str]:
    """A term of an equation, one letter for each axis; blanks for those of "..."."""
    before, dots, behind = term.partition("...")
    return [*before, *[" "] * (rank - len(before) - len(behind)), *behind] if dots else [*term]
