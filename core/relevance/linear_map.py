"""The linear maps of a network as relevance sees them: kernels with the normalisation behind them folded in.

A normalisation that alone reads a layer's units is a part of that layer (Guillemot et al. 2020): a convolution and what
normalises it are one linear map, as they are in a file in which they were fused.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..alignment.epsilon import channel_gains, epsilon_from_gains
from ..arrays import as_numpy
from ..errors import ModelError
from ..introspection.target_maps import sample_images
from ..model.base import INPUT, Model
from .image_layout import lays_out_image
from .layer_facts import LayerFacts

__all__ = ["LinearMap", "Values", "gain_and_shift", "linear_maps"]

Values = np.ndarray[Any, Any]

_LINEAR = 1e-3
"""Relative error up to which a normalisation is a gain and a shift of each channel."""
_TOLD = 1e-3
"""Share of the offset from which on a channel's values tell its gain; of dead ones they are rounding."""


@dataclass(frozen=True, eq=False)
class LinearMap:
    """z = K x + b of one layer with a kernel, the normalisation behind it counted in."""

    model: Model
    layer: str
    """The layer that has the kernel."""
    end: str
    """The layer that holds z: the layer itself, or the normalisation behind it."""
    reads: tuple[str, ...]
    """The layers that hold x, but what a separable convolution's depthwise kernel gives, which is x of the other one;
    () where the backend cannot tell."""
    gain: Values | None
    """(out,) of the normalisation; None where there is none."""
    shift: Values | None
    is_first: bool
    """Whether it reads the image, and no other layer with a kernel lies between."""
    nonnegative: bool
    """Whether x is known to be nowhere negative."""
    rectified: bool
    """Whether what is negative of z is known to reach nothing behind the layer."""
    is_only_way: bool = True
    """Whether all that is computed from the image is computed from what layers that read it give."""

    @cached_property
    def own_kernel(self) -> Values:
        """The layer's own, (out, in / groups, kh, kw) or (out, in)."""
        return as_numpy(self.model.weights(self.layer)["kernel"])

    @property
    def kernel(self) -> Values:
        """K, the gain multiplied in."""
        kernel = self.own_kernel
        return kernel if self.gain is None else np.asarray(_along_out(self.gain, kernel) * kernel)

    @property
    def bias(self) -> Values | None:
        """(out,) b; None for none."""
        own = self.model.weights(self.layer).get("bias")
        if self.gain is None:
            return None if own is None else as_numpy(own)
        assert self.shift is not None
        return self.shift if own is None else (self.shift + self.gain * as_numpy(own)).astype(self.gain.dtype)

    @property
    def is_convolution(self) -> bool:
        """Whether the kernel has positions."""
        return self.own_kernel.ndim > 2

    @cached_property
    def channels(self) -> int:
        """The number of channels of x."""
        out, own = self.own_kernel.shape[:2]
        shapes = [self.model.input.shape if n == INPUT else self.model.layer(n).shape[1:] for n in self.reads[:1]]
        sizes = [n for shape in shapes for n in ((shape[0],) if len(shape) > 2 else shape) if n and n % own == 0]
        in_groups = [n for n in sizes if out % (n // own) == 0]
        return in_groups[0] if in_groups and self.is_convolution else own

    @cached_property
    def border(self) -> tuple[tuple[int, int], ...]:
        """By axis of positions, how many zeros a layer between the image and this one has put at each end; () for none.

        They are where a black and a white image give 0 alike.
        """
        read = self.reads[0] if self.reads else INPUT
        if read == INPUT or not self.is_first:
            return ()
        bounds = self.model.input.bounds or (0.0, 1.0)
        images = np.stack([np.full(self.model.input.example_shape, bound, np.float32) for bound in bounds])
        low, high = as_numpy(self.model.forward(images, [read])[read])
        inside = (low != high).any(axis=0)
        if low.ndim < 2 or not inside.any():
            return ()
        ends = []
        for axis in range(inside.ndim):
            used = np.flatnonzero(inside.any(axis=tuple(n for n in range(inside.ndim) if n != axis)))
            ends.append((int(used[0]), int(inside.shape[axis] - 1 - used[-1])))
        return tuple(ends) if any(map(any, ends)) else ()


def linear_maps(model: Model, seeds: Collection[str] = ()) -> tuple[LinearMap, ...]:
    """Those of a network in execution order; an image of noise goes through it, twice.

    Args:
        model: the network.
        seeds: layers at which relevance begins: what is negative there counts, whatever reads them.

    Raises:
        ModelError: no layer has a kernel.
    """
    facts = LayerFacts.of(model)
    kernels = [name for name in model.layers if name not in facts.alias and "kernel" in model.weights(name)]
    if not kernels:
        raise ModelError(
            "no layer of this model has a kernel that it can show, so no rule of relevance has anything to work on; "
            "gradient_x_input and integrated_gradients take any network"
        )
    starts = {facts.alias.get(name, name) for name in seeds}
    folded = _folded(model, facts, [name for name in kernels if name not in starts])
    two_kernels = {name for name in kernels if "depthwise_kernel" in model.weights(name)}
    first = [
        name
        for name in facts.first_of(kernels) - two_kernels
        if all(lays_out_image(model, read) for read in facts.reads(name))
    ]
    only_way = not facts.is_bypassed(kernels, first)
    maps = []
    for name in kernels:
        end, gain, shift = folded.get(name, (name, None, None))
        read = facts.reads(name)
        maps.append(
            LinearMap(
                model,
                name,
                end,
                read,
                gain,
                shift,
                is_first=name in first,
                nonnegative=name not in two_kernels and bool(read) and all(map(facts.is_nonnegative, read)),
                rectified=end not in starts and facts.is_rectified_behind(end),
                is_only_way=only_way,
            )
        )
    return tuple(maps)


def _folded(model: Model, facts: LayerFacts, kernels: list[str]) -> dict[str, tuple[str, Values, Values]]:
    """By layer the last of the affine layers behind it, each of which alone reads the one before, their gain and shift.

    They are a normalisation, or a bias that is added by a layer of its own.
    """
    chains = {name: chain for name in kernels if (chain := _affine_chain(model, facts, name))}
    if not chains:
        return {}
    names = dict.fromkeys(each for name, chain in chains.items() for each in (name, *chain))
    values = {name: as_numpy(a) for name, a in model.forward(sample_images(model, 1), list(names)).items()}
    found: dict[str, tuple[str, Values, Values]] = {}
    for name, chain in chains.items():
        for before, norm in zip((name, *chain), chain, strict=False):
            affine = gain_and_shift(model.weights(norm), values[before], values[norm])
            if affine is None:
                break
            _, gain, shift = found.get(name, (name, np.ones_like(affine[0]), np.zeros_like(affine[0])))
            found[name] = (norm, affine[0] * gain, affine[0] * shift + affine[1])
    return found


def _affine_chain(model: Model, facts: LayerFacts, name: str) -> list[str]:
    chain: list[str] = []
    while len(readers := facts.readers(name)) == 1 and _is_affine(model.weights(readers[0])):
        name = readers[0]
        chain.append(name)
    return chain


def _is_affine(weights: Mapping[str, object]) -> bool:
    return "variance" in weights or set(weights) == {"bias"}


def gain_and_shift(weights: Mapping[str, Values], x: Values, y: Values) -> tuple[Values, Values] | None:
    """(C,) each, so that y = gain x + shift; None if the layer does something else."""
    if x.shape != y.shape:
        return None
    w = {name: as_numpy(values) for name, values in weights.items()}
    axis = x.ndim - 1 if x.ndim == 3 else 1
    x, y = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1).astype(np.float64) for v in (x, y))
    if any(values.shape != (len(x),) for values in w.values()):
        return None
    if "variance" not in w:
        gain, shift = np.ones(len(x)), w["bias"].astype(np.float64)
    else:
        offset = w.get("offset", np.zeros(len(x)))
        gain = _measured_gain(x - _rows(w["mean"]), y, _rows(offset))
        epsilon = epsilon_from_gains(gain, w)
        if epsilon is None:
            return None
        gain = channel_gains(w, epsilon)
        shift = offset - gain * w["mean"]
    if np.linalg.norm(_rows(gain) * x + _rows(shift) - y) > _LINEAR * np.linalg.norm(y):
        return None
    dtype = w["variance" if "variance" in w else "bias"].dtype
    return gain.astype(dtype), shift.astype(dtype)


def _measured_gain(x: Values, y: Values, offset: Values) -> Values:
    """(C,) so that y = gain x + offset, (C, positions) each; 0 where y is the offset but for rounding.

    One position is enough.
    """
    y = y - offset
    power = (x**2).sum(axis=1)
    told = (power > 0) & ((y**2).mean(axis=1) > _TOLD**2 * (offset**2).mean(axis=1))
    return np.asarray(np.divide((x * y).sum(axis=1), power, out=np.zeros_like(power), where=told))


def _rows(values: Values) -> Values:
    return np.reshape(values, (-1, 1))


def _along_out(values: Values, kernel: Values) -> Values:
    return np.reshape(values, (-1, *[1] * (kernel.ndim - 1)))
