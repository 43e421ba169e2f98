"""Checks a derivative rule against central differences of what onnxruntime computes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, helper

from ..ir.graph import Graph, Type
from ..ir.prune import prune
from ..ir.session import open_session
from ..load.load import graph_of, read_model
from ..shapes.constant_folding import fold
from .reverse import append_gradients

__all__ = ["check_rule"]

STEP = 1e-2
"""Step of the central differences: in float32, truncation and rounding errors are about equal here."""

Arrays = Mapping[str, np.ndarray[Any, Any]]


def check_rule(
    model: ModelProto, inputs: Arrays | None = None, *, tolerance: float = 1e-2, step: float = STEP, seed: int = 0
) -> None:
    """Compare the gradients of a small model, by its operators' rules, with central differences of its forward pass.

    Every element of every floating input is moved both ways, so keep the model small: one node, a hundred numbers.

    Args:
        model: one node of the operator is enough. Its functions are inlined, as `crosslens.wrap` does.
        inputs: by name; normal random numbers of the declared shapes, 2 for a free size, where not given. Keep away
            from kinks and poles: differences across them are not derivatives.
        tolerance: largest difference allowed, relative to the largest gradient of that input.
        step: how far each element is moved.
        seed: of the random inputs and of the cotangents.

    Raises:
        AssertionError: a gradient is wrong; the message names the input, the index and both numbers.
        UnsupportedOperators: operators without a rule; all of them are named.
        ModelError: the model is not valid, or onnxruntime cannot run it.
    """
    rng = np.random.default_rng(seed)
    graph = graph_of(*read_model(model))
    given = {name: (inputs or {}).get(name, _random_values(kind, rng)) for name, kind in graph.inputs.items()}
    graph.inputs = {name: Type(_elem(value), value.shape) for name, value in given.items()}
    fold(graph)
    _measure(graph, given)
    outputs = [name for name in graph.outputs if graph.types[name].is_float]
    dys = {name: np.asarray(rng.standard_normal(graph.sizes(name, slice(None))), np.float32) for name in outputs}
    moved = [name for name, kind in graph.inputs.items() if kind.is_float]
    actual = _by_rule(graph, given, dys, moved)
    for name in moved:
        _compare(name, actual[name], _by_differences(graph, given, dys, name, step), tolerance)


def _random_values(kind: Type, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    shape = [2 if isinstance(size, str) else size for size in kind.dims or ()]
    values = rng.standard_normal(shape) if kind.is_float else rng.integers(0, 2, shape)
    return np.asarray(values, helper.tensor_dtype_to_np_dtype(kind.elem))


def _elem(value: np.ndarray[Any, Any]) -> int:
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))


def _measure(graph: Graph, given: Arrays) -> None:
    """Set the types of all tensors from one run: onnx infers no shapes behind operators that it does not define."""
    run = graph.copy()
    run.outputs = [name for node in graph.nodes for name in node.outputs if name]
    values = open_session(run, optimise=False).run(None, dict(given))
    graph.types |= {name: Type(_elem(v), v.shape) for name, v in zip(run.outputs, values, strict=True)}


def _by_rule(graph: Graph, given: Arrays, dys: Arrays, wrt: list[str]) -> Arrays:
    graph, seeds = graph.copy(), {}
    for name, dy in dys.items():
        seeds[name] = graph.unique_name(f"seed:{name}")
        graph.inputs[seeds[name]] = graph.types[seeds[name]] = Type(graph.elem(name), dy.shape)
    gradients = append_gradients(graph, seeds, wrt)
    graph.outputs = [graph.op("Identity", gradients[name]) for name in wrt]
    graph.types |= {out: graph.types[name] for out, name in zip(graph.outputs, wrt, strict=True)}
    prune(graph)
    every = {**given, **{seeds[name]: dy.astype(_dtype(graph, seeds[name])) for name, dy in dys.items()}}
    values = open_session(graph).run(None, {name: every[name] for name in graph.inputs})
    return dict(zip(wrt, values, strict=True))


def _dtype(graph: Graph, name: str) -> Any:
    return helper.tensor_dtype_to_np_dtype(graph.inputs[name].elem if name in graph.inputs else graph.elem(name))


def _by_differences(graph: Graph, given: Arrays, dys: Arrays, name: str, step: float) -> np.ndarray[Any, Any]:
    forward = graph.copy()
    forward.outputs = list(dys)
    prune(forward)
    session = open_session(forward, optimise=False)
    gradient = np.zeros(given[name].shape)
    if name not in forward.inputs:
        return gradient
    for index in np.ndindex(*gradient.shape):
        low, high = (
            session.run(None, {key: moved[key] for key in forward.inputs})
            for moved in _either_side(given, name, index, step)
        )
        pairs = zip(low, high, dys.values(), strict=True)
        gradient[index] = sum(float(((b.astype(float) - a) * dy).sum()) for a, b, dy in pairs) / (2 * step)
    return gradient


def _either_side(given: Arrays, name: str, index: tuple[int, ...], step: float) -> Iterator[Arrays]:
    for sign in (-1, 1):
        moved = given[name].copy()
        moved[index] += sign * step
        yield {**given, name: moved}


def _compare(name: str, actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], tolerance: float) -> None:
    assert actual.shape == expected.shape, (
        f"the gradient of {name!r} has shape {actual.shape}, the input {expected.shape}"
    )
    error = np.abs(actual - expected)
    if not error.size:
        return
    index = tuple(int(n) for n in np.unravel_index(np.nanargmax(np.where(np.isnan(error), np.inf, error)), error.shape))
    assert error[index] <= tolerance * max(float(np.abs(expected).max()), 1e-3), (
        f"the gradient of {name!r} at {index} is {actual[index]:.6g} by the rule and {expected[index]:.6g} by central "
        f"differences, {int((error > tolerance * np.abs(expected).max()).sum())} of {error.size} elements differ"
    )
