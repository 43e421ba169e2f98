"""A kernel rule at one node, as `crosslens.model.kernel_rules` writes it down.

The factors weight_i z / (gain stabilised(y_i)) do not depend on the gradient dy at y: each branch passes dy times its
factor back through its transposed kernels. A branch without kernels has y_i = z, so that its factor is
|z| / (|z| + stabiliser) and the gain, which the node's own kernel lacks, cancels.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.model import Branch, KernelRule
from onnx import helper

from ....ir.graph import Graph, Node
from .accounts import Accounts
from .linear_map import LinearMap

__all__ = ["KernelTable", "stabiliser_of"]

Floats: TypeAlias = np.ndarray[Any, Any]
ROUNDING = 1e-9
"""What weights may miss 1 by."""


class _Flow(NamedTuple):
    """What one branch passes back."""

    passed: str
    """weight_i R_i / stabilised(y_i), for a branch without kernels times the gain."""
    kept: str | None = None
    """Times `scale`, what of weight_i R_i it does not pass on; where asked."""
    scale: Floats | float = 1.0
    """(out,) or one number."""


@dataclass(frozen=True)
class KernelTable:
    """The rule of one node while gradients are appended."""

    graph: Graph
    node: Node
    rule: KernelRule
    dy: str
    label: str
    """Of all rules, for the names of constants."""
    never_negative: frozenset[str] = frozenset()
    """The tensors that are known to be so."""
    rectified: str | None = None
    """The output of a rectifier that alone reads y, where `dy` is its cotangent and all branches have kernels: R is
    the product of the two, and z has a side where this has it."""

    def cotangent(self, accounts: Accounts | None) -> str:
        """The cotangent of x.

        Args:
            accounts: of all nodes, to which those of this node are added; None if nobody asked for them.
        """
        flows = [
            self._flow(index, branch, counted=accounts is not None) for index, branch in enumerate(self.rule.branches)
        ]
        if accounts is not None:
            self._count(accounts, flows)
        parts = [part for index, flow in enumerate(flows) for part in self._back(index, flow.passed)]
        if not parts:
            return self.graph.zeros_like(self.linear.x)
        return self.graph.op("Sum", *parts) if len(parts) > 1 else parts[0]

    @cached_property
    def linear(self) -> LinearMap:
        """The layer's linear map."""
        return LinearMap(self.graph, self.node, self.label)

    @cached_property
    def _stabiliser(self) -> float:
        return stabiliser_of(self.graph, self.linear.y, self.rule)

    @cached_property
    def _gain(self) -> Floats | None:
        return None if self.rule.gain is None else as_numpy(self.rule.gain).astype(np.float64)

    @property
    def _one_over_gain(self) -> Floats | float:
        return 1.0 if self._gain is None else _quotient(np.ones(()), self._gain)

    @cached_property
    def _z(self) -> str:
        if self.rectified:
            return self.rectified
        g, z = self.graph, self.linear.y
        if self._gain is not None:
            z = g.op("Mul", z, self.linear.column("gain", self._gain))
        return z if self.rule.shift is None else g.op("Add", z, self.linear.column("shift", self.rule.shift))

    @cached_property
    def _z_over_gain(self) -> str:
        """z / gain = y + shift / gain; 0 where the gain is 0. What dy is multiplied by to give R."""
        if self.rectified:
            return self.rectified
        y, gain, shift = self.linear.y, self._gain, self.rule.shift
        if shift is not None:
            whole = as_numpy(shift) if gain is None else _quotient(as_numpy(shift), gain)
            y = self.graph.op("Add", y, self.linear.column("shift over gain", whole))
        return self._where_gain(y)

    def _where_gain(self, value: str) -> str:
        """The value, but 0 where the gain is 0."""
        if self._gain is None or self._gain.all():
            return value
        return self.graph.op("Mul", value, self.linear.column("has gain", (self._gain != 0).astype(np.float64)))

    @cached_property
    def _relevance(self) -> str:
        return self.graph.op("Mul", self._z_over_gain, self.dy)

    def _flow(self, index: int, branch: Branch, *, counted: bool) -> _Flow:
        if branch.kernels:
            return self._flow_of_kernels(branch, self._output(index, branch), counted=counted)
        if not self._stabiliser and self.rule.branches == (branch,) and branch.side == "any":
            return _Flow(self._given(branch, self._where_gain(self.dy)))
        g, z = self.graph, self._z
        size, dy = g.op("Abs", z), self._given(branch, self.dy)
        if not self._stabiliser:
            return _Flow(g.op("Mul", dy, self._where_gain(g.op("Div", size, _infinite_at_zero(g, size)))))
        above = g.op("Add", size, g.scalar(self._stabiliser, size))
        if not counted:
            return _Flow(g.op("Mul", dy, self._where_gain(g.op("Div", size, above))))
        part = g.op("Div", z, above)
        passed = g.op("Mul", dy, self._where_gain(g.op("Abs", part)))
        return _Flow(passed, g.op("Mul", dy, part), self._stabiliser * self._one_over_gain)

    def _flow_of_kernels(self, branch: Branch, y: str, *, counted: bool) -> _Flow:
        g, stabiliser, zero = self.graph, self._stabiliser, self.graph.scalar(0, y)
        if stabiliser:
            above = self._is_never_negative(branch)
            signs = g.scalar(stabiliser, y)
            if not above:
                signs = g.op("Where", g.op("Less", y, zero), g.scalar(-stabiliser, y), signs)
            factor = g.op("Div", self._z_over_gain, g.op("Add", y, signs))
            passed = g.op("Mul", self.dy, self._given(branch, factor))
            if above:
                return _Flow(passed, passed, stabiliser)
            return _Flow(passed, g.op("Mul", passed, signs) if counted else None)
        passed = g.op("Mul", self.dy, self._given(branch, g.op("Div", self._z_over_gain, _infinite_at_zero(g, y))))
        if not counted:
            return _Flow(passed)
        lost = g.op("Where", g.op("Equal", y, zero), self._relevance, zero)
        return _Flow(passed, self._given(branch, lost))

    def _is_never_negative(self, branch: Branch) -> bool:
        """Whether y_i is known to be so, for every image."""
        scaled = self.node.op == "Gemm" and min(self.node.attr("alpha"), self.node.attr("beta")) < 0
        bias = branch.bias is None or bool((as_numpy(branch.bias) >= 0).all())
        return bias and not scaled and all(self._has_sign(*each) for each in branch.kernels)

    def _has_sign(self, inputs: str | Array, kernel: Array) -> bool:
        """Whether products of an input and a kernel are known not to be negative."""
        if isinstance(inputs, str) and inputs == "negative":
            return bool((as_numpy(kernel) <= 0).all())
        if isinstance(inputs, str):
            above = inputs == "positive" or self.linear.x in self.never_negative
        else:
            above = bool((as_numpy(inputs) >= 0).all())
        return above and bool((as_numpy(kernel) >= 0).all())

    def _given(self, branch: Branch, value: str) -> str:
        """The branch's weight times the value; 0 where z is not on its side."""
        return self._on_side(branch, self._weighted(branch, value))

    def _on_side(self, branch: Branch, value: str) -> str:
        """The value, but 0 where z is not on the branch's side."""
        if branch.side == "any":
            return value
        g = self.graph
        here = g.op("Greater" if branch.side == "positive" else "Less", self._z, g.scalar(0, self._z))
        return g.op("Where", here, value, g.scalar(0, value))

    def _weighted(self, branch: Branch, value: str) -> str:
        return value if branch.weight == 1 else self.graph.op("Mul", value, self.graph.scalar(branch.weight, value))

    def _output(self, index: int, branch: Branch) -> str:
        """y_i = sum of K_e u_e, + bias."""
        bias = None if branch.bias is None else self.linear.row(f"rule{index}:bias", branch.bias)
        terms = []
        for number, (inputs, kernel) in enumerate(branch.kernels):
            terms.append(self.linear.forward(self._input(inputs, f"rule{index}.{number}:input"),
                                           self.linear.kernel(f"rule{index}.{number}", kernel), bias))  # fmt: skip
            bias = None
        return self.graph.op("Sum", *terms) if len(terms) > 1 else terms[0]

    def _input(self, inputs: object, name: str) -> str:
        """u_e: x, a part of it, or a constant."""
        if not isinstance(inputs, str):
            return self.linear.constant_input(name, inputs, self.rule.border)
        return self.linear.x if inputs == "any" else self._parts[inputs]

    @cached_property
    def _parts(self) -> dict[str, str]:
        g, x = self.graph, self.linear.x
        parts = {"positive": g.op("Relu", x), "negative": g.op("Min", x, g.scalar(0, x))}
        g.types |= dict.fromkeys(parts.values(), g.types[x])
        return parts

    def _back(self, index: int, flow: str) -> list[str]:
        """m_e K_e' times the flow of a branch, for each of its kernels; in a local rule u_e K_e'."""
        g, branch, local = self.graph, self.rule.branches[index], self.rule.local
        if not branch.kernels:
            dx = self.linear.transposed(flow)
            return [g.op("Mul", self.linear.x, dx) if local else dx]
        parts = []
        for number, (inputs, kernel) in enumerate(branch.kernels):
            if not (local or isinstance(inputs, str)):
                continue
            dx = self.linear.transposed(flow, self.linear.kernel(f"rule{index}.{number}", kernel))
            if local:
                dx = g.op("Mul", self._input(inputs, f"rule{index}.{number}:input"), dx)
            elif inputs != "any":
                dx = g.op("Mul", dx, self._masks[str(inputs)])
            parts.append(dx)
        return parts

    @cached_property
    def _masks(self) -> dict[str, str]:
        g, x = self.graph, self.linear.x
        compared = {"positive": "Greater", "negative": "Less"}
        return {part: g.op("Cast", g.op(how, x, g.scalar(0, x)), to=g.elem(x)) for part, how in compared.items()}

    def _count(self, accounts: Accounts, flows: list[_Flow]) -> None:
        """What biases took, and the relevance that no branch has passed on."""
        g, kernel = self.graph, self.linear
        for branch, flow in zip(self.rule.branches, flows, strict=True):
            if branch.bias is not None:
                bias = kernel.added(branch.bias) if branch.kernels else as_numpy(branch.bias) * self._one_over_gain
                accounts.add(kernel, flow.passed, bias)
            if flow.kept:
                accounts.add(kernel, flow.kept, kept=flow.scale)
        above, below = (self._left(side) for side in ("positive", "negative"))
        if above == below:
            if above:
                accounts.add(kernel, self._relevance, kept=above)
            return
        here = g.op("Greater", self._z, g.scalar(0, self._z))
        weight = g.op("Where", here, g.scalar(above, self._z), g.scalar(below, self._z))
        accounts.add(kernel, g.op("Mul", self._relevance, weight), kept=1.0)

    def _left(self, side: str) -> float:
        """The part of the relevance of outputs on this side that no branch is given."""
        left = 1 - sum(branch.weight for branch in self.rule.branches if branch.side in {"any", side})
        return left if abs(left) > ROUNDING else 0.0


def stabiliser_of(g: Graph, y: str, rule: KernelRule) -> float:
    """The stabiliser as the elements of y have it; 0 if it is too small for them."""
    return float(helper.tensor_dtype_to_np_dtype(g.elem(y)).type(rule.stabiliser))


def _quotient(value: Floats, gain: Floats) -> Floats:
    quotient: Floats = np.divide(
        value, gain, out=np.zeros(np.broadcast_shapes(value.shape, gain.shape)), where=gain != 0
    )
    return quotient


def _infinite_at_zero(g: Graph, y: str) -> str:
    """y, but infinite where it is 0, so that a quotient by it is 0."""
    return g.op("Where", g.op("Equal", y, g.scalar(0, y)), g.scalar(inf, y), y)
