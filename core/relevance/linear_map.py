"""The linear maps of a network as relevance sees them: kernels with the normalisation behind them folded in.

A normalisation that alone reads a layer's units is a part of that layer (Guillemot et al. 2020): a convolution and what
normalises it are one linear map, as they are in a file in which they were fused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import ModelError
from ..introspection.target_maps import sample_images
from ..model.base import INPUT, Model
from .affine import affine_of, is_affine, is_measured
from .image_layout import lays_out_image
from .layer_facts import LayerFacts

__all__ = ["LinearMap", "Values", "linear_maps"]

Values = np.ndarray[Any, Any]


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

    @property
    def has_two_kernels(self) -> bool:
        """Whether it is the second half of a separable convolution, which has a depthwise kernel before its own."""
        return "depthwise_kernel" in self.model.weights(self.layer)

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
    """Those of a network in execution order; images of noise go through it, two or three times.

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

    They are a normalisation, in one layer or in several, or a bias that is added by a layer of its own.
    """
    chains = {name: chain for name in kernels if (chain := _affine_chain(model, facts, name))}
    if not chains:
        return {}
    values = _values_of(model, chains)
    found: dict[str, tuple[str, Values, Values]] = {}
    for name, chain in chains.items():
        kernel = as_numpy(model.weights(name)["kernel"])
        axes = _channel_axes(values[name], len(kernel), is_convolution=kernel.ndim > 2)
        for before, norm in zip((name, *chain), chain, strict=False):
            weights = model.weights(norm)
            affine = affine_of(model.layers[norm], weights, values[before], values[norm], axes) if axes else None
            if affine is None:
                break
            _, gain, shift = found.get(name, (name, np.ones_like(affine.gain), np.zeros_like(affine.gain)))
            found[name] = (norm, affine.gain * gain, affine.gain * shift + affine.shift)
            axes = (affine.axis,)
    return found


def _values_of(model: Model, chains: Mapping[str, Sequence[str]]) -> dict[str, Values]:
    """Of these layers and the ones behind; where one shows no weights noise goes in, so that no channel is dead."""
    names = dict.fromkeys(each for name, chain in chains.items() for each in (name, *chain))
    image = sample_images(model, 1)
    values = {name: as_numpy(a) for name, a in model.forward(image, list(names)).items()}
    measured = [
        name
        for name, chain in chains.items()
        if any(is_measured(model.layers[each], model.weights(each)) for each in chain)
    ]
    if not measured:
        return values
    numbers = np.random.default_rng(0)
    noise = {
        name: numbers.normal(size=(2, *values[name].shape[1:])).astype(values[name].dtype, copy=False)
        for name in measured
    }
    behind = [each for name in measured for each in chains[name]]
    found = model.forward(np.repeat(image, 2, axis=0), behind, replace=noise)
    return {**values, **{name: as_numpy(a) for name, a in found.items()}, **noise}


def _channel_axes(values: Values, channels: int, *, is_convolution: bool) -> tuple[int, ...]:
    """The axes of a layer's values that may have its channels, the likeliest first.

    A convolution's have them second, but signals of Keras last; a dense layer's have them last, but where four axes are
    maps.
    """
    last = values.ndim - 1
    likely = [1] if is_convolution and values.ndim != 3 else [1, 2] if is_convolution else [last, *[1] * (last == 3)]
    return tuple(axis for axis in likely if values.shape[axis] == channels)


def _affine_chain(model: Model, facts: LayerFacts, name: str) -> list[str]:
    chain: list[str] = []
    while len(readers := facts.readers(name)) == 1 and is_affine(model.layers[readers[0]], model.weights(readers[0])):
        (reader,) = readers
        if facts.reads(reader) != (name,):
            break
        name = reader
        chain.append(name)
    return chain


def _along_out(values: Values, kernel: Values) -> Values:
    return np.reshape(values, (-1, *[1] * (kernel.ndim - 1)))
