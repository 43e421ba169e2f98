"""An order of nodes in which onnxruntime opens a large graph in a time that grows with its size, not its square."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from .graph import Node

__all__ = ["depth_first"]


def depth_first(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, each as soon after the last one that it reads as the others allow; what is read always comes first.

    Each of onnxruntime's optimisers sorts the graph with a list of the nodes that could run next, which it walks at
    each step. In a gradient the derivative of each operator could run long before the cotangent arrives: in the
    order in which rules append nodes the list grows as long as the network. In this order it stays short.
    """
    maker = {output: node for node in nodes for output in node.outputs if output}
    number = {node: index for index, node in enumerate(nodes)}
    readers: dict[Node, list[Node]] = defaultdict(list)
    waiting = Counter[Node]()
    for node in nodes:
        for source in {maker[name] for name in node.reads if name in maker}:
            readers[source].append(node)
            waiting[node] += 1
    ready, order = [node for node in reversed(nodes) if not waiting[node]], list[Node]()
    while ready:
        node = ready.pop()
        order.append(node)
        for reader in sorted(readers[node], key=number.__getitem__):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    return order
