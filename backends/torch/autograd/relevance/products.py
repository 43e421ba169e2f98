"""products="half": a product of two values that vary gives each of them half of its gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...layers.attention import AttentionHooks
from .function_calls import FunctionCall
from .gradient_of import scaled_gradient
from .kept_values import KeptValues

__all__ = ["PRODUCTS", "HalvedProducts", "product_in_steps"]

PRODUCTS = frozenset(
    ["mul", "multiply", "matmul", "mm", "bmm", "einsum", "tensordot", "bilinear", "outer", "dot", "mv", "inner", "kron"]
)


class HalvedProducts:
    """The rule in one pass."""

    def __init__(self, kept: KeptValues) -> None:
        self._kept = kept

    def __call__(self, call: FunctionCall) -> Tensor | None:
        """The value of a product; None for any other function."""
        if call.name not in PRODUCTS or len(call.tensors) < 2:
            return None
        return call.finish(scaled_gradient(call.map(*call.tensors), 1 / len(call.tensors)), self._kept)


def product_in_steps(call: FunctionCall) -> Callable[[], Tensor] | None:
    """Attention, gates and fused sums of products by functions that have rules; None for any other function."""
    return _STEPS[call.name](call) if call.name in _STEPS else None


def _attention(call: FunctionCall) -> Callable[[], Tensor]:
    def steps() -> Tensor:
        hooks = AttentionHooks(lambda weights: weights)
        y: Tensor = hooks.dot_product(*call.args, **call.kwargs)
        return y

    return steps


def _glu(call: FunctionCall) -> Callable[[], Tensor]:
    x: Tensor = call.argument(0, "input", "self")

    def steps() -> Tensor:
        first, second = x.chunk(2, call.argument(1, "dim", default=-1))
        return first * torch.sigmoid(second)

    return steps


def _sum_and_product(product: Callable[[Any, Any], Tensor], scale: str) -> Callable[[FunctionCall], Any]:
    def make(call: FunctionCall) -> Callable[[], Tensor]:
        first, second = call.argument(1, "batch1", "tensor1"), call.argument(2, "batch2", "tensor2")
        beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get(scale, 1)

        def steps() -> Tensor:
            y = product(first, second)
            start: Tensor = call.argument(0, "input", "self")
            return (start if beta == 1 else start * beta) + (y if alpha == 1 else y * alpha)

        return steps

    return make


_STEPS: dict[str, Callable[[FunctionCall], Callable[[], Tensor]]] = {
    "scaled_dot_product_attention": _attention,
    "glu": _glu,
    "baddbmm": _sum_and_product(torch.bmm, "alpha"),
    "addcmul": _sum_and_product(torch.mul, "value"),
}
