"""Calls of linear maps with a kernel: convolutions of any kind, dense layers, products with a matrix."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["FUNCTIONS", "CallKey", "LinearCall", "linear_call"]

_WITH_KERNEL = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution", "_convolution"), "convolution"),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), "transposed"),
    "linear": "linear",
}
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "__matmul__"})


FUNCTIONS = _WITH_KERNEL.keys() | _PRODUCTS | {"addmm"}
"""Names of functions that may be such a call."""


class CallKey(NamedTuple):
    """A call among those of its kind and with a kernel of its shape, from 1."""

    kind: str
    shape: tuple[int, ...]
    number: int


@dataclass(frozen=True)
class LinearCall:
    """y = K x + b as a network calls it."""

    kind: str
    """"convolution", "transposed", "linear", or "product": x times a matrix (in, out), or (N, in, out) of copies."""
    x: Tensor
    weight: Tensor
    """In the layout of the call."""
    bias: Tensor | None
    map: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    """The same map with another input, kernel and bias."""
    groups: int = 1

    @property
    def axis(self) -> int:
        """The axis of channels of x and y."""
        return 1 if self.kind in {"convolution", "transposed"} else -1

    @property
    def shape(self) -> tuple[int, ...]:
        """The kernel's, in the layout of the call."""
        return tuple(self.weight.shape[-2:] if self.kind == "product" else self.weight.shape)

    def has_kernel(self, kernel: Tensor, *, by_shape: bool = False) -> bool:
        """Whether this kernel, in the layout of `Model.weights`, is the one of the call, or only its shape is."""
        if self.weight.numel() % kernel.numel():
            return False
        expected = self.in_layout(kernel.to(self.weight.device, self.weight.dtype))
        if expected.shape != self.shape:
            return False
        return by_shape or bool(torch.equal(expected.expand_as(self.weight), self.weight.detach()))

    def in_layout(self, kernel: Tensor) -> Tensor:
        """A kernel in the layout of `Model.weights`, (out, in / groups, ...), as the call takes it."""
        if self.kind == "product":
            return kernel.mT
        if self.kind != "transposed":
            return kernel
        rest, groups = kernel.shape[2:], self.groups
        parts = kernel.reshape(groups, kernel.shape[0] // groups, kernel.shape[1], *rest)
        return parts.transpose(1, 2).reshape(groups * kernel.shape[1], kernel.shape[0] // groups, *rest)


def linear_call(func: Any, args: Any, kwargs: Mapping[str, Any]) -> LinearCall | None:
    """The linear map that a call of a function is; None where it is none with a kernel."""
    name = getattr(func, "__name__", "").partition(".")[0]
    if name in _WITH_KERNEL:
        return _with_kernel(_WITH_KERNEL[name], func, args, kwargs)
    if name in _PRODUCTS:
        return _product(args, kwargs)
    if name == "addmm" and not kwargs.keys() & {"beta", "alpha", "out"} and len(args) == 3:
        bias, x, weight = args
        return LinearCall("product", x, weight, bias, _multiply)
    return None


def _with_kernel(kind: str, func: Any, args: Any, kwargs: Mapping[str, Any]) -> LinearCall:
    values, names = list(args), dict(kwargs)
    slots: list[int | str] = []
    for place, keys in enumerate((("input", "self"), ("weight",), ("bias",))):
        slots.append(place if place < len(values) else next((key for key in keys if key in names), keys[0]))

    def at(slot: int | str) -> Any:
        return values[slot] if isinstance(slot, int) else names.get(slot)

    def call(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        positional, named = list(values), dict(names)
        for slot, value in zip(slots, (x, weight, bias), strict=True):
            if isinstance(slot, int):
                positional[slot] = value
            else:
                named[slot] = value
        y: Tensor = func(*positional, **named)
        return y

    x, weight, bias = map(at, slots)
    for slot in slots:  # the map must not keep the graph alive
        if isinstance(slot, int):
            values[slot] = None
        else:
            names.pop(slot, None)
    general = len(values) > 8  # aten.convolution(..., dilation, transposed, output_padding, groups)
    if general:
        kind = "transposed" if values[6] else "convolution"
    groups = values[8] if general else values[6] if len(values) > 6 else names.get("groups", 1)
    return LinearCall(kind, x, weight, bias, call, groups)


def _product(args: Any, kwargs: Mapping[str, Any]) -> LinearCall | None:
    given = [*args, *(kwargs[key] for key in ("input", "self", "other", "mat2", "tensor2") if key in kwargs)]
    if len(given) != 2 or not all(isinstance(each, Tensor) for each in given) or given[1].ndim not in {2, 3}:
        return None
    return LinearCall("product", given[0], given[1], None, _multiply)


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = torch.matmul(x, weight)
    return y if bias is None else y + bias
