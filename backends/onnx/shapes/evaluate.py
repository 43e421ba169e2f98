"""Evaluates tensors that depend on constants only, by onnxruntime."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node
from ..ir.interruptible_run import has_subgraphs, run_interruptibly
from ..ir.onnxruntime_errors import readable_errors
from ..ir.prune import prune
from ..ir.session import open_session

__all__ = ["evaluate"]


def evaluate(graph: Graph, nodes: Iterable[Node], wanted: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The values by name of the `wanted` tensors, which `nodes` compute from constants; others are left out."""
    part = Graph(list(nodes), graph.constants, {}, list(wanted), graph.opsets)
    part.nodes = [node for node in part.nodes if node.op not in {"Shape", "Size"}]
    prune(part)
    if not part.nodes:
        return {}
    part.outputs = [o for node in part.nodes for o in node.outputs if o in set(wanted)]
    with readable_errors("compute the network's constants"):
        values = run_interruptibly(has_subgraphs(part), partial(open_session(part, optimise=False).run, None, {}))
    return dict(zip(part.outputs, values, strict=True))
