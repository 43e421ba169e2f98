"""The parameters of a Keras layer in the one layout of `Model.weights`, and back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np

__all__ = ["Weight", "depthwise", "matrix", "transposed_weight", "weights_of"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weight:
    """One variable: its axes in the order that they have outside, and the shape there."""

    variable: Any
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def outside(self, values: Values) -> Values:
        """From Keras' layout to ours; a copy."""
        return np.array(values.transpose(self.axes).reshape(self.shape), order="C")

    def inside(self, values: Values) -> Values:
        """From our layout to Keras'."""
        turned = values.reshape([self.variable.shape[axis] for axis in self.axes])
        return turned.transpose(np.argsort(self.axes))


def weights_of(layer: Any) -> Mapping[str, Weight]:
    """The parameters of one layer by our names; those of its sub-layers stand under their own names."""
    own = [*getattr(layer, "_trainable_variables", ()), *getattr(layer, "_non_trainable_variables", ())]
    special = next((names for kinds, names in _SPECIAL if isinstance(layer, kinds)), {})
    weights = {}
    for variable in own:
        name, lay_out = special.get(variable.name, (_COMMON.get(variable.name, variable.name), _as_it_is))
        weights[name] = lay_out(variable, layer)
    return weights


def transposed_weight(variable: Any, axes: Sequence[int], shape: Sequence[int] | None = None) -> Weight:
    """A variable with its axes in this order outside; `shape` where some of them are one axis there."""
    return Weight(variable, tuple(axes), tuple(shape or (variable.shape[axis] for axis in axes)))


def _as_it_is(variable: Any, _: Any) -> Weight:
    return transposed_weight(variable, range(len(variable.shape)))


def matrix(variable: Any, _: Any) -> Weight:
    """(kh, kw, in / groups, out) as (out, in / groups, kh, kw); a Dense kernel (in, out) as (out, in)."""
    rank = len(variable.shape)
    return transposed_weight(variable, (rank - 1, rank - 2, *range(rank - 2)))


def depthwise(variable: Any, _: Any) -> Weight:
    """(kh, kw, in, multiplier) as (in * multiplier, 1, kh, kw)."""
    *space, channels, multiplier = variable.shape
    rank = len(variable.shape)
    return transposed_weight(variable, (rank - 2, rank - 1, *range(rank - 2)), (channels * multiplier, 1, *space))


def _transposed_kernel(variable: Any, _: Any) -> Weight:
    """(kh, kw, out, in) as (out, in, kh, kw)."""
    rank = len(variable.shape)
    return transposed_weight(variable, (rank - 2, rank - 1, *range(rank - 2)))


def _einsum(variable: Any, layer: Any) -> Weight:
    """The kernel of "abc,cde->abde" and its like as a matrix (out, in)."""
    inputs, result = layer.equation.replace("...", "").split("->")
    letters = inputs.split(",")[1]
    out = [axis for axis, letter in enumerate(letters) if letter in result]
    into = [axis for axis, letter in enumerate(letters) if letter not in result]
    sizes = [prod(variable.shape[axis] for axis in axes) for axes in (out, into)]
    return transposed_weight(variable, (*out, *into), sizes)


def _einsum_bias(variable: Any, layer: Any) -> Weight:
    """The bias of the same as (out,), in the order of the kernel's rows; as it is where it lacks some of them."""
    inputs, result = layer.equation.replace("...", "").split("->")
    rows = [letter for letter in inputs.split(",")[1] if letter in result]
    axes = result[min(map(result.index, layer.bias_axes)) :]
    if set(rows) != set(layer.bias_axes):
        return _as_it_is(variable, layer)
    order = [axes.index(letter) for letter in rows]
    others = [axis for axis in range(len(variable.shape)) if axis not in order]
    return transposed_weight(variable, (*order, *others), (prod(variable.shape),))


def _slope(variable: Any, _: Any) -> Weight:
    """(H, W, C) as (C, H, W), and (1, 1, C) as (C,)."""
    *space, channels = variable.shape
    rank = len(variable.shape)
    shape = (channels, *space) if prod(space) > 1 else (channels,)
    return transposed_weight(variable, (rank - 1, *range(rank - 1)), shape)


_COMMON = {"gamma": "scale", "beta": "offset", "moving_mean": "mean", "moving_variance": "variance"}
_Layout = Callable[[Any, Any], Weight]
_SPECIAL: tuple[tuple[Any, dict[str, tuple[str, _Layout]]], ...] = (
    (
        (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
        {
            "depthwise_kernel": ("depthwise_kernel", depthwise),
            "pointwise_kernel": ("kernel", matrix),
        },
    ),
    ((keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D), {"kernel": ("kernel", depthwise)}),
    (
        (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
        {"kernel": ("kernel", _transposed_kernel)},
    ),
    (
        (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D, keras.layers.Dense),
        {"kernel": ("kernel", matrix)},
    ),
    (keras.layers.EinsumDense, {"kernel": ("kernel", _einsum), "bias": ("bias", _einsum_bias)}),
    (keras.layers.PReLU, {"alpha": ("slope", _slope)}),
)
