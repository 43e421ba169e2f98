"""Functions of one tensor, element by element: y = f(x) with f(x) / x, or the secant, for the slope."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from crosslens.model.backward_rules import close_pairs

from .elementwise import (
    ACTIVATIONS,
    NONLINEAR,
    PIECES,
    SIDES,
    SMOOTH,
    gives_out,
    has_own_rule,
    is_shifted_clip,
    operations_between,
    same_shape,
    single_source,
)
from .graph_facts import GraphFacts, compute_anew
from .pairs import both, halves, is_paired, quotient
from .sweep import pull_back

__all__ = ["Function", "are_close", "functions_of_one", "ratio", "secant"]

_JOINS = frozenset({"Mul", "RealDiv", "DivNoNan", "Select", "SelectV2"})
_ARITHMETIC = frozenset({"Add", "AddV2", "Sub", "Neg", "Mul", "Identity", "IdentityN", "Cast"})
_ENDS = NONLINEAR | _JOINS | {"IdentityN"}
NEAR = 1e-10
"""Below it, |x| or |x - x'|, the slope is the derivative."""


@dataclass(frozen=True)
class Function:
    """y = f(x) in a graph."""

    x: Any
    y: Any
    operations: Mapping[str, Any]
    """By name, what computes y."""

    def derivative(self, dy: Any) -> Any:
        """f'(x) dy."""
        return self.derivatives([self.x], dy)[0]

    def derivatives(self, sources: Sequence[Any], dy: Any) -> list[Any]:
        """Of y with respect to x or tensors between, times dy."""
        return pull_back([self._inner], [dy], sources, stop=True)

    def has_inside(self, tensor: Any) -> bool:
        """Whether y is computed from x by way of this tensor."""
        return tensor.op.name in self.operations and tensor.name not in {self.x.name, self.y.name}

    def derivative_at_zero(self) -> Any:
        """f'(0), in a shape that broadcasts with x; None where f differs from place to place."""
        constants = [
            tensor
            for operation in self.operations.values()
            for tensor in operation.inputs
            if tensor.op.name not in self.operations and tensor.name != self.x.name
        ]
        if any(tensor.shape.num_elements() != 1 for tensor in constants) or self.x.shape.rank is None:
            return None
        zero = tf.zeros([1] * self.x.shape.rank, self.x.dtype)
        y = compute_anew(self._inner, {self.x.name: zero}, self.operations)
        (dx,) = pull_back([y], [tf.ones_like(y)], [zero], stop=True)
        return dx

    @property
    def _inner(self) -> Any:
        """y, or what is given out as y by a `tf.custom_gradient`."""
        return self.y.op.inputs[self.y.value_index] if self.y.op.type == "IdentityN" else self.y


def ratio(f: Function, dy: Any) -> Any:
    """dy f(x) / x, and dy f'(x) near x = 0."""
    near = tf.abs(f.x) <= NEAR
    slope = f.y / tf.where(near, tf.ones_like(f.x), f.x)
    at_zero = f.derivative_at_zero()
    if at_zero is not None:
        return dy * tf.where(near, tf.broadcast_to(at_zero, tf.shape(slope)), slope)
    return tf.where(near, f.derivative(dy), dy * slope)


def secant(f: Function, dy: Any) -> Any:
    """dy (f(x) - f(x')) / (x - x'), and dy f'(x) near x = x', for images and then as many references.

    The quotient of two close values loses digits: there a smooth function has the mean of both f', a linear piece f'.
    """
    (x, reference), (y, other) = halves(f.x), halves(f.y)
    closed = _closed(f.y.op, x, reference, y, other)
    if closed is not None:
        return dy * both(closed)
    near = tf.abs(x - reference) <= NEAR
    types = {operation.type for operation in f.operations.values()} - _ARITHMETIC
    if not types or not (types <= SMOOTH or types in ({each} for each in SIDES | PIECES)):
        slope = quotient(y - other, x - reference, near)
        return tf.where(both(near), f.derivative(dy), dy * both(slope))
    own, others = halves(f.derivative(tf.ones_like(f.y)))
    if types <= PIECES:
        near |= own == others
    elif types <= SIDES:
        near |= are_close(x, reference) & ((x < 0) == (reference < 0))
    else:
        near = are_close(x, reference)
    return dy * both(tf.where(near, (own + others) / 2, quotient(y - other, x - reference, near)))


