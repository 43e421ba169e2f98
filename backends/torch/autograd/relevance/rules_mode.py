"""The function mode in which a network's calls get the backward rules of `crosslens.model.Model.modified`."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from crosslens.model.backward_rules import BackwardRules
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ...layers.attention import multi_head_attention
from ...layers.functions import function_name
from .function_calls import FunctionCall, function_call
from .kept_values import KeptValues
from .kernels.kernel_tables import Table, apply_table
from .kernels.linear_calls import CallKey, LinearCall, linear_call
from .normalisations import StoppedNorms, normalisation, with_value
from .products import HalvedProducts, product_in_steps
from .ratios import Ratios
from .secant.pairs import Pairs
from .secant.secants import Secants
from .secant.steps import secant_steps
from .slopes import Slopes

__all__ = ["LinearCalls", "RulesMode"]

_ATTRIBUTES = frozenset({"__get__", "__set__", "dim", "size", "stride", "is_floating_point", "numel"})
"""Attributes of tensors, which have no rule; a network's modules ask for them hundreds of times."""


class LinearCalls(TorchFunctionMode):
    """Within this context linear maps with a kernel are counted, those inside `nn.MultiheadAttention` too.

    A subclass overrides `linear` to see or replace each of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, tuple[int, ...]]] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, or `linear` in its place."""
        if getattr(func, "__name__", "") in _ATTRIBUTES:
            return func(*args, **(kwargs or {}))
        kwargs = dict(kwargs or {})
        if func is functional.multi_head_attention_forward:
            with self:
                return multi_head_attention(*args, **kwargs)
        call = linear_call(func, args, kwargs)
        if call is not None:
            self._counts[call.kind, call.shape] += 1
            y = self.linear(CallKey(call.kind, call.shape, self._counts[call.kind, call.shape]), call)
            if y is not None:
                return y
        return self.other(func, args, kwargs)

    def linear(self, key: CallKey, call: LinearCall) -> Tensor | None:
        """The value of a linear map; None leaves it to `other`."""
        return None

    def other(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The value of any other function."""
        return func(*args, **kwargs)


class RulesMode(LinearCalls):
    """Within this context a network's calls have backward rules; values stay what they are.

    Args:
        rules: those of `Model.modified`; the rule for rectifiers is `crosslens.backends.torch.autograd.rectifiers`'.
        tables: of layers with a kernel, by the call.
        rows: images in the batch, references counted.
    """

    def __init__(self, rules: BackwardRules, tables: Mapping[CallKey, Table], rows: int) -> None:
        super().__init__()
        self._tables = tables
        self._kept = kept = KeptValues()
        self.pairs = Pairs(rows) if rules.slope == "secant" else None
        self._norms_stop = rules.norms == "stop"
        self._has_steps = rules.products == "half" or rules.slope != "exact"
        self.slopes: Ratios | Secants | None = None
        rectified = rules.relu != "exact"
        if self.pairs is not None:
            self.slopes = Secants(kept, self.pairs, rectified=rectified)
        elif rules.slope == "ratio":
            self.slopes = Ratios(Slopes(kept), rectified=rectified)
        chosen = [
            self.slopes,
            StoppedNorms(kept) if self._norms_stop else None,
            HalvedProducts(kept) if rules.products == "half" else None,
        ]
        self._rules: list[Callable[[FunctionCall], Any]] = [rule for rule in chosen if rule is not None]
        self.absorbed: Tensor | None = None
        """The leaf (N, 2) whose gradient adds up what biases and the stabiliser took; None if nobody asks."""

    @staticmethod
    def is_needed(rules: BackwardRules) -> bool:
        """Whether some rule is not the ordinary gradient, but for rectifiers."""
        return bool(rules.kernels) or {rules.slope, rules.norms, rules.products} != {"exact"}

    def linear(self, key: CallKey, call: LinearCall) -> Tensor | None:
        rule = self._tables.get(key)
        return None if rule is None else apply_table(rule, call, self._kept, self.absorbed)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As `LinearCalls`, and the batch is followed where it holds pairs."""
        if self.pairs is None:
            return super().__torch_function__(func, types, args, kwargs)
        given = self.pairs.given(args, kwargs)
        y = super().__torch_function__(func, types, args, kwargs)
        self.pairs.after(function_name(func), args, kwargs or {}, given, y)
        return y

    def other(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        call = function_call(func, args, kwargs)
        follows = bool(call.varying) and torch.is_grad_enabled()
        y = self._ruled(call) if follows else None
        ruled = y is not None
        if not ruled:
            if call.writes:
                self._kept.before_writing(args, kwargs)
            y = func(*args, **kwargs)
        if not follows:
            return y
        if self.slopes is not None:
            self.slopes.after(call, y, ruled=ruled)
        return y

    def _ruled(self, call: FunctionCall) -> Any:
        steps = self._steps(call)
        if steps is None:
            return next((y for rule in self._rules if (y := rule(call)) is not None), None)
        with self:
            formula = steps()
        return with_value(call, formula, self._kept)

    def _steps(self, call: FunctionCall) -> Callable[[], Tensor] | None:
        """What a call is composed of, each part with its rule; None where the call has a rule itself, or none."""
        if self._has_steps and (steps := product_in_steps(call)) is not None:
            return steps
        if self.pairs is None:
            return None
        formula = normalisation(call)
        if formula is None:
            return None if self._norms_stop and StoppedNorms.has(call) else secant_steps(call)
        deviation = Tensor.detach if self._norms_stop else _unchanged
        return lambda: formula(deviation)


def _unchanged(x: Tensor) -> Tensor:
    return x
