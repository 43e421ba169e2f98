"""Networks of several inputs: one is explained, the others get fixed values (`inputs=`), as constants of the graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from crosslens.errors import ModelError, did_you_mean
from crosslens.model import INPUT
from crosslens.model.other_inputs import hold_style_weights
from onnx import helper

from ..ir.graph import BOOL, Graph, Node, Type
from ..ir.tensor_values import known_type
from .reserved_names import loaded_name

__all__ = ["fix_inputs", "repeat_fixed_inputs", "written_type"]

FixedInputs = Mapping[str, "np.ndarray[Any, Any]"]


def fix_inputs(graph: Graph, values: dict[str, Any] | None) -> FixedInputs:
    """Replace, in place, all inputs but one by constants.

    Returns:
        The values, by name, that must be repeated for each image of a batch: see `repeat_fixed_inputs`.

    Raises:
        ModelError: not exactly one input is left without a value; a name, shape or type is wrong.
    """
    values = {} if values is None else values
    hold_style_weights(values, {name: kind.dims for name, kind in graph.inputs.items()})
    values = {loaded_name(name, graph.inputs): value for name, value in values.items()}
    for name in values:
        if name not in graph.inputs:
            hint = did_you_mean(name, graph.inputs)
            raise ModelError(f"inputs= names {name!r}; the network's inputs are {', '.join(graph.inputs)}.{hint}")
    left = [name for name in graph.inputs if name not in values]
    if len(left) != 1:
        raise ModelError(_message(graph, left))
    batch = (graph.inputs[left[0]].dims or (None,))[0]
    batched: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in values.items():
        array, repeated = _fit_to_input(name, graph.inputs.pop(name), value, batch)
        constant = graph.unique_name(f"{name}:constant") if repeated else name
        graph.constants[constant] = array
        graph.types[constant] = Type(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        if repeated:
            batched[name] = array
            graph.nodes.insert(0, graph.node("Identity", constant, outputs=[name]))
    return batched


def repeat_fixed_inputs(graph: Graph, names: FixedInputs) -> None:
    """Repeat fixed values for each image, in place: `Where` with a condition per image and the same value twice.

    A condition passes no gradient on, and shape inference follows the batch through it; through `Expand` it would not.
    """
    if not names:
        return
    body, graph.nodes = graph.nodes, []
    places = range(1, len(graph.inputs[INPUT].dims or ()))
    first = graph.op("Slice", INPUT, graph.ints([0] * len(places)), graph.ints([1] * len(places)), graph.ints(places))
    each = graph.op("Squeeze", graph.op("Cast", first, to=BOOL), graph.ints(places))
    repeated = {
        name: _repeat_rows(graph, node, each, names[name]) for node in body for name in node.outputs if name in names
    }
    graph.nodes += [repeated.get(node.outputs[0], node) for node in body]


def _repeat_rows(graph: Graph, node: Node, each: str, value: "np.ndarray[Any, Any]") -> Node:
    axes = graph.ints(range(1, value.ndim))
    condition = graph.op("Unsqueeze", each, axes) if value.ndim > 1 else each
    return graph.node("Where", condition, node.inputs[0], node.inputs[0], outputs=list(node.outputs))


def _message(graph: Graph, left: list[str]) -> str:
    named = ", ".join(f"{name!r} {written_type(kind)}" for name, kind in graph.inputs.items())
    if not left:
        return f"inputs= gives values for all inputs, {named or 'none'}; leave out the one to explain"
    others = ", ".join(f"{name!r}: array" for name in left if name != _likely(graph, left))
    several = f"the network has {len(graph.inputs)} inputs: {named}"
    if len(left) < len(graph.inputs):
        several += f", of which {', '.join(map(repr, left))} have no value"
    return f"{several}; one is explained, give values for the others: inputs={{{others}}}" if graph.inputs else several


def _likely(graph: Graph, left: list[str]) -> str:
    """The input that looks most like an image."""
    kinds = {name: graph.inputs[name] for name in left}
    return max(left, key=lambda name: (len(kinds[name].dims or ()) == 4, kinds[name].is_float, -left.index(name)))


def _fit_to_input(name: str, kind: Type, value: Any, batch: int | str | None) -> tuple["np.ndarray[Any, Any]", bool]:
    """The value in the input's type, and whether it is one row that is repeated for every image.

    Raises:
        ModelError: shape or type does not fit.
    """
    values = np.asarray(value)
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem)
    array = values.astype(dtype)
    if values.dtype.kind not in "biuf" or (array.dtype.kind in "biu" and not np.array_equal(array, values)):
        raise ModelError(
            f"inputs[{name!r}] has {values.dtype} values that {_element(kind)} cannot represent; give {_element(kind)}"
        )
    if not kind.dims:
        return array, False
    array = array[None] if array.ndim == len(kind.dims) - 1 else array
    first, rows = kind.dims[0], array.shape[0] if array.ndim else 0
    if first == batch and isinstance(first, int) and rows == 1:
        array, rows = np.repeat(array, first, axis=0), first
    alike = [not isinstance(d, int) or d == n for d, n in zip(kind.dims, array.shape, strict=False)]
    if array.ndim != len(kind.dims) or not all(alike) or (first == batch and isinstance(first, str) and rows != 1):
        raise ModelError(
            f"inputs[{name!r}] has shape {values.shape}; the network takes {written_type(kind)}: give one row, for all "
            "images"
        )
    return array, isinstance(first, str) and rows == 1


def _element(kind: Type) -> str:
    return known_type(kind.elem) or f"of the unknown element type {kind.elem}"


def written_type(kind: Type) -> str:
    """An element type and sizes for messages: "float (any, 3, 224, 224)"."""
    sizes = "of unknown rank" if kind.dims is None else "(" + ", ".join(_plain(d) for d in kind.dims) + ")"
    return f"{_element(kind)} {sizes}"


def _plain(dim: int | str) -> str:
    return "any" if isinstance(dim, str) else str(dim)
