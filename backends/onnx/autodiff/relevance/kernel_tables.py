"""A kernel rule at one node, as `crosslens.model.kernel_rules` writes it down.

The factors weight_i z / (gain stabilised(y_i)) do not depend on the gradient dy at y: each branch passes dy times its
factor back through its transposed kernels. A branch without kernels has y_i = z, so that its factor is
|z| / (|z| + stabiliser) and the gain, which the node's own kernel lacks, cancels.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.model import Branch, KernelRule
from onnx import helper

from ...ir.graph import FLOAT, Graph, Node
from .linear_map import LinearMap

__all__ = ["KernelTable", "account", "stabiliser_of"]

Floats: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class KernelTable:
    """The rule of one node while gradients are appended."""

    graph: Graph
    node: Node
    rule: KernelRule
    dy: str
    label: str
    """Of all rules, for the names of constants."""

    def cotangent(self, absorbed: list[str] | None) -> str:
        """The cotangent of x.

        Args:
            absorbed: the (N, 2) of other nodes, to which that of this node is added; None if nobody asked for it.
        """
        flows = [self._flow(index, branch) for index, branch in enumerate(self.rule.branches)]
        if absorbed is not None:
            absorbed.append(self._absorbed(flows))
        parts = [part for index, flow in enumerate(flows) for part in self._back(index, flow[0])]
        if not parts:
            return self.graph.zeros_like(self._map.x)
        return self.graph.op("Sum", *parts) if len(parts) > 1 else parts[0]

    @cached_property
    def _map(self) -> LinearMap:
        return LinearMap(self.graph, self.node, self.label)

    @cached_property
    def _stabiliser(self) -> float:
        return stabiliser_of(self.graph, self._map.y, self.rule)

    @cached_property
    def _gain(self) -> Floats | None:
        return None if self.rule.gain is None else as_numpy(self.rule.gain).astype(np.float64)

    @cached_property
    def _z(self) -> str:
        g, z = self.graph, self._map.y
        if self._gain is not None:
            z = g.op("Mul", z, self._map.column("gain", self._gain))
        return z if self.rule.shift is None else g.op("Add", z, self._map.column("shift", self.rule.shift))

    @cached_property
    def _z_over_gain(self) -> str:
        """z / gain = y + shift / gain; 0 where the gain is 0."""
        y, gain, shift = self._map.y, self._gain, self.rule.shift
        if shift is not None:
            whole = as_numpy(shift) if gain is None else _quotient(as_numpy(shift), gain)
            y = self.graph.op("Add", y, self._map.column("shift over gain", whole))
        return self._where_gain(y)

    def _where_gain(self, value: str) -> str:
        """The value, but 0 where the gain is 0."""
        if self._gain is None or self._gain.all():
            return value
        return self.graph.op("Mul", value, self._map.column("has gain", (self._gain != 0).astype(np.float64)))

    @cached_property
    def _relevance(self) -> str:
        return self.graph.op("Mul", self._z_over_gain, self.dy)

    def _flow(self, index: int, branch: Branch) -> tuple[str, str]:
        """weight_i R_i / stabilised(y_i), for a branch without kernels times the gain, and y_i."""
        g = self.graph
        y = self._output(index, branch) if branch.kernels else self._z
        if not branch.kernels and not self._stabiliser and self.rule.branches == (branch,) and branch.side == "any":
            return self._weighted(branch, self._where_gain(self.dy)), y
        if branch.kernels:
            factor = g.op("Div", self._z_over_gain, _stabilised(g, y, self._stabiliser))
        else:
            size = g.op("Abs", y)
            factor = self._where_gain(g.op("Div", size, _away_from_zero(g, size, self._stabiliser)))
        factor = self._weighted(branch, factor)
        if branch.side != "any":
            here = g.op("Greater" if branch.side == "positive" else "Less", self._z, g.scalar(0, self._z))
            factor = g.op("Where", here, factor, g.scalar(0, factor))
        return g.op("Mul", self.dy, factor), y

    def _weighted(self, branch: Branch, value: str) -> str:
        return value if branch.weight == 1 else self.graph.op("Mul", value, self.graph.scalar(branch.weight, value))

    def _output(self, index: int, branch: Branch) -> str:
        """y_i = sum of K_e u_e, + bias."""
        bias = None if branch.bias is None else self._map.row(f"rule{index}:bias", branch.bias)
        terms = []
        for number, (inputs, kernel) in enumerate(branch.kernels):
            terms.append(self._map.forward(self._input(inputs, f"rule{index}.{number}:input"),
                                           self._map.kernel(f"rule{index}.{number}", kernel), bias))  # fmt: skip
            bias = None
        return self.graph.op("Sum", *terms) if len(terms) > 1 else terms[0]

    def _input(self, inputs: object, name: str) -> str:
        """u_e: x, a part of it, or a constant."""
        if not isinstance(inputs, str):
            return self._map.constant_input(name, inputs, self.rule.border)
        return self._map.x if inputs == "any" else self._parts[inputs]

    @cached_property
    def _parts(self) -> dict[str, str]:
        g, x = self.graph, self._map.x
        parts = {"positive": g.op("Relu", x), "negative": g.op("Min", x, g.scalar(0, x))}
        g.types |= dict.fromkeys(parts.values(), g.types[x])
        return parts

    def _back(self, index: int, flow: str) -> list[str]:
        """m_e K_e' times the flow of a branch, for each of its kernels; in a local rule u_e K_e'."""
        g, branch, local = self.graph, self.rule.branches[index], self.rule.local
        if not branch.kernels:
            dx = self._map.transposed(flow)
            return [g.op("Mul", self._map.x, dx) if local else dx]
        parts = []
        for number, (inputs, kernel) in enumerate(branch.kernels):
            if not (local or isinstance(inputs, str)):
                continue
            dx = self._map.transposed(flow, self._map.kernel(f"rule{index}.{number}", kernel))
            if local:
                dx = g.op("Mul", self._input(inputs, f"rule{index}.{number}:input"), dx)
            elif inputs != "any":
                dx = g.op("Mul", dx, self._masks[str(inputs)])
            parts.append(dx)
        return parts

    @cached_property
    def _masks(self) -> dict[str, str]:
        g, x = self.graph, self._map.x
        compared = {"positive": "Greater", "negative": "Less"}
        return {part: g.op("Cast", g.op(how, x, g.scalar(0, x)), to=g.elem(x)) for part, how in compared.items()}

    def _absorbed(self, flows: list[tuple[str, str]]) -> str:
        """(N, 2): what biases took, and the relevance that no branch has passed on."""
        g, kept = self.graph, self._relevance
        by_bias = None
        for index, (branch, (flow, y)) in enumerate(zip(self.rule.branches, flows, strict=True)):
            share = flow if branch.kernels else self._over_gain(flow)
            kept = g.op("Sub", kept, g.op("Mul", share, y))
            if branch.bias is not None:
                column = self._map.bias_column if branch.kernels else self._map.column
                part = g.op("Mul", share, column(f"rule{index}:bias", branch.bias))
                by_bias = part if by_bias is None else g.op("Add", by_bias, part)
        return account(g, self._map.y, by_bias, kept)

    def _over_gain(self, flow: str) -> str:
        """R_i / stabilised(z) of a branch without kernels, whose flow has the gain in it."""
        if self._gain is None:
            return flow
        return self.graph.op("Mul", flow, self._map.column("one over gain", _quotient(np.ones(()), self._gain)))


def account(g: Graph, y: str, by_bias: str | None, kept: str) -> str:
    """(N, 2): what biases took, and the relevance that no branch has passed on, summed for each image.

    Args:
        g: the graph to append to.
        y: the layer's output.
        by_bias: of the shape of y; None for nothing.
        kept: of the shape of y.
    """
    last = _sum(g, y, kept)
    return g.op("Concat", _sum(g, y, by_bias) if by_bias else g.op("Mul", last, g.scalar(0, last)), last, axis=1)


def _sum(g: Graph, y: str, values: str) -> str:
    """(N, 1)."""
    rows = g.op("ReduceSum", values, g.ints(range(1, g.rank(y))), keepdims=0)
    column = g.op("Unsqueeze", rows, g.ints([1]))
    return column if g.elem(column) == FLOAT else g.op("Cast", column, to=FLOAT)


def stabiliser_of(g: Graph, y: str, rule: KernelRule) -> float:
    """The stabiliser as the elements of y have it; 0 if it is too small for them."""
    return float(helper.tensor_dtype_to_np_dtype(g.elem(y)).type(rule.stabiliser))


def _quotient(value: Floats, gain: Floats) -> Floats:
    quotient: Floats = np.divide(
        value, gain, out=np.zeros(np.broadcast_shapes(value.shape, gain.shape)), where=gain != 0
    )
    return quotient


def _stabilised(g: Graph, y: str, stabiliser: float) -> str:
    """y + stabiliser sign(y) with sign(0) = 1; infinite where that is 0, so that a quotient by it is 0."""
    if not stabiliser:
        return _away_from_zero(g, y, 0)
    below = g.op("Less", y, g.scalar(0, y))
    return g.op("Add", y, g.op("Where", below, g.scalar(-stabiliser, y), g.scalar(stabiliser, y)))


def _away_from_zero(g: Graph, size: str, stabiliser: float) -> str:
    """As `_stabilised`, of what is not negative."""
    if stabiliser:
        return g.op("Add", size, g.scalar(stabiliser, size))
    return g.op("Where", g.op("Equal", size, g.scalar(0, size)), g.scalar(inf, size), size)
