"""What was done to a layer's weights: transposed, flipped, permuted, rounded, changed, or used with another epsilon.

Where one network has a convolution and a normalisation and the other both folded into one, the folded kernel is set
against the plain one channel by channel.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ..arrays import as_numpy
from ..model.base import Model
from .epsilon import channel_gains, epsilon_from_gains, fitted_epsilon
from .similarity import Values, nearest_permutation, relative_l2
from .suspect import Cause, Suspect

__all__ = ["tensor_fault", "weight_fault"]

SAME = 1e-6
"""Relative L2 difference up to which two tensors are one."""
SAME_AFTER_FIT = 1e-4
"""The same where something was fitted: an epsilon, or an order of channels."""
OTHER_EPSILON = 1e-2
"""Relative difference from which two fitted epsilons are different."""

Weight = tuple[str, str, Values]
"""(layer, parameter, values)"""
Norm = tuple[str, dict[str, Values]]
"""A normalisation's layer and its parameters."""


def weight_fault(suspect: Suspect) -> Cause | None:
    """What differs between the weights of the layers at a pair, if both networks show them."""
    models = suspect.models
    a, b = _weights(models.a, suspect.layers_a), _weights(models.b, suspect.layers_b)
    if not a or not b:
        return None
    if [(name, v.size) for _, name, v in a] != [(name, v.size) for _, name, v in b]:
        return _folded_fault(suspect, a, b)
    for (layer, name, right), (_, _, other) in zip(a, b, strict=True):
        fault = tensor_fault(right, other)
        if fault:
            return Cause(fault[0], f"the {name} of {layer!r} {fault[1]}", layer)
    return _epsilon_fault(suspect, a, b)


def _weights(model: Model, layers: tuple[str, ...]) -> list[Weight]:
    by_layer = ((layer, model.weights(layer)) for layer in layers)
    return [(layer, name, as_numpy(weights[name])) for layer, weights in by_layer for name in sorted(weights)]


def tensor_fault(right: Values, other: Values) -> tuple[str, str] | None:
    """(kind of cause, in words) of how `other` came from `right`; None if they are the same."""
    if right.shape == other.shape and relative_l2(right, other) <= SAME:
        return None
    fault = _transposition(right, other)
    if fault is None and right.shape != other.shape:
        return "weights", f"has shape {other.shape} for {right.shape}"
    return fault or _channel_permutation(right, other) or _changed_values(right, other)


def _transposition(right: Values, other: Values) -> tuple[str, str] | None:
    for words, transpose in _TRANSPOSITIONS.items():
        transposed = transpose(right) if right.ndim in {2, 4} else right
        if transposed.shape == other.shape and relative_l2(transposed, other) <= SAME_AFTER_FIT:
            return "transposed", f"is transposed: {words}"
    return None


_TRANSPOSITIONS: Mapping[str, Callable[[Values], Values]] = {
    "height and width are exchanged": lambda k: k.swapaxes(-1, -2) if k.ndim == 4 else k,
    "inputs and outputs are exchanged": lambda k: k.swapaxes(0, 1),
    "it is turned by 180 degrees (convolution for correlation)": lambda k: k[..., ::-1, ::-1] if k.ndim == 4 else k,
    "it is stored in another order (reshaped, not transposed)": lambda k: (
        np.moveaxis(k.reshape(*k.shape[2:], k.shape[1], k.shape[0]), (3, 2), (0, 1))
        if k.ndim == 4
        else k.reshape(k.shape[::-1]).T
    ),
}


def _channel_permutation(right: Values, other: Values) -> tuple[str, str] | None:
    for axis, which in enumerate(("output", "input")[: right.ndim]):
        order = nearest_permutation(other, right, axis)
        if order is not None and relative_l2(right.take(order, axis), other) <= SAME_AFTER_FIT:
            moved = [k for k, index in enumerate(order) if k != index]
            return "channels", f"has its {which} channels swapped: {len(moved)} of {len(order)}, {moved[:4]} first"
    return None


def _changed_values(right: Values, other: Values) -> tuple[str, str]:
    """Rounded to fewer bits, or simply other values."""
    difference = relative_l2(right, other)
    if np.array_equal(right.astype(np.float16).astype(np.float32), other):
        return "float16", "is rounded to float16"
    levels = _levels(other)
    if levels and difference < 0.2:
        return "int8", f"is rounded to 8 bits ({levels} levels), a relative change of {difference:.1e}"
    count = int((right != other).sum())
    place = [int(n) for n in np.unravel_index(np.abs(right - other).argmax(), right.shape)]
    return "weights", f"differs: {count} of {right.size} values, relative L2 {difference:.1e}, most at {place}"


def _levels(values: Values) -> int:
    """How many levels there are if 8 bits hold them, by tensor or by output channel; else 0."""
    rows = [values.ravel(), *values.reshape(len(values), -1)] if values.ndim > 1 else [values]
    counts = [len(np.unique(row)) for row in rows]
    large = [count for count, row in zip(counts, rows, strict=True) if row.size > 512]
    return max(large) if large and max(large) <= 256 else counts[0] if large and counts[0] <= 256 else 0


def _epsilon_fault(suspect: Suspect, a: list[Weight], b: list[Weight]) -> Cause | None:
    """With equal weights: whether the normalisations compute with different epsilons."""
    first, second = _norm(a), _norm(b)
    if first is None or second is None:
        return None
    right, other = fitted_epsilon(suspect.models.of_a, *first), fitted_epsilon(suspect.models.of_b, *second)
    if right is None or other is None or abs(right - other) <= OTHER_EPSILON * max(right, other) + 1e-7:
        return None
    text = f"another epsilon in {first[0]!r}: {other:.2g}, the reference has {right:.2g} (fitted)"
    return Cause("epsilon", text, first[0])


