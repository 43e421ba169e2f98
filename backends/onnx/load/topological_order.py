"""Sorts nodes topologically: ONNX requires it, but onnxruntime does not, and its float16 converter breaks the order."""

from onnx import ModelProto, NodeProto

from ..ir.graph import node_of

__all__ = ["in_topological_order"]


def in_topological_order(model: ModelProto) -> ModelProto:
    """The model, or a copy with each node behind those that it reads; nodes in a cycle keep their order."""
    makers = {o: index for index, node in enumerate(model.graph.node) for o in node.output if o}
    needs = [_needs(node, makers) for node in model.graph.node]
    if all(need < index for index, needed in enumerate(needs) for need in needed):
        return model
    order = _depth_first_order(needs)
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    copy.graph.node.extend(model.graph.node[index] for index in order)
    return copy


def _needs(node: NodeProto, makers: dict[str, int]) -> list[int]:
    return sorted({makers[name] for name in node_of(node, {}).reads if name in makers})


def _depth_first_order(needs: list[list[int]]) -> list[int]:
    """Depth-first order, without recursion: a network may be deeper than Python's stack."""
    order: list[int] = []
    seen: set[int] = set()
    for start in range(len(needs)):
        ahead = [(start, False)]
        while ahead:
            index, ready = ahead.pop()
            if ready:
                order.append(index)
            elif index not in seen:
                seen.add(index)
                ahead += [(index, True), *((need, False) for need in reversed(needs[index]))]
    return order
