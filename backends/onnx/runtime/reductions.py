"""Programs that reduce layers inside the graph: what leaves it are a few numbers for each unit.

onnxruntime stores maps in blocks of channels between convolutions. Pooling and products read such blocks; any other
operator makes it lay the map out anew, which takes longer than the reduction itself. So maps are reduced by pooling,
rows first and then columns, so that float32 adds at most H + W numbers in a row.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from crosslens.model.reduction import Reduction, unit_axis

from ..autodiff.rectifiers import non_negative_tensors
from ..ir.graph import FLOAT, Graph, Type
from ..ir.layers import LayerTensor
from .faster_operators import faster_copy
from .program import Program, Request, finish, public_layout

__all__ = ["reduction_name", "reduction_program"]

_ORDER = "<order>"


def reduction_name(reduction: Reduction) -> str:
    """The name of a reduction among a program's activations; no layer has it."""
    return f"<{reduction.kind}> {reduction.layer}"


def reduction_program(graph: Graph, layers: Mapping[str, LayerTensor], request: Request) -> Program:
    """The reductions of a request, (N, units), and the activations of the layers in its `capture`."""
    graph = faster_copy(graph)
    above = non_negative_tensors(graph)
    activations = {name: public_layout(graph, layers[name]) for name in request.capture}
    reduced: dict[str, str] = {}
    for name in sorted({each.layer for each in request.reductions}, key=list(layers).index):
        ways = _ways(graph, layers[name], layers[name].tensor in above)
        reduced |= {reduction_name(each): ways[each.kind]() for each in request.reductions if each.layer == name}
    activations |= {**reduced, _ORDER: _chain(graph, list(reduced.values()))}
    return finish(Program(graph, {}, {}, activations, {}))


def _chain(graph: Graph, tensors: Sequence[str]) -> str:
    """One sum that reads a number of each tensor, the first ones first.

    onnxruntime orders nodes by a depth-first walk from what nothing reads: so each layer is reduced right after it was
    computed, while it is in the cache, and its memory is free for the next.
    """
    first = [
        _known(graph, graph.op("Gather", graph.op("Cast", tensor, to=FLOAT), graph.const(0, np.int64), axis=1))
        for tensor in tensors
    ]
    total = first[0]
    for each in first[1:]:
        total = _known(graph, graph.op("Add", total, each))
    return total


def _known(graph: Graph, tensor: str) -> str:
    graph.types[tensor] = Type(FLOAT)
    return tensor


def _ways(graph: Graph, layer: LayerTensor, non_negative: bool) -> Mapping[str, Callable[[], str]]:
    """How each kind is computed for a layer."""
    dims = graph.dims(layer.tensor)
    blocked = len(dims) == 4 and not layer.channels_last and all(isinstance(n, int) for n in dims[1:])
    plain = _plain_ways(graph, layer)
    return plain if not blocked else {**plain, **_blocked_ways(graph, layer, [int(n) for n in dims[1:]], non_negative)}


def _blocked_ways(
    graph: Graph, layer: LayerTensor, dims: Sequence[int], non_negative: bool
) -> Mapping[str, Callable[[], str]]:
    """By pooling maps (N, C, H, W), which onnxruntime does in its own layout."""
    x, (channels, *size) = public_layout(graph, layer), dims

    def units(pooled: str) -> str:
        return graph.op("Reshape", _known(graph, pooled), graph.ints([0, channels]))

    def add(values: str) -> str:
        rows = _known(graph, graph.op("AveragePool", values, kernel_shape=[size[0], 1], strides=[size[0], 1]))
        return graph.op("Mul", units(graph.op("GlobalAveragePool", rows)), graph.const(prod(size), np.float32))

    def zeros() -> str:
        steep = graph.const(np.full((channels, 1, 1, 1), 3e38), np.float32)
        ends = graph.const(0, np.float32), graph.const(1, np.float32)
        line = _known(graph, graph.op("Conv", x, steep, group=channels, kernel_shape=[1, 1]))
        above = add(_known(graph, graph.op("Clip", line, *ends)))
        return graph.op("Sub", graph.const(prod(size), np.float32), above)

    return {
        "max": lambda: units(graph.op("GlobalMaxPool", x)),
        "sum": lambda: add(x),
        "squares": lambda: add(_known(graph, graph.op("Mul", x, x))),
        **({"zeros": zeros} if non_negative else {}),
    }


def _plain_ways(graph: Graph, layer: LayerTensor) -> Mapping[str, Callable[[], str]]:
    """By reduce nodes, in the layer's own layout."""
    rank = graph.rank(layer.tensor)
    units = rank - 1 if layer.channels_last else unit_axis(rank)
    positions = [axis for axis in range(1, rank) if axis != units]
    x = layer.tensor if graph.elem(layer.tensor) == FLOAT else _known(graph, graph.op("Cast", layer.tensor, to=FLOAT))

    def add(values: str) -> str:
        for axis in reversed(positions):
            values = _known(graph, graph.op("ReduceSum", values, graph.ints([axis]), keepdims=0))
        return values

    def first(op: str) -> str:
        shape = [0, *([-1] if units != 1 else []), graph.dims(layer.tensor)[units], *([-1] if units == 1 else [])]
        flat = _known(graph, graph.op("Reshape", x, graph.ints([int(n) for n in shape])))
        return graph.op(op, flat, axis=2 if units == 1 else 1, keepdims=0)

    def zeros() -> str:
        return add(_known(graph, graph.op("Cast", graph.op("Equal", x, graph.const(0, np.float32)), to=FLOAT)))

    return {
        "max": lambda: graph.op("ReduceMax", x, graph.ints(positions), keepdims=0),
        "min": lambda: graph.op("ReduceMin", x, graph.ints(positions), keepdims=0),
        "argmax": lambda: first("ArgMax"),
        "argmin": lambda: first("ArgMin"),
        "sum": lambda: add(x),
        "squares": lambda: add(_known(graph, graph.op("Mul", x, x))),
        "zeros": zeros,
    }
