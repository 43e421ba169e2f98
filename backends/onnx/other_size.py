"""An ONNX network with another graph: at another image size, for example."""

from dataclasses import replace
from typing import Any, TypeVar

from crosslens.model import INPUT, Model

from .ir.graph import Graph, Type
from .runtime.session_cache import SessionCache

__all__ = ["OtherSizes", "with_graph"]

M = TypeVar("M", bound=Model)


def with_graph(model: M, graph: Graph, *forget: str, **changed: Any) -> M:
    """A copy of an `OnnxModel` with another graph, whose sessions are opened anew.

    Args:
        model: what is copied.
        graph: in place of its own.
        forget: cached properties that are computed anew.
        changed: other attributes.
    """
    return model._copy(*forget, _graph=graph, _sessions=SessionCache(), _graphs=SessionCache(most=8), **changed)


class OtherSizes:
    """The part of an `OnnxModel` that gives it at another size."""

    def of_size(self, size: tuple[int, int]) -> Any:
        """The same graph for images (C, *size); shapes are inferred anew, and a Reshape to fixed sizes fails."""
        model: Any = self
        graph, spec = model._graph.copy(), replace(model.input, shape=(model.input.shape[0], *size))
        declared = graph.inputs[INPUT]
        graph.inputs[INPUT] = Type(declared.elem, (declared.dims[0], declared.dims[1], *size))
        forget = ("layers", "_layer_tensors", "_reads", "rectified_layers", "_aliases", "elements", "output")
        made = with_graph(model, graph, *forget, input=spec, _input=replace(model._input, spec=spec))
        return model._remember(made, "of_size", size)
