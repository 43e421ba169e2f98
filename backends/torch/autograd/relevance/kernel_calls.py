"""Which call of a linear map each layer with a kernel is, by one pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from crosslens.arrays import Array
from crosslens.errors import LayerError
from crosslens.model.kernel_rules import KernelRule
from torch import Tensor

from ..recording import Recording
from .kernel_tables import Table, table
from .linear_calls import LinearCall
from .rules_mode import LinearCalls

__all__ = ["KernelCalls"]


class _Calls(LinearCalls):
    """Within this context calls of linear maps are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[int, tuple[LinearCall, Tensor]] = {}

    def linear(self, number: int, call: LinearCall) -> Tensor:
        y = super().linear(number, call)
        self.calls[number] = call, y
        return y


@dataclass
class KernelCalls(Recording):
    """A pass that finds the call of each layer of `rules`; enter `mode` around it.

    It is the last call before the layer's output that has the layer's kernel, and that no layer has taken yet.
    """

    rules: Mapping[str, KernelRule] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """Of the same layers, as `Model.weights` gives them."""
    mode: _Calls = field(default_factory=_Calls)
    tables: dict[int, Table] = field(default_factory=dict)
    """By the number of the call."""

    def record(self, name: str, y: Tensor) -> Tensor:
        if name in self.rules:
            number, call = self._call(name)
            self.tables[number] = table(self.rules[name], call, self.weights[name].get("bias"))
        return super().record(name, y)

    def _call(self, name: str) -> tuple[int, LinearCall]:
        kernel = torch.from_numpy(self.weights[name]["kernel"])
        for number, (call, _) in reversed(self.mode.calls.items()):
            if number not in self.tables and _has_kernel(call, kernel):
                return number, call
        raise LayerError(
            f"layer {name!r} does not compute its output by one convolution or product with its kernel, so no kernel "
            "rule can replace its backward pass; leave it out of the rules"
        )


def _has_kernel(call: LinearCall, kernel: Tensor) -> bool:
    if call.weight.numel() != kernel.numel():
        return False
    expected = call.in_layout(kernel.to(call.weight.device, call.weight.dtype))
    return expected.shape == call.weight.shape and bool(torch.equal(expected, call.weight.detach()))
