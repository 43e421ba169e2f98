"""The layers of a graph: which nodes are layers, their names and aliases, and whether channels are first or last."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crosslens.model import INPUT, OUTPUT, Layer
from crosslens.model.layout import channels_first_shape

from .graph import Graph, Node
from .module_names import module_aliases

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
    layer_names = dict(_layer_names(graph, nodes, last, shapes))
    aliases: dict[str, set[str]] = {name: set() for name in layer_names.values()}
    for alias, name in _aliases(nodes, layer_names).items():
        aliases[name].add(alias)
    layers = {}
    for node in nodes:
        tensor = node.outputs[0]
        if tensor in layer_names and layer_names[tensor] not in layers and not _passes_on(node, last):
            name = layer_names[tensor]
            shape = _shape(shapes[tensor], tensor in last)
            layer = Layer(name, node.op, shape, tuple(sorted(aliases[name])))
            layers[name] = LayerTensor(layer, tensor, tensor in last)
    output = graph.outputs[0]
    shape = _shape(shapes[output], output in last)
    return {**layers, OUTPUT: LayerTensor(Layer(OUTPUT, "Output", shape), output, output in last)}


def _layer_names(
    graph: Graph, nodes: Sequence[Node], last: set[str], shapes: Mapping[str, tuple[int | None, ...]]
) -> Iterator[tuple[str, str]]:
    """(tensor, layer name) for each node with a floating output that has axes.

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
        name = node.name if node.name and node.name not in taken else f"{node.op}:{tensor}"
        taken.add(name)
        names[tensor] = name
        yield tensor, name


def _passes_on(node: Node, last: set[str]) -> bool:
    """Whether the output has the values of the input, both seen channels-first."""
    if node.op in _NO_LAYER or node.op not in {"Transpose", "Reshape"}:
        return node.op in _NO_LAYER
    before, after = (name in last for name in (node.inputs[0], node.outputs[0]))
    return before != after and (_moves_channels(node, before) if node.op == "Transpose" else after)


def _aliases(nodes: Sequence[Node], layer_names: Mapping[str, str]) -> Mapping[str, str]:
    """Layer by alias: module names first, then tensor names that are still free."""
    runs = [(node.scopes, layer_names[node.outputs[0]]) for node in nodes if node.outputs[0] in layer_names]
    layers = set(layer_names.values())
    return {alias: name for alias, name in {**layer_names, **module_aliases(runs)}.items() if alias not in layers}


def _shape(shape: tuple[int | None, ...], channels_last: bool) -> tuple[int | None, ...]:
    """A shape channels-first, with None for the batch."""
    return (None, *(channels_first_shape(shape) if channels_last else shape)[1:])