def _norm(weights: list[Weight]) -> Norm | None:
    """The last normalisation."""
    layers = [layer for layer, name, _ in weights if name == "variance"]
    return (layers[-1], {name: v for layer, name, v in weights if layer == layers[-1]}) if layers else None


def _folded_fault(suspect: Suspect, a: list[Weight], b: list[Weight]) -> Cause | None:
    """One network has convolution and normalisation, the other both in one."""
    plain_first = _norm(a) is not None
    plain, folded = (a, b) if plain_first else (b, a)
    norm = _norm(plain)
    plain_kernels, folded_kernels = ([v for _, name, v in each if name == "kernel"] for each in (plain, folded))
    if norm is None or _norm(folded) is not None or not plain_kernels or not folded_kernels:
        return None
    gain = _gain_between(plain_kernels[-1], folded_kernels[-1])
    if gain is None:
        unfolded = _unfold(plain_kernels[-1], folded_kernels[-1], norm[1])
        kernels = (plain_kernels[-1], unfolded) if plain_first else (unfolded, plain_kernels[-1])
        fault, layer = tensor_fault(*kernels), _last_kernel(a)
        return Cause(fault[0], f"the kernel of {layer!r} {fault[1]}", layer) if fault else None
    epsilon = fitted_epsilon(suspect.models.of_a if plain_first else suspect.models.of_b, *norm)
    return None if epsilon is None else _gain_fault(suspect.pair.a, gain, norm, epsilon, (a, b))


def _last_kernel(weights: list[Weight]) -> str:
    return next(layer for layer, name, _ in reversed(weights) if name == "kernel")


def _gain_fault(
    pair: str, gain: Values, norm: Norm, epsilon: float, weights: tuple[list[Weight], list[Weight]]
) -> Cause | None:
    """A kernel that was multiplied by channel: as the normalisation does, by another epsilon, or by something else."""
    plain_first = _norm(weights[0]) is not None
    expected = np.where(gain != 0, channel_gains(norm[1], epsilon), 0)  # a channel without weights tells nothing
    if relative_l2(expected, gain) <= SAME:
        return _bias_fault(expected, norm, weights)
    other = epsilon_from_gains(gain, norm[1])
    if other is not None and relative_l2(np.where(gain != 0, channel_gains(norm[1], other), 0), gain) <= SAME_AFTER_FIT:
        second, first = (other, epsilon) if plain_first else (epsilon, other)
        text = f"another epsilon at {pair!r}: {second:.2g}, the reference has {first:.2g} (fitted)"
        return Cause("epsilon", text, pair)
    ratio = np.divide(gain, expected, out=np.ones_like(gain), where=np.abs(expected) > 1e-12)
    ratio = ratio if plain_first else 1 / ratio
    layer = _last_kernel(weights[0])
    words = f"is multiplied, by {ratio.min():.4g} to {ratio.max():.4g} by output channel"
    return Cause("weights", f"the kernel of {layer!r}, or the scale after it, {words}", layer)


def _bias_fault(gain: Values, norm: Norm, weights: tuple[list[Weight], list[Weight]]) -> Cause | None:
    """Kernels are the same: the bias into which offset and mean were folded."""
    plain_first = _norm(weights[0]) is not None
    plain, folded = weights if plain_first else weights[::-1]
    before = next((v for _, name, v in plain if name == "bias"), 0.0)
    bias = next((v for _, name, v in folded if name == "bias"), np.zeros_like(gain))
    expected = norm[1].get("offset", 0.0) + gain * (before - norm[1]["mean"])
    difference = relative_l2(expected * (gain != 0), bias * (gain != 0))
    if difference <= SAME_AFTER_FIT:
        return None
    layer = norm[0] if plain_first else weights[0][-1][0]
    return Cause("weights", f"the offset or mean at {layer!r} differs: relative L2 {difference:.1e}", layer)


def _gain_between(plain: Values, folded: Values) -> Values | None:
    """What each output channel was multiplied by; None if it is not that alone."""
    if plain.shape != folded.shape:
        return None
    a, b = (v.reshape(len(v), -1).astype(np.float64) for v in (plain, folded))
    power = (a**2).sum(axis=1)
    gain = np.divide((a * b).sum(axis=1), power, out=np.zeros_like(power), where=power > 0)
    return gain if relative_l2(gain[:, None] * a, b) < SAME_AFTER_FIT else None


def _unfold(plain: Values, folded: Values, norm: Mapping[str, Values]) -> Values:
    """The folded kernel with the normalisation taken out, at the epsilon with which most values are as in `plain`."""
    tries: list[tuple[float, int, Values]] = []
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-4, 1e-2, 0.0):
        gain = channel_gains(norm, epsilon).reshape(-1, *[1] * (folded.ndim - 1))
        kernel = np.divide(folded, gain, out=np.zeros(folded.shape), where=np.abs(gain) > 1e-12)
        same = np.isclose(kernel, plain, rtol=1e-4, atol=1e-7).mean() if kernel.shape == plain.shape else 0.0
        tries.append((float(same), -len(tries), kernel))
    return np.asarray(max(tries, key=lambda t: t[:2])[2], np.float32)
