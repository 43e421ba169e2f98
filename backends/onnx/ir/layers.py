"""The layers of a graph: which nodes are layers, their names and aliases, and whether channels are first or last."""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

from crosslens.model import INPUT, OUTPUT, Layer
from crosslens.model.layout import channels_first_shape

from .graph import Graph, Node
from .layer_names import RecordedNames

__all__ = ["LayerTensor", "channels_last_tensors", "layer_tensors"]

_CHANNELS_FIRST = frozenset(
    [
        "Conv",
        "ConvTranspose",
        "MaxPool",
        "AveragePool",
        "LpPool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "GlobalLpPool",
        "BatchNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "LRN",
        "DepthToSpace",
        "SpaceToDepth",
        "GridSample",
        "RoiAlign",
        "MaxRoiPool",
        "FusedConv",
        "QLinearConv",
        "ConvInteger",
        "DeformConv",
        "MaxUnpool",
        "Upsample",
    ]
)
"""Operators that are defined on (N, C, H, W)."""
_LOSES_TRACK = frozenset(
    {"Reshape", "Flatten", "MatMul", "Gemm", "Einsum", "Attention", "MultiHeadAttention", "Gather"}
)
OWN_NAME = re.compile(r"<\w+>( |$)")
"""How the names of what is no layer begin: `INPUT`, a reduction of a layer ("<max> conv1"), an objective's value."""
_NO_LAYER = frozenset({"Identity", "Cast", "Dropout"})


@dataclass(frozen=True)
class LayerTensor:
    """A layer, the tensor of the graph that holds its activation, and whether that is channels-last."""

    layer: Layer
    tensor: str
    channels_last: bool


def channels_last_tensors(graph: Graph, image: str, channels_last: bool) -> set[str]:
    """The tensors that are channels-last, by following the graph from its input; all others are channels-first."""
    last = {image} if channels_last else set()
    tracked = {image}
    for node in graph.nodes:
        source = next((i for i in node.inputs if i in tracked), None)
        kind = _layout_of(graph, node, source, source in last)
        if kind is None:
            continue
        tracked.update(node.outputs)
        if kind:
            last.update(o for o in node.outputs if _rank(graph, o) == _rank(graph, node.outputs[0]))
    return last


def _layout_of(graph: Graph, node: Node, source: str | None, last: bool) -> bool | None:
    """Whether a node's outputs are channels-last; None if it is not known."""
    if node.op in _CHANNELS_FIRST:
        return False
    if source is not None and not last and _flattens_pooled_channels(graph, node):
        return True
    if source is None and _normalises_channels(graph, node):
        return True
    lost = node.op in _LOSES_TRACK and not (last and _is_linear(graph, node, source))
    if source is None or lost or _rank(graph, node.outputs[0]) != _rank(graph, source):
        return None
    if node.op != "Transpose":
        return last
    return not last if _moves_channels(node, last) else None


def _is_linear(graph: Graph, node: Node, source: str | None) -> bool:
    """Whether a product with a matrix is a linear layer over the last axis, from channels to channels."""
    return node.op == "MatMul" and source == node.inputs[0] and _rank(graph, node.inputs[1]) == 2


def _normalises_channels(graph: Graph, node: Node) -> bool:
    """Whether a LayerNormalization of maps over the last axis shows that channels are there (as in Swin)."""
    return node.op == "LayerNormalization" and _rank(graph, node.inputs[0]) == 4 and node.attr("axis") in {-1, 3}


def _moves_channels(node: Node, last: bool) -> bool:
    """Whether a Transpose moves the channels from last to first, or from first to last."""
    perm = node.attr("perm", ())
    rank = len(perm)
    return rank > 2 and perm == ((0, rank - 1, *range(1, rank - 1)) if last else (0, *range(2, rank), 1))


def _flattens_pooled_channels(graph: Graph, node: Node) -> bool:
    """Whether a Reshape makes (N, 1, 1, C) of (N, C, 1, 1): so tf2onnx writes a Transpose after global pooling."""
    known = [graph.types.get(name) for name in (node.inputs[0], node.outputs[0])] if node.op == "Reshape" else []
    before, after = ([*kind.dims[1:]] if kind is not None and kind.dims else [] for kind in known or [None, None])
    return len(before) > 1 and before[0] != 1 and set(before[1:]) == {1} and after == [*before[1:], before[0]]


