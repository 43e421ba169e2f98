"""slope="secant" in one pass: the factor between image and reference at every function that has one (DeepLIFT)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ....layers.functions import tensors_in
from ..chains import CHOICES, Chains
from ..function_calls import FunctionCall
from ..kept_values import KeptValues
from ..names import ELEMENTWISE, STEPPED
from ..products import PRODUCTS
from ..rectifier_calls import is_rectifier
from ..slopes import Slopes
from .bilinear import secant_of_product
from .maxima import Maxima
from .pairs import Pairs
from .softmax import SOFTMAX, secant_of_softmax

__all__ = ["Secants"]

_QUOTIENTS = frozenset({"div", "divide", "true_divide"})
_TWO_SIDED = frozenset({"maximum", "minimum", "max", "min", "fmax"})
_BILINEAR = PRODUCTS | {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)} | {"linear"}


class Secants:
    """The rule; `without_secant` counts functions that are not linear and keep their derivative.

    Args:
        kept: of the pass.
        pairs: images and references.
        rectified: whether rectifiers have a rule of their own.
    """

    def __init__(self, kept: KeptValues, pairs: Pairs, *, rectified: bool) -> None:
        self._kept, self._pairs, self._rectified = kept, pairs, rectified
        self._slopes = Slopes(kept, pairs)
        self._maxima = Maxima(kept, pairs)
        self._chains = Chains()
        self.without_secant: Counter[str] | None = None
        """Filled where it is a counter, which costs a trial of each function."""

    def __call__(self, call: FunctionCall) -> Any:
        """The value of a function with its secant; None for what is linear or has none."""
        if self._rectified and is_rectifier(call):
            return None
        if len(call.varying) == 1 and self._is_elementwise(call):
            return self._slopes.of_call(call, call.tensors[0], call.map)
        if len(call.varying) == 1 and call.name in SOFTMAX:
            return secant_of_softmax(call, self._kept, self._pairs)
        if call.name in CHOICES and (chain := self._chains.chain(call)) is not None and chain.x is not None:
            return self._slopes.of_call(call, chain.x, chain.function)
        if len(call.varying) == 2 and call.name in _BILINEAR and self._is_bilinear(call):
            return secant_of_product(call, self._kept, self._pairs)
        return self._maxima(call)

    @staticmethod
    def _is_elementwise(call: FunctionCall) -> bool:
        if call.name in ELEMENTWISE | STEPPED:
            return True
        slot = call.varying[0][0]
        if call.name in _QUOTIENTS:  # of a constant by x
            return call.reflected or slot not in {0, "input", "self"}
        return call.name in _TWO_SIDED and isinstance(call.argument(1, "other"), Tensor)

    @staticmethod
    def _is_bilinear(call: FunctionCall) -> bool:
        places = {slot for slot, _ in call.varying}
        return not (places & {2, "bias"}) if call.name not in PRODUCTS else True

    def after(self, call: FunctionCall, y: Any, *, ruled: bool) -> None:
        """Remember what chains of functions and conditions need, and count a function that has no secant."""
        self._chains.after(call, y)
        if self.without_secant is not None and not ruled and not self._is_linear(call):
            self.without_secant[call.name] += 1

    def _is_linear(self, call: FunctionCall) -> bool:
        """Whether the function is linear, or linear and a constant, as far as one trial shows."""
        if any(self._chains.is_condition(each) for each in tensors_in([call.args, call.kwargs])):
            return False
        numbers = torch.Generator().manual_seed(0)
        draw = [[torch.randn(t.shape, generator=numbers).to(t) for t in call.tensors] for _ in range(2)]
        middle = [(a + b) / 2 for a, b in zip(*draw, strict=True)]
        with torch.no_grad():
            try:
                first, second, between = (_floating(call.map(*values)) for values in (*draw, middle))
            except (RuntimeError, ValueError, TypeError):
                return True
        return all(
            torch.allclose((a + b) / 2, c, rtol=1e-3, atol=1e-3 * float(c.abs().max()) if c.numel() else 0)
            for a, b, c in zip(first, second, between, strict=True)
        )


def _floating(values: Any) -> list[Tensor]:
    found: Iterator[Tensor] = tensors_in(values)
    return [each for each in found if each.is_floating_point()]
