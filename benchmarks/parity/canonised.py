"""Copies of the parity networks in the form in which zennit and captum compute what their papers say.

Both see modules alone: of a sum written with + each part gets all relevance there, a mean written as a function passes
it by the gradient, and a normalisation that is not merged into the layer before takes some (zennit #148, #193, #236).
Here sums, means and padding are modules, of the kinds that zennit and captum have rules for.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from crosslens.backends.zoo.torch_nets import SameConv2d
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks import resnet
from tests.zoo import torch as in_torch

Sum = Callable[[], nn.Module]
"""Makes the module that adds two tensors."""


class Padded(nn.Conv2d):
    """A convolution that pads as `SameConv2d`, and has a bias for a normalisation to be merged into."""

    def __init__(self, conv: SameConv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, groups=conv.groups)  # type: ignore[arg-type]
        self.weight, self._of = conv.weight, (conv,)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = (self._of[0]._padding(int(x.shape[axis + 2]), axis) for axis in (0, 1))
        return super().forward(functional.pad(x, (left, right, top, bottom)))


class Residual(nn.Module):
    """A branch and a shortcut, their sum a module, and what follows it."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module, add: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut, self.add, self.after = branch, shortcut, add, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.add(self.shortcut(x), self.branch(x)))


class Stacked(nn.Module):
    """The sum along a stack of two, as zennit has a rule for it."""

    def __init__(self) -> None:
        super().__init__()
        from zennit.layer import Sum as Along

        self.sum = Along()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.sum(torch.stack([a, b], dim=-1))


def captum_sum() -> nn.Module:
    """The module of sums that captum has a rule for."""
    from captum.attr._utils.custom_modules import Addition_Module

    return Addition_Module()


def canonised(net: nn.Module, add: Sum = Stacked) -> nn.Module:
    """A copy that computes the same with other modules.

    Args:
        net: one of the parity networks.
        add: of sums.
    """
    copy = _changed(deepcopy(net), add)
    for module in copy.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return copy.eval()


def _changed(module: Any, add: Sum) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, _changed(child, add))
    if isinstance(module, SameConv2d):
        return Padded(module)
    if isinstance(module, in_torch.Add):
        return add()
    if isinstance(module, in_torch.Gap):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if isinstance(module, resnet.Bottleneck):
        inner = nn.Sequential(module.reduce, module.relu1, module.spatial, module.relu2, module.expand)
        return Residual(inner, module.shortcut, add(), module.relu3)
    if hasattr(module, "_residual"):
        layers = nn.Sequential(*module.children())
        return Residual(layers, nn.Identity(), add(), nn.Identity()) if module._residual else layers
    return module  # type: ignore[no-any-return]
