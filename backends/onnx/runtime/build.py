"""From a request to what can be run, one way for each kind of question."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.graph import Graph
from ..ir.layers import LayerTensor
from .executable import Executable, SplitExecutable
from .program import Request, forward_program, fused_program, split_programs
from .reductions import reduction_program

__all__ = ["build_executable"]

_PROGRAMS = {"forward": forward_program, "fused": fused_program, "reduce": reduction_program}


def build_executable(
    kind: str, graph: Graph, layers: Mapping[str, LayerTensor], request: Request, providers: Sequence[Any] | None
) -> Executable | SplitExecutable:
    """The executable of a request, or the pair of them.

    Args:
        kind: "forward" for activations, "reduce" for reductions, "fused" for gradients in one graph, "split" in two.
        graph: the network, with shapes inferred.
        layers: the layers' tensors by name.
        request: what to compute.
        providers: onnxruntime's execution providers.
    """
    if kind in _PROGRAMS:
        return Executable(_PROGRAMS[kind](graph, layers, request), providers)
    return SplitExecutable(*(Executable(program, providers) for program in split_programs(graph, layers, request)))
