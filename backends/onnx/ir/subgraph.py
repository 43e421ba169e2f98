"""Subgraphs of If, Loop and Scan: copies of their nodes and constants, renamed, for the graph around them."""

from collections.abc import Iterable, Iterator, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from .graph import Graph, Node, node_of
from .module_names import origin_of
from .tensor_values import array_of

__all__ = ["add_constants", "copy_subgraph", "graphs_of", "rename_in_subgraphs", "subgraphs", "tensors_of"]


def add_constants(graph: Graph, body: GraphProto, prefix: str) -> dict[str, str]:
    """Add a subgraph's constants to the graph around it; return their new names by the old ones."""
    names = {t.name: graph.unique_name(f"{prefix}:{t.name}") for t in body.initializer}
    graph.constants |= {names[t.name]: array_of(t) for t in body.initializer}
    return names


def copy_subgraph(
    graph: Graph, body: GraphProto, names: dict[str, str], prefix: str, node_names: set[str]
) -> list[Node]:
    """Copies of a subgraph's nodes, renamed so that they can be appended to the graph around it.

    Args:
        graph: the graph around it.
        body: the subgraph; its constants are added by `add_constants`.
        names: new names of tensors of the body; new names of all other tensors that it computes are added.
        prefix: of new names.
        node_names: names of nodes that are in use; those of the copies are added.
    """
    for tensor in (o for proto in body.node for o in proto.output if o):
        if tensor not in names:
            names[tensor] = graph.unique_name(f"{prefix}:{tensor}")
    copies = []
    for proto in body.node:
        renamed = _with_names(proto, names)
        if proto.name and proto.name in node_names:
            renamed.name = f"{prefix}:{proto.name}"
        node_names.add(renamed.name)
        copies.append(node_of(renamed, graph.opsets, origin_of(proto)))
    return copies


def _with_names(proto: NodeProto, names: Mapping[str, str]) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(proto)
    copy.input[:] = [names.get(i, i) for i in proto.input]
    copy.output[:] = [names.get(o, o) for o in proto.output]
    rename_in_subgraphs(copy, names)
    return copy


def rename_in_subgraphs(node: NodeProto, names: Mapping[str, str]) -> None:
    """Rename, in place, the tensors outside that a node's subgraphs read; their own tensors keep their names."""
    for inner in (a.g for a in node.attribute if a.type == AttributeProto.GRAPH):
        own = (
            {t.name for t in inner.initializer}
            | {i.name for i in inner.input}
            | {o for n in inner.node for o in n.output}
        )
        outer = {old: new for old, new in names.items() if old not in own}
        for below in inner.node:
            below.input[:] = [outer.get(i, i) for i in below.input]
            rename_in_subgraphs(below, outer)
        for output in inner.output:
            output.name = outer.get(output.name, output.name)


def subgraphs(graph: GraphProto) -> Iterator[GraphProto]:
    """A graph and all graphs inside its nodes, those around the others first."""
    waiting = [graph]
    while waiting:
        inside = waiting.pop()
        yield inside
        waiting += graphs_of(inside.node)


def graphs_of(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    """The graphs that these nodes hold as attributes."""
    for attribute in (a for node in nodes for a in node.attribute):
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """All tensors of a model: initialisers, attributes of nodes, those in subgraphs and functions too."""
    inside = [top for function in model.functions for top in graphs_of(function.node)]
    graphs = [graph for top in (model.graph, *inside) for graph in subgraphs(top)]
    for graph in graphs:
        yield from graph.initializer
        yield from (part for each in graph.sparse_initializer for part in (each.values, each.indices))
    for attribute in (a for nodes in (*graphs, *model.functions) for node in nodes.node for a in node.attribute):
        yield from (attribute.t, *attribute.tensors) if attribute.HasField("t") else attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (part for part in (sparse.values, sparse.indices) if sparse.HasField("values"))
