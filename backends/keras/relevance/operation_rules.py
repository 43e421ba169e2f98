"""The rules for slopes, normalisations and products, by the operation of a graph that each is at."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf
from crosslens.model.backward_rules import BackwardRules

from .elementwise import LINEAR, NONLINEAR, PRODUCTS, operations_between, single_source
from .functions import Function, functions_of_one, ratio, secant
from .graph_facts import GraphFacts
from .local_response import response_parts
from .pairs import is_paired
from .secants import SECANTS, TWO_FACTORS
from .sweep import ASIDE, Flows, Rule, operation_gradients

__all__ = ["operation_rules", "without_secant"]

_POWERS = frozenset({"Square", "Pow", "Sqrt", "Rsqrt", "Reciprocal", "Inv"})


def operation_rules(rules: BackwardRules, facts: GraphFacts, sources: Sequence[Any]) -> dict[str, Rule]:
    """The rules by the names of operations of a graph; a later one in this order takes the place of an earlier.

    Args:
        rules: of `Model.modified`.
        facts: of the graph.
        sources: the tensors at which gradients are asked for; some may be within a function that is written out.
    """
    found: dict[str, Rule] = {}
    if rules.products == "half":
        found |= {operation.name: _halved for operation in _products(facts)}
    if rules.slope == "secant":
        found |= dict(_secants(facts))
    if rules.slope != "exact":
        found |= _slopes(rules.slope, facts, sources)
    if rules.norms == "stop":
        found |= {operation.name: _stop for operation in facts.operations if _is_deviation(operation, facts)}
        lrn = (operation for operation in facts.operations if operation.type == "LRN")
        found |= {operation.name: _local_response_stopped for operation in lrn}
    return found


def without_secant(facts: GraphFacts) -> tuple[str, ...]:
    """The types of the operations that keep their derivative though they are not linear, sorted."""
    known = {f.y.op.name for f in functions_of_one(facts, secants=True)} | dict(_secants(facts)).keys()
    return tuple(
        sorted(
            {
                operation.type
                for operation in facts.operations
                if facts.varying_inputs(operation)
                and any(tensor.dtype.is_floating and facts.readers[tensor.name] for tensor in operation.outputs)
                and operation.name not in known
                and not _is_linear(operation, facts)
            }
        )
    )


def _is_linear(operation: Any, facts: GraphFacts) -> bool:
    if operation.type in {"PartitionedCall", "StatefulPartitionedCall"}:
        return "conv_xla" in operation.node_def.attr["f"].func.name  # of Keras, for convolutions in groups
    inputs = facts.varying_inputs(operation)
    if operation.type in {"Select", "SelectV2"}:
        return operation.inputs[0].name not in facts.varying
    if operation.type in PRODUCTS | {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"}:
        return len(inputs) == 1
    if operation.type in {"RealDiv", "DivNoNan"}:
        return inputs == [0]
    return operation.type in LINEAR


def _products(facts: GraphFacts) -> Iterable[Any]:
    """Products of two inputs that vary; a deviation that a normalisation divides by counts as constant.

    A product that is an activation function of one tensor, as x * sigmoid(x), is none.
    """
    deviations = (operation for operation in facts.operations if _is_deviation(operation, facts))
    cut = facts.without([tensor for operation in deviations for tensor in operation.outputs])
    for operation in facts.operations:
        if operation.type not in PRODUCTS or len(cut.varying_inputs(operation)) != 2:
            continue
        if operation.type != "Mul" or not _is_activation(operation, facts):
            yield operation


def _is_activation(operation: Any, facts: GraphFacts) -> bool:
    x = single_source(operation, facts)
    if x is None or all(tensor.name == x.name for tensor in operation.inputs):
        return False
    return any(each.type in NONLINEAR - _POWERS for each in operations_between(x, operation.outputs[0]).values())


def _is_deviation(operation: Any, facts: GraphFacts) -> bool:
    """Whether this is a square root, or one over it."""
    if not facts.varying_inputs(operation):
        return False
    if operation.type == "Pow":
        power = tf.get_static_value(operation.inputs[1])
        return power is not None and bool((abs(power) == 0.5).all())
    return operation.type in {"Sqrt", "Rsqrt"}


def _secants(facts: GraphFacts) -> Iterable[tuple[str, Rule]]:
    for operation in facts.operations:
        count = len(facts.varying_inputs(operation))
        table = TWO_FACTORS if count == 2 else SECANTS if count == 1 else {}
        tensors = [operation.inputs[place] for place in facts.varying_inputs(operation)]
        paired = all(map(is_paired, [*tensors, *operation.outputs]))
        if operation.type in table and paired:
            yield operation.name, table[operation.type]
        if operation.type == "StopGradient" and "logsumexp" in operation.name.lower():
            yield operation.name, _through  # the maximum cancels in the derivative, and not in a secant


def _slopes(slope: str, facts: GraphFacts, sources: Sequence[Any]) -> dict[str, Rule]:
    by_name: dict[str, dict[str, Function]] = {}
    for f in functions_of_one(facts, secants=slope == "secant"):
        by_name.setdefault(f.y.op.name, {})[f.y.name] = f
    rule = secant if slope == "secant" else ratio
    return {name: partial(_with_slope, rule, functions, sources) for name, functions in by_name.items()}


def _with_slope(
    rule: Callable[[Function, Any], Any],
    functions: dict[str, Function],
    sources: Sequence[Any],
    operation: Any,
    cotangents: Sequence[Any],
) -> Flows:
    """The gradients under the rule at each function's argument; at tensors within a function the derivative.

    Args:
        rule: `ratio` or `secant`.
        functions: by the name of their result.
        sources: where gradients are asked for.
        operation: the one that gives the results.
        cotangents: the gradients at them.
    """
    for tensor, dy in zip(operation.outputs, cotangents, strict=True):
        if dy is not None and tensor.name in functions:
            f = functions[tensor.name]
            yield f.x, rule(f, dy)
            inside = [source for source in sources if f.has_inside(source)]
            yield from ((source, dx, ASIDE) for source, dx in zip(inside, f.derivatives(inside, dy), strict=True))


def _halved(operation: Any, cotangents: Sequence[Any]) -> Flows:
    for tensor, dx in zip(operation.inputs, operation_gradients(operation, cotangents), strict=True):
        yield tensor, None if dx is None else dx / 2


def _through(operation: Any, cotangents: Sequence[Any]) -> Flows:
    return [(operation.inputs[0], cotangents[0])]


def _stop(operation: Any, cotangents: Sequence[Any]) -> Flows:
    return ()


def _local_response_stopped(operation: Any, cotangents: Sequence[Any]) -> Flows:
    base, exponent, _ = response_parts(operation)
    return [(operation.inputs[0], cotangents[0] * base**exponent)]
