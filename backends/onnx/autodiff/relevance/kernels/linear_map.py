"""The linear map of a node with a constant kernel, to run with other kernels and inputs, forward and transposed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from onnx import helper

from ....ir.graph import Graph, Node, Type
from ....ir.layer_weights import in_other_layout
from ...registry import rule_for

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

    @property
    def positions(self) -> range:
        """The axes of y other than images and channels."""
        rank = self.graph.rank(self.y)
        return range(2, rank) if self._is_conv else range(1, rank - 1)

    @property
    def channels(self) -> int:
        """The number of y's channels."""
        (count,) = self.graph.sizes(self.y, [1 if self._is_conv else -1])
        return count

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

    def added(self, bias: Array) -> np.ndarray[Any, Any]:
        """What `forward` adds for this bias, (out,): a Gemm scales it."""
        return as_numpy(bias) * (self.node.attr("beta") if self.node.op == "Gemm" else 1.0)

    def constant_input(self, name: str, values: Array, border: Sequence[tuple[int, int]] = ()) -> str:
        """A constant (in,) at every position, for one image.

        Args:
            name: of the constant.
            values: one for each input channel.
            border: by axis of positions, at how many places at each end it is 0.
        """
        g, rank = self.graph, self.graph.rank(self.x)
        if self.node.op == "Gemm":
            shape = (-1, 1) if self.node.attr("transA", 0) else (1, -1)
            return self._constant(name, lambda: as_numpy(values).reshape(shape))
        positions = range(2, rank) if self._is_conv else range(1, rank - 1)
        if not (self._is_conv or border):
            return self._constant(name, lambda: as_numpy(values).reshape(*(1,) * (rank - 1), -1))
        sizes = g.sizes(self.x, positions)

        ends = list(border) or [(0, 0)] * len(sizes)
        inside = [size - sum(each) for size, each in zip(sizes, ends, strict=True)]

        def made() -> np.ndarray[Any, Any]:
            mask = np.pad(np.ones(inside), ends)
            factors = (as_numpy(values), mask) if self._is_conv else (mask, as_numpy(values))
            return np.asarray(np.multiply.outer(*factors)[None])

        return self._constant(f"{name}:{sizes}", made)

    @property
    def _is_conv(self) -> bool:
        return self.node.op in {"Conv", "ConvTranspose"}

    def _constant(self, name: str, make: Callable[[], np.ndarray[Any, Any]]) -> str:
        dtype = helper.tensor_dtype_to_np_dtype(self.graph.elem(self.y))
        return self.graph.derived_constant(
            f"{self.y}:{self.label}:{name}", lambda: np.asarray(make()).astype(dtype, copy=False)
        )
