"""The values of tensors that depend on constants only, computed by onnxruntime."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.onnxruntime_errors import explained
from ..ir.prune import prune
from ..ir.session import open_session

__all__ = ["run_constants"]


def run_constants(graph: Graph, nodes: Iterable[Node], wanted: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The values of tensors that depend on constants only."""
    part = Graph(list(nodes), graph.constants, {}, list(wanted), graph.opsets)
    part.nodes = [node for node in part.nodes if node.op not in {"Shape", "Size"}]
    prune(part)
    if not part.nodes:
        return {}
    part.outputs = [o for node in part.nodes for o in node.outputs if o in set(wanted)]
    with explained("compute the network's constants"):
        values = open_session(part, optimise=False).run(None, {})
    return dict(zip(part.outputs, values, strict=True))
