"""Replaces operators that are slow in onnxruntime by equivalent ones that are fast, one operator per file.

Tensors keep their names, so that layers and derivative rules see no difference.
"""

from ...ir.graph import Graph
from .channel_pool import pool_channels_by_convolution
from .roots import powers_by_roots

__all__ = ["faster_at_last", "faster_copy"]


def faster_copy(graph: Graph) -> Graph:
    """A copy to which gradients can be appended; shapes must be known."""
    graph = graph.copy()
    pool_channels_by_convolution(graph)
    return graph


def faster_at_last(graph: Graph) -> None:
    """On a finished program, gradients included, in place."""
    powers_by_roots(graph)
