"""Kernels of functions that are layers: parameters of the network that it hands to a convolution or product itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from crosslens.arrays import Array, as_numpy
from torch import Tensor, nn

from ...recording import Recording
from .kernel_calls import Calls
from .linear_calls import LinearCall

__all__ = ["FunctionKernel", "FunctionKernels"]


@dataclass(frozen=True)
class FunctionKernel:
    """The parameters of one function by their paths in the network, and the call that takes them."""

    kernel: str
    bias: str | None
    call: LinearCall
    is_transposed: bool
    """Whether the call takes the parameter's transpose."""

    def read(self, net: nn.Module) -> dict[str, Array]:
        """Copies, laid out as in `Model.weights`."""
        tensors = _tensors(net)
        weights = {"kernel": self._laid_out(tensors[self.kernel].detach())}
        if self.bias is not None:
            weights["bias"] = tensors[self.bias].detach()
        return {name: _array(values) for name, values in weights.items()}

    def write(self, net: nn.Module, values: Mapping[str, Array]) -> None:
        """Set them in a network, which must not be the user's."""
        tensors = _tensors(net)
        for name, array in values.items():
            given = torch.from_numpy(np.array(as_numpy(array)))
            path = self.kernel if name == "kernel" else self.bias
            assert path is not None
            with torch.no_grad():
                tensors[path].copy_(self._stored(given) if name == "kernel" else given)

    def _laid_out(self, stored: Tensor) -> Tensor:
        """`in_layout` is its own inverse."""
        return self.call.in_layout(stored.mT if self.is_transposed else stored)

    def _stored(self, kernel: Tensor) -> Tensor:
        values = self.call.in_layout(kernel)
        return values.mT if self.is_transposed else values


@dataclass
class FunctionKernels(Recording):
    """A pass that finds the parameters of layers that are functions; enter `mode` around it."""

    net: nn.Module = field(default_factory=nn.Module)
    of_layers: Collection[int] = ()
    """Modules that are layers, by id: their parameters are theirs."""
    mode: Calls = field(default_factory=Calls)
    found: dict[str, FunctionKernel] = field(default_factory=dict)

    def record(self, name: str, y: Tensor) -> Tensor:
        call = self.mode.last
        self.mode.last = None
        if call is not None and call.weight.grad_fn is None:
            self._add(name, call)
        return super().record(name, y)

    def _add(self, name: str, call: LinearCall) -> None:
        own = {path: tensor for path, tensor in _tensors(self.net).items() if not self._is_of_layer(path)}
        for path, tensor in own.items():
            same = tensor.data_ptr() == call.weight.data_ptr()
            for is_transposed, stored in ((False, tensor), (True, tensor.mT if tensor.ndim == 2 else None)):
                if same and stored is not None and _is_same(stored, call.weight):
                    bias = next((p for p, t in own.items() if call.bias is not None and _is_same(t, call.bias)), None)
                    self.found[name] = FunctionKernel(path, bias, _bare(call), is_transposed)
                    return

    def _is_of_layer(self, path: str) -> bool:
        return id(self.net.get_submodule(path.rpartition(".")[0])) in self.of_layers


def _is_same(a: Tensor, b: Tensor) -> bool:
    return (a.data_ptr(), a.shape, a.stride()) == (b.data_ptr(), b.shape, b.stride())


def _bare(call: LinearCall) -> LinearCall:
    """The call without its tensors."""
    nothing = torch.empty(0)
    return LinearCall(call.kind, nothing, nothing, None, call.map, call.groups)


def _tensors(net: nn.Module) -> dict[str, Tensor]:
    return {**dict(net.named_buffers()), **dict(net.named_parameters())}


def _array(values: Any) -> Array:
    values = values.cpu()
    return np.array(values.to(values.dtype if values.dtype == torch.float64 else torch.float32).numpy(), order="C")
