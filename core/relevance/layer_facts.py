"""What relevance asks of a network's layers: who reads whom, and what is never negative."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ..alignment.layer_family import layer_family
from ..arrays import as_numpy
from ..introspection.nonlinearities import OTHERS
from ..introspection.target_maps import sample_images
from ..model.base import INPUT, Model

__all__ = ["LayerFacts"]

_KEEPS_SIGN = frozenset({"pooling", "join", "reshape", "sum"})
_KEEPS_SIGN_WORDS = ("dropout", "identity", "transpose", "permute", "squeeze", "pad", "slice", "split", "chunk")
_NEVER_NEGATIVE = ("relu", "relu6", "sigmoid", "hardsigmoid", "softmax", "softplus", "square", "exp")
_LETS_NEGATIVE_PASS = ("leaky", "prelu", "rrelu", "selu", "gelu", "celu")
_MAY_REPEAT = frozenset({*OTHERS, "relu", "relu6", "leakyrelu", "prelu", "rrelu", "activation"}) | frozenset(
    {"clip", "clamp", "clampmin", "clampmax", "max", "min", "maximum", "minimum", "abs", "hardshrink", "softshrink"}
)
"""Functions that on some images give what they read, and on others do not."""


@dataclass(frozen=True, eq=False)
class LayerFacts:
    """Facts of one network."""

    model: Model
    alias: Mapping[str, str]
    """For a layer that repeats what it reads, as containers do, the layer that it repeats."""
    lowest: Mapping[str, float]
    """By layer the lowest value that an image of noise gives."""
    inside: frozenset[str] = frozenset()
    """Layers within one that has a kernel, behind it, as the bias that a Keras convolution adds before its activation
    function: of the same shape, where a border put around x has another."""

    @classmethod
    def of(cls, model: Model) -> Self:
        """By the graph that the backend shows, and by one image of noise."""
        image = sample_images(model, 1)
        names = [name for name in model.layers if name != INPUT]
        values = {name: as_numpy(a) for name, a in {**model.forward(image, names), INPUT: image}.items()}
        read = {name: model.reads(name) or () for name in names}
        functions = {name for name in names if _word(model, name) in _MAY_REPEAT}.union(model.rectified_layers or ())
        alias = {
            name: own[0]
            for name, own in read.items()
            if len(own) == 1 and name not in functions and np.array_equal(values[name], values[own[0]])
        }
        lowest = {name: float(a.min(initial=np.inf)) for name, a in values.items()}
        inside = frozenset(name for name in names if _is_inside_a_kernel_s_layer(model, name))
        return cls(model, {name: _end_of(alias, name) for name in alias}, lowest, inside)

    def reads(self, name: str) -> tuple[str, ...]:
        """The layers that this one reads, none of them a repetition; () where the backend cannot tell."""
        if name == INPUT:
            return ()
        own = [self.alias.get(each, each) for each in self.model.reads(name) or ()]
        return tuple(dict.fromkeys(each for one in own for each in (self._around(one, name) or (one,))))

    def _around(self, read: str, name: str) -> tuple[str, ...]:
        """What a layer within this one reads; () for any other layer."""
        return self.reads(read) if read in self.inside and read.startswith(f"{name}/") else ()

    def readers(self, name: str) -> tuple[str, ...]:
        """The layers that read this one, repetitions left out; `OUTPUT` counts where it is more than a repetition."""
        return self._readers.get(name, ())

    @cached_property
    def _readers(self) -> Mapping[str, tuple[str, ...]]:
        readers: dict[str, list[str]] = {}
        for name in self.model.layers:
            if name not in self.alias and name not in self.inside and name != INPUT:
                for read in self.reads(name):
                    readers.setdefault(read, []).append(name)
        return {name: tuple(each) for name, each in readers.items()}

    def first_of(self, kernels: Iterable[str]) -> frozenset[str]:
        """The layers with kernels that are reached from the image without passing another one."""
        kernels = list(kernels)
        if not self.reads(kernels[0]):
            return frozenset(kernels[:1])
        behind = self._reached(kernels)
        return frozenset(name for name in kernels if behind.intersection(self.reads(name)))

    def is_bypassed(self, kernels: Sequence[str], first: Collection[str]) -> bool:
        """Whether the image leads to something without passing a kernel, but to what `first` of these layers read."""
        if not self.reads(kernels[0]):
            return False
        on_the_way, names = set[str](), [read for name in first for read in self.reads(name)]
        while names:
            if (name := names.pop()) not in on_the_way:
                on_the_way.add(name)
                names.extend(self.reads(name))
        return not self._reached(kernels) <= {INPUT, *on_the_way}

    def _reached(self, kernels: Collection[str]) -> set[str]:
        """What is computed from the image without passing one of these layers."""
        behind = {INPUT}
        for name in self.model.layers:  # in execution order
            passes = name not in kernels and name not in self.alias and name not in self.inside
            if passes and behind.intersection(self.reads(name)):
                behind.add(name)
        return behind

    def is_nonnegative(self, name: str) -> bool:
        """Whether the layer's values are known to be nowhere negative, whatever the image."""
        if (known := self._nonnegative.get(name)) is None:
            self._nonnegative[name] = False  # where a network runs a layer on its own result
            known = self._nonnegative[name] = self._find_nonnegative(name)
        return known

    @cached_property
    def _nonnegative(self) -> dict[str, bool]:
        return {INPUT: False}

    def _find_nonnegative(self, name: str) -> bool:
        kind = _word(self.model, name)
        if kind in _NEVER_NEGATIVE or name in self._rectified:
            return True
        read = self.reads(name)
        keeps = layer_family(kind) in _KEEPS_SIGN or any(word in kind for word in _KEEPS_SIGN_WORDS)
        return (
            keeps
            and self.lowest[name] >= 0
            and bool(read)
            and not self.model.weights(name)
            and all(map(self.is_nonnegative, read))
        )

    @cached_property
    def _rectified(self) -> frozenset[str]:
        """Layers that are a rectifier's output, of no kind that lets negative values pass, and show none."""
        return frozenset(
            name
            for name in self.model.rectified_layers or ()
            if self.lowest.get(name, -1) >= 0
            and not any(word in _word(self.model, name) for word in _LETS_NEGATIVE_PASS)
        )

    def is_rectified_behind(self, name: str) -> bool:
        """Whether the layer ends in a rectifier that is 0 below 0, or all that reads it is one."""
        if name in self._rectified:
            return True
        readers = self.readers(name)
        return bool(readers) and all(
            reader in self._rectified and len(self.reads(reader)) == 1 and not self.model.weights(reader)
            for reader in readers
        )


def _word(model: Model, name: str) -> str:
    """The framework's word for what a layer is, in small letters."""
    return model.layers[name].kind.lower().replace("_", "")


def _is_inside_a_kernel_s_layer(model: Model, name: str) -> bool:
    around = model.layers.get(name.rpartition("/")[0])
    return around is not None and around.shape == model.layers[name].shape and "kernel" in model.weights(around.name)


def _end_of(alias: Mapping[str, str], name: str) -> str:
    while name in alias:
        name = alias[name]
    return name
