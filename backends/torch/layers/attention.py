"""Hooks on the weights of attention, which torch's functions compute inside and do not return.

Within `AttentionHooks`, scaled dot-product attention is computed by definition (Vaswani et al. 2017, equation 1). The
hook gets the result of each softmax over the last of four axes, (N, heads, T, T), and may replace it. Values agree with
torch's fused kernels to rounding.
"""

from collections.abc import Callable
from math import sqrt
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["AttentionHooks", "multi_head_attention"]


class AttentionHooks(TorchFunctionMode):
    """Within this context `see` gets the weights of each attention and returns those that the network goes on with."""

    def __init__(self, see: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`; if it computes attention, `see` gets its weights."""
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "").partition(".")[0]
        if func is functional.multi_head_attention_forward:
            return self._multi_head(args, kwargs)
        if name == "scaled_dot_product_attention" and kwargs.get("query", args[0] if args else None).ndim == 4:
            return self.dot_product(*args, **kwargs)
        y = func(*args, **kwargs)
        if name in {"softmax", "_softmax"} and isinstance(y, Tensor) and y.ndim == 4 and _axis(args, kwargs) in {-1, 3}:
            return self._see(y)
        return y

    def _multi_head(self, args: Any, kwargs: dict[str, Any]) -> Any:
        """`nn.MultiheadAttention`'s function, run so that the functions inside come to this mode too.

        It would call this mode again before anything else, so a copy runs that checks for no mode. It is not asked for
        weights, so that it calls scaled dot-product attention; the weights returned are those that were hooked.
        """
        returned, average = kwargs.get("need_weights", True), kwargs.get("average_attn_weights", True)
        hooked: list[Tensor] = []

        def see(weights: Tensor) -> Tensor:
            hooked.append(self._see(weights))
            return hooked[-1]

        with AttentionHooks(see):
            y, _ = multi_head_attention(*args, **{**kwargs, "need_weights": False})
        if not returned or not hooked:
            return y, None
        weights = hooked[-1].mean(dim=1) if average else hooked[-1]
        return y, weights if args[0].ndim == 3 else weights.squeeze(0)

    def dot_product(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """softmax(query key' scale) value, the arguments those of `torch.nn.functional`'s function."""
        if enable_gqa:
            key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
        scores = query @ key.mT * (1 / sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:
            scores = scores + attn_mask
        return self._see(scores.softmax(dim=-1)) @ value


def _axis(args: Any, kwargs: dict[str, Any]) -> Any:
    return kwargs.get("dim", args[1] if len(args) > 1 else None)


def _no_mode(*_: Any) -> bool:
    return False


multi_head_attention = FunctionType(
    functional.multi_head_attention_forward.__code__,
    {**functional.multi_head_attention_forward.__globals__, "has_torch_function": _no_mode},
    "multi_head_attention_forward",
    functional.multi_head_attention_forward.__defaults__,
    functional.multi_head_attention_forward.__closure__,
)
"""multi_head_attention_forward that calls no mode itself; the functions that it calls do."""
