"""Products of values that vary, for pairs: the other factor is the mean of its two halves."""

from typing import Any

import torch
from torch import Tensor

from ..function_calls import FunctionCall
from ..kept_values import KeptValue, KeptValues, same_memory
from .pairs import Halves, Pairs

__all__ = ["secant_of_product"]


def secant_of_product(call: FunctionCall, kept: KeptValues, pairs: Pairs) -> Tensor:
    """The value of a call that is linear in each of its two varying arguments, with the pairs' gradient."""
    first, second = call.tensors
    y: Tensor = _Product.apply(first, second, call, [(kept.keep(each), pairs.along(each)) for each in call.tensors])
    return call.finish(y, kept)


class _Product(torch.autograd.Function):
    """The product's value; the derivative of the product of means."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, call: FunctionCall, kept: list[tuple[KeptValue, Halves]]) -> Tensor:
        ctx.map, ctx.kept = call.map, kept
        return same_memory(ctx.map(a, b))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        means = [halves.mean(each.tensor).requires_grad_() for each, halves in ctx.kept]
        dtype = torch.promote_types(*(each.dtype for each in means))  # an autocast may have converted them
        with torch.enable_grad():
            y = ctx.map(*(each.to(dtype) for each in means))
            gradients = torch.autograd.grad(y, means, dy.to(y.dtype))
        return *gradients, None, None
