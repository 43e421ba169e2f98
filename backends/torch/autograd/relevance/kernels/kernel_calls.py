"""Which call of a linear map each layer with a kernel is, by one pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from crosslens.arrays import Array, as_numpy
from crosslens.errors import LayerError
from crosslens.model.kernel_rules import KernelRule
from torch import Tensor

from ...recording import Recording
from ..rules_mode import LinearCalls
from .kernel_tables import Table, table
from .linear_calls import CallKey, LinearCall

__all__ = ["Calls", "KernelCalls"]


class Calls(LinearCalls):
    """Within this context calls of linear maps are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[CallKey, LinearCall] = {}
        self.last: LinearCall | None = None

    def linear(self, key: CallKey, call: LinearCall) -> None:
        self.calls[key] = self.last = call


@dataclass
class KernelCalls(Recording):
    """A pass that finds the call of each layer of `rules`; enter `mode` around it.

    It is the last call before the layer's output that has the layer's kernel, and that no layer has taken yet.
    For rules of the own kernel alone its shape is enough: some layers compute the kernel from their weights.
    """

    rules: Mapping[str, KernelRule] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """Of the same layers, as `Model.weights` gives them."""
    mode: Calls = field(default_factory=Calls)
    tables: dict[CallKey, Table] = field(default_factory=dict)
    """By the call."""

    def record(self, name: str, y: Tensor) -> Tensor:
        if name in self.rules:
            key, call = self._call(name)
            self.tables[key] = table(self.rules[name], call, self.weights[name].get("bias"))
        return super().record(name, y)

    def _call(self, name: str) -> tuple[CallKey, LinearCall]:
        kernel = torch.from_numpy(as_numpy(self.weights[name]["kernel"]))
        by_shape = all(not branch.kernels for branch in self.rules[name].branches)
        for key, call in reversed(self.mode.calls.items()):
            if key not in self.tables and call.has_kernel(kernel, by_shape=by_shape):
                return key, call
        raise LayerError(
            f"layer {name!r} does not compute its output by one convolution or product with its kernel, so no kernel "
            "rule can replace its backward pass; leave it out of the rules"
        )