def _closed(operation: Any, x: Any, reference: Any, y: Any, other: Any) -> Any:
    """The secant without a quotient of differences, of powers; None of other functions.

    Args:
        operation: the one that gives y.
        x: the images' half of its argument.
        reference: the other half.
        y: f(x).
        other: f(x').
    """
    kind = operation.type
    if kind == "Pow":
        power = tf.get_static_value(operation.inputs[1])
        kind = kind if power is None or power.size != 1 else {2.0: "Square", 3.0: "Cube"}.get(float(power.item()), kind)
    closed = {
        "Square": lambda: x + reference,
        "Cube": lambda: x * x + x * reference + reference * reference,
        "Reciprocal": lambda: -y * other,
        "RealDiv": lambda: -y / reference,
        "Rsqrt": lambda: -((y * other) ** 2) / (y + other),
    }.get(kind)
    return None if closed is None else closed()


def are_close(x: Any, reference: Any) -> Any:
    """Where the difference of a smooth function's values would lose digits, and where both are infinite."""
    return ~(tf.abs(x - reference) >= close_pairs(8 * x.dtype.size))


def functions_of_one(facts: GraphFacts, *, secants: bool) -> Iterable[Function]:
    """The functions of one tensor in a graph that a rule for the slope is about.

    Args:
        facts: of the graph.
        secants: all functions that are not linear; else activation functions, products of a chain with itself and
            choices by it among them.
    """
    for operation in facts.operations:
        if not facts.varying_inputs(operation) or operation.type not in _ENDS or has_own_rule(operation):
            continue
        for slot, y in enumerate(operation.outputs):
            x = _argument(operation, slot, facts, secants)
            if x is None or not (facts.readers[y.name] and facts.varies(x) and same_shape(x, y)):
                continue
            if not secants or is_paired(x):
                yield Function(x, y, operations_between(x, y))


def _argument(operation: Any, slot: int, facts: GraphFacts, secants: bool) -> Any:
    """What an operation's result is a function of; None where no rule is about it."""
    inputs = facts.varying_inputs(operation)
    if gives_out(operation):
        return _inside_custom_gradient(operation, slot, facts, secants)
    if operation.type in {"Select", "SelectV2"} and operation.inputs[0].name in facts.varying:
        return single_source(operation, facts)
    if len(inputs) == 1:
        return _of_operation(operation, inputs[0], facts, secants)
    if secants or operation.type not in {"Mul", "RealDiv", "DivNoNan"}:
        return None
    x = single_source(operation, facts)
    return None if x is None or all(tensor.name == x.name for tensor in operation.inputs) else x


def _of_operation(operation: Any, place: int, facts: GraphFacts, secants: bool) -> Any:
    x = operation.inputs[place]
    if secants:
        divides = operation.type in {"RealDiv", "DivNoNan"} and place == 1
        return x if operation.type in NONLINEAR or divides else None
    if (before := is_shifted_clip(operation, facts)) is not None:
        return before
    return x if operation.type in ACTIVATIONS - {"Relu", "LeakyRelu"} else None


def _inside_custom_gradient(operation: Any, slot: int, facts: GraphFacts, secants: bool) -> Any:
    """For what `tf.custom_gradient` gives out: the tensor that it is an elementwise function of, as of tf.nn.silu."""
    inner = operation.inputs[slot]
    count = len(facts.varying_inputs(inner.op))
    if inner.op.type in (NONLINEAR if secants else ACTIVATIONS) or (inner.op.type in _JOINS and count > 1):
        return single_source(inner.op, facts)
    return None
