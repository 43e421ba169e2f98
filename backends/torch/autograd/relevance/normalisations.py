"""Normalisations by statistics of the input, written out: y = (x - mean) * (variance + eps)^-1/2, scaled and shifted.

norms="stop" takes the power as a constant; a secant goes through each operator of the formula.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .function_calls import FunctionCall
from .gradient_of import with_gradient_of
from .kept_values import KeptValues

__all__ = ["StoppedNorms", "normalisation", "with_value"]

Deviation = Callable[[Tensor], Tensor]
"""What is done with 1 / deviation: nothing, or the graph is cut."""
_ROOTS = frozenset(
    ["sqrt", "rsqrt", "norm", "frobenius_norm", "linalg_norm", "linalg_vector_norm", "vector_norm", "std"]
)
_POWERS = frozenset({"pow", "float_power"})


class StoppedNorms:
    """norms="stop" in one pass: no gradient through the deviation of a normalisation, written out or not."""

    def __init__(self, kept: KeptValues) -> None:
        self._kept = kept

    def __call__(self, call: FunctionCall) -> Any:
        """The value of a normalisation or a root; None for any other function."""
        if self.has(call):
            y = call.value()
            x = call.tensors[0]
            if call.writes and x is call.argument(0, "input", "self") and not x._is_view():
                x.detach_()  # else what it was before gets a gradient of zeros
            return call.finish(y, self._kept)
        formula = normalisation(call)
        return None if formula is None else with_value(call, formula(Tensor.detach), self._kept)

    @staticmethod
    def has(call: FunctionCall) -> bool:
        """Whether it is a root, through which no gradient passes."""
        if call.name not in _POWERS:
            return call.name in _ROOTS
        exponent = call.argument(1, "exponent")
        return not call.reflected and isinstance(exponent, int | float) and abs(exponent) == 0.5


def with_value(call: FunctionCall, formula: Tensor, kept: KeptValues) -> Any:
    """What a call gives, its first result with the gradient of a formula for it."""
    with torch.no_grad():
        given: Any = call.map(*call.tensors)
    if isinstance(given, Tensor):
        return call.finish(with_gradient_of(formula, given), kept)
    return (with_gradient_of(formula.reshape(given[0].shape), given[0]), *given[1:])


def normalisation(call: FunctionCall) -> Callable[[Deviation], Tensor] | None:
    """The formula of a normalisation; None where a call is none, or varies in more than its input."""
    formula = _FORMULAS.get(call.name)
    if formula is None or len(call.varying) != 1:
        return None
    x: Tensor = call.tensors[0]
    if x is not call.argument(0, "input", "self"):
        return None
    return formula(call, x)


def _standardised(
    x: Tensor, axes: tuple[int, ...], eps: float, deviation: Deviation, *, centred: bool = True
) -> Tensor:
    difference = x - x.mean(axes, keepdim=True) if centred else x
    return difference * deviation(((difference.square()).mean(axes, keepdim=True) + eps).rsqrt())


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _by_channel(values: Tensor | None, x: Tensor) -> Tensor | None:
    return None if values is None else values.reshape(1, -1, *[1] * (x.ndim - 2))


def _layer_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor]:
    axes = tuple(range(-len(call.argument(1, "normalized_shape")), 0))
    weight, bias = call.argument(2, "weight"), call.argument(3, "bias")
    eps = call.argument(4, "eps", default=1e-5)
    return lambda deviation: _affine(_standardised(x, axes, eps, deviation), weight, bias)


def _rms_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor]:
    axes = tuple(range(-len(call.argument(1, "normalized_shape")), 0))
    weight, given = call.argument(2, "weight"), call.argument(3, "eps")
    eps = torch.finfo(x.dtype).eps if given is None else given
    return lambda deviation: _affine(_standardised(x, axes, eps, deviation, centred=False), weight, None)


def _groups(x: Tensor, groups: int, weight: Any, bias: Any, eps: float) -> Callable[[Deviation], Tensor]:
    def formula(deviation: Deviation) -> Tensor:
        y = _standardised(x.reshape(x.shape[0], groups, -1), (2,), eps, deviation).reshape(x.shape)
        return _affine(y, _by_channel(weight, x), _by_channel(bias, x))

    return formula


def _group_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor]:
    eps = call.argument(4, "eps", default=1e-5)
    return _groups(x, call.argument(1, "num_groups"), call.argument(2, "weight"), call.argument(3, "bias"), eps)


def _native_group_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor]:
    _, weight, bias, _, _, _, groups, eps = call.args
    return _groups(x, groups, weight, bias, eps)


def _instance_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor] | None:
    if call.func is functional.instance_norm:
        weight, bias = call.argument(3, "weight"), call.argument(4, "bias")
    else:
        weight, bias = call.argument(1, "weight"), call.argument(2, "bias")
    if not call.argument(5, "use_input_stats", default=True):
        return None
    return _groups(x, x.shape[1], weight, bias, call.argument(7, "eps", default=1e-5))


def _batch_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor] | None:
    """With the statistics of the batch, which an exported instance normalisation has as well."""
    legit = "legit" in call.name
    of_functional = call.func is functional.batch_norm
    weight, bias = (call.argument(place + 2 * of_functional, key) for place, key in ((1, "weight"), (2, "bias")))
    training = call.argument(3 if legit else 5, "training", default=False)
    if not training:
        return None
    eps = call.argument(5 if legit else 7, "eps", default=1e-5)
    axes = (0, *range(2, x.ndim))
    return lambda deviation: _affine(
        _standardised(x, axes, eps, deviation), _by_channel(weight, x), _by_channel(bias, x)
    )


def _local_response_norm(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor]:
    size, alpha = call.argument(1, "size"), call.argument(2, "alpha", default=1e-4)
    beta, k = call.argument(3, "beta", default=0.75), call.argument(4, "k", default=1.0)

    def formula(deviation: Deviation) -> Tensor:
        squares = functional.pad(x.square().unsqueeze(1), (*[0] * 2 * (x.ndim - 2), size // 2, (size - 1) // 2))
        mean = functional.avg_pool3d(
            squares.flatten(3).unsqueeze(-1) if x.ndim > 3 else squares.unsqueeze(-1), (size, 1, 1), stride=1
        )
        return x * deviation((mean.reshape(x.shape) * alpha + k) ** -beta)

    return formula


def _normalize(call: FunctionCall, x: Tensor) -> Callable[[Deviation], Tensor] | None:
    p, axis = call.argument(1, "p", default=2.0), call.argument(2, "dim", default=1)
    eps = call.argument(3, "eps", default=1e-12)
    if p not in {1, 2}:
        return None

    def formula(deviation: Deviation) -> Tensor:
        length = x.abs().sum(axis, keepdim=True) if p == 1 else x.square().sum(axis, keepdim=True).sqrt()
        return x * deviation(length.clamp(min=eps).reciprocal())

    return formula


_FORMULAS: Mapping[str, Callable[[FunctionCall, Tensor], Callable[[Deviation], Tensor] | None]] = {
    "layer_norm": _layer_norm,
    "native_layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "fused_rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "native_group_norm": _native_group_norm,
    "instance_norm": _instance_norm,
    "batch_norm": _batch_norm,
    "native_batch_norm_legit": _batch_norm,
    "local_response_norm": _local_response_norm,
    "normalize": _normalize,
}
