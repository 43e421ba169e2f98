"""Secants of powers without the quotient of differences, which loses digits where two values are close."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..function_calls import FunctionCall

__all__ = ["CLOSED", "kind_of_function"]

_EXPONENTS = {2: "square", 3: "cube", -1: "reciprocal", 0.5: "sqrt", -0.5: "rsqrt"}
CLOSED: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "square": lambda x, other, y, y_other: x + other,
    "cube": lambda x, other, y, y_other: x * x + x * other + other * other,
    "reciprocal": lambda x, other, y, y_other: -y / other,
    "sqrt": lambda x, other, y, y_other: 1 / (y + y_other),
    "rsqrt": lambda x, other, y, y_other: -torch.square(y * y_other) / (y + y_other),
}
"""(f(x) - f(x')) / (x - x') of x, x', f(x) and f(x'); "reciprocal" is any number over x."""


def kind_of_function(call: FunctionCall) -> str:
    """A name by which a function of one varying tensor has its secant: a key of `CLOSED`, else its own name."""
    if call.name in {"div", "divide", "true_divide"}:
        over = call.argument(1 if call.reflected else 0, "input", "self")
        return "reciprocal" if isinstance(over, int | float) and not call.kwargs.get("rounding_mode") else call.name
    if call.name != "pow" or call.reflected:
        return call.name
    exponent = call.argument(1, "exponent")
    return _EXPONENTS.get(exponent, call.name) if isinstance(exponent, int | float) else call.name