def _rank(graph: Graph, name: str) -> int | None:
    kind = graph.types.get(name)
    return None if kind is None or kind.dims is None else len(kind.dims)


def layer_tensors(
    graph: Graph, last: set[str], own: Container[str], shapes: Mapping[str, tuple[int | None, ...]]
) -> Mapping[str, LayerTensor]:
    """All layers by name, in execution order, without `INPUT`; the graph's output is `OUTPUT`.

    Args:
        graph: with the types of its tensors.
        last: the tensors that are channels-last.
        own: the tensors of the network itself, without preprocessing, whose first axis is the batch.
        shapes: of each tensor, at the example input; None for a size that depends on the image's content.
    """
    nodes = [node for node in graph.nodes if node.outputs[0] in own]
    node_names = dict(_node_names(graph, nodes, last, shapes))
    named = {layer: (name, aliases) for layer, name, aliases in _named(graph, nodes, node_names)}
    layers: dict[str, LayerTensor] = {}
    for node in nodes:
        tensor = node.outputs[0]
        if tensor not in node_names or _passes_on(node, last):
            continue
        name, aliases = named[node_names[tensor]]
        if name not in layers:
            layer = Layer(name, node.op, _shape(shapes[tensor], tensor in last), aliases)
            layers[name] = LayerTensor(layer, tensor, tensor in last)
    output = graph.outputs[0]
    shape = _shape(shapes[output], output in last)
    return {**layers, OUTPUT: LayerTensor(Layer(OUTPUT, "Output", shape), output, output in last)}


def _node_names(
    graph: Graph, nodes: Sequence[Node], last: set[str], shapes: Mapping[str, tuple[int | None, ...]]
) -> Iterator[tuple[str, str]]:
    """(tensor, layer by its node's name) for each node with a floating output that has axes.

    A node that passes its input on unchanged (Identity, Cast, a change of layout) belongs to the layer before it.
    """
    names: dict[str, str] = {}
    taken = {INPUT, OUTPUT}
    for node in nodes:
        tensor = node.outputs[0]
        kind = graph.types.get(tensor)
        if kind is None or not kind.is_float or not shapes.get(tensor):
            continue
        if _passes_on(node, last):
            if node.inputs[0] in names:
                names[tensor] = names[node.inputs[0]]
                yield tensor, names[tensor]
            continue
        name = _free_name(node, tensor, taken)
        taken.add(name)
        names[tensor] = name
        yield tensor, name


def _free_name(node: Node, tensor: str, taken: Container[str]) -> str:
    """The node's name; if it has none, another layer has it, or crosslens' own values are called so, the tensor's."""
    names = chain([node.name] * bool(node.name), (f"{node.op}:{tensor}{':' * more}" for more in count()))
    return next(name for name in names if name not in taken and not (name == node.name and OWN_NAME.match(name)))


def _passes_on(node: Node, last: set[str]) -> bool:
    """Whether the output has the values of the input, both seen channels-first."""
    if node.op in _NO_LAYER or node.op not in {"Transpose", "Reshape"}:
        return node.op in _NO_LAYER
    before, after = (name in last for name in (node.inputs[0], node.outputs[0]))
    return before != after and (_moves_channels(node, before) if node.op == "Transpose" else after)


def _named(
    graph: Graph, nodes: Sequence[Node], node_names: Mapping[str, str]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(layer by its node's name, its name, its other names): the node's name first, unless that is the only one.

    The name is the module's or function's where the exporter recorded one that no other layer has.
    """
    recorded = RecordedNames(graph, nodes, node_names)
    old = {name: name for name in node_names.values()}
    aliases = {**node_names, **recorded.aliases, **old}
    names = {layer: name for layer, name in recorded.names().items() if aliases.get(name, layer) == layer}
    taken = Counter([INPUT, OUTPUT, *names.values()])
    names = {layer: name for layer, name in names.items() if taken[name] == 1}
    others: dict[str, list[str]] = {layer: [layer] for layer in old}
    for alias, layer in {**recorded.functions, **{name: layer for layer, name in names.items()}, **aliases}.items():
        others[layer].append(alias)
    for layer in old:
        name = names.get(layer, layer)
        yield layer, name, (*[layer] * (name != layer), *sorted({*others[layer]} - {name, layer}))


def _shape(shape: tuple[int | None, ...], channels_last: bool) -> tuple[int | None, ...]:
    """A shape channels-first, with None for the batch."""
    return (None, *(channels_first_shape(shape) if channels_last else shape)[1:])
