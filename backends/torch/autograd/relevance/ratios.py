"""slope="ratio": f(x) / x at activation functions, by themselves or written out in several operators."""

from typing import Any

from torch import Tensor

from .chains import Chains
from .function_calls import FunctionCall
from .names import ACTIVATIONS, RECTIFIERS
from .rectifier_calls import is_rectifier
from .slopes import Slopes

__all__ = ["Ratios"]

_PRODUCTS = frozenset({"mul", "multiply", "div", "divide", "true_divide"})


class Ratios:
    """The rule in one pass. A product of two values that lead back to one tensor ends an activation function.

    Args:
        slopes: f(x) / x.
        rectified: whether rectifiers have a rule of their own.
    """

    def __init__(self, slopes: Slopes, *, rectified: bool) -> None:
        self._slopes, self._rectified = slopes, rectified
        self._chains = Chains()

    def __call__(self, call: FunctionCall) -> Tensor | None:
        """The value of an activation function with its ratio; None for any other function."""
        if len(call.varying) == 1 and call.name in ACTIVATIONS - RECTIFIERS:
            has_own_rule = self._rectified and is_rectifier(call)
            return None if has_own_rule else self._slopes.of_call(call, call.tensors[0], call.map)
        if len(call.varying) != 2 or call.name not in _PRODUCTS or call.tensors[0] is call.tensors[1]:
            return None
        chain = self._chains.chain(call)
        return None if chain is None or chain.x is None else self._slopes.of_call(call, chain.x, chain.function)

    def after(self, call: FunctionCall, y: Any, *, ruled: bool) -> None:
        """Follow what the call has computed."""
        self._chains.after(call, y)
