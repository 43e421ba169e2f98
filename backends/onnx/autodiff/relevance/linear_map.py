"""The linear map of a node with a constant kernel, to run with other kernels and inputs, forward and transposed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from onnx import helper

from ...ir.graph import Graph, Node, Type
from ...ir.layer_weights import in_other_layout
from ..registry import rule_for

__all__ = ["LINEAR", "LinearMap"]

LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that can have a kernel rule."""


@dataclass(frozen=True)
class LinearMap:
    """y = K x of one node in a graph that gradients are appended to."""

    graph: Graph
    node: Node
    label: str
    """Of the rules, for the names of constants."""

    @property
    def x(self) -> str:
        """The tensor that the node reads."""
        return self.node.inputs[0]

    @property
    def y(self) -> str:
        """The tensor that the node computes, its bias included."""
        return self.node.outputs[0]

    def forward(self, u: str, kernel: str, bias: str | None = None) -> str:
        """K u + bias for a kernel in ONNX's layout; of the shape of y, or of one image if `u` is of one image."""
        g, with_bias = self.graph, self.node.op != "MatMul" and bias is not None
        made = g.unique_name(f"{self.y}:rule")
        inputs = (u, kernel, bias or "") if with_bias else (u, kernel)
        g.nodes.append(replace(self.node, inputs=inputs, outputs=(made,), name=made))
        g.types[made] = Type(g.elem(self.y), self._output_dims(u))
        return g.op("Add", made, bias) if bias is not None and not with_bias else made

    def _output_dims(self, u: str) -> tuple[int | str, ...]:
        dims = self.graph.dims(self.y)
        if u not in self.graph.constants:
            return dims
        return (1, *dims[1:]) if self._is_conv else (*(1,) * (len(dims) - 1), dims[-1])

    def transposed(self, dy: str, kernel: str | None = None) -> str:
        """K' dy, of the shape of x; K is the node's own without a kernel."""
        inputs = self.node.inputs if kernel is None else (self.x, kernel)
        only_x = tuple(position == 0 for position in range(len(inputs)))
        rule = rule_for(self.node)
        assert rule is not None
        assert rule.derivative is not None
        (dx, *_) = rule.derivative(self.graph, replace(self.node, inputs=inputs, needs_gradient=only_x), dy)
        assert dx is not None
        return dx

    def kernel(self, name: str, values: Array) -> str:
        """A constant in ONNX's layout, of a kernel in the layout of `Model.weights`."""
        return self._constant(f"{name}:kernel", lambda: in_other_layout(self.node, "kernel", as_numpy(values)))

    def row(self, name: str, values: Array) -> str:
        """A constant (out,), as a bias of the node."""
        return self._constant(f"{name}:row", lambda: as_numpy(values))

    def column(self, name: str, values: Array) -> str:
        """A constant (out,) that broadcasts with y."""
        after = self.graph.rank(self.y) - 2 if self._is_conv else 0
        return self._constant(f"{name}:column", lambda: as_numpy(values).reshape(-1, *(1,) * after))

    def constant_input(self, name: str, values: Array) -> str:
        """A constant (in,) at every position, for one image."""
        g = self.graph
        if self._is_conv:
            shape = (1, len(values), *g.sizes(self.x))
            start = as_numpy(values).reshape(1, -1, *(1,) * (len(shape) - 2))
            return self._constant(f"{name}:{shape}", lambda: np.broadcast_to(start, shape))
        turned = self.node.op == "Gemm" and self.node.attr("transA", 0)
        shape = (-1, 1) if turned else (*(1,) * (g.rank(self.x) - 1), -1)
        return self._constant(name, lambda: as_numpy(values).reshape(shape))

    @property
    def _is_conv(self) -> bool:
        return self.node.op in {"Conv", "ConvTranspose"}

    def _constant(self, name: str, make: Callable[[], np.ndarray[Any, Any]]) -> str:
        dtype = helper.tensor_dtype_to_np_dtype(self.graph.elem(self.y))
        return self.graph.derived_constant(f"{self.y}:{self.label}:{name}", lambda: np.asarray(make()).astype(dtype))
