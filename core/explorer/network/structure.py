"""Who reads whom in a network, with layers that only repeat another one told apart, in every framework's words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from ...introspection.kernel_place import kernel_place
from ...introspection.unit_layers import rectified_layers
from ...model.base import INPUT, OUTPUT, Model
from ...model.layer import Layer
from ...model.reduction import unit_axis

__all__ = ["IDENTITY", "Structure", "layer_words", "unit_count"]

_DROPS = ("dropout", "dropout1d", "dropout2d", "spatialdropout2d", "alphadropout", "droppath", "stochasticdepth")
IDENTITY = frozenset({*_DROPS, "identity", "noopidentity", "detach", "contiguous", "clone"})
"""Words of layers that give what they read, but in training."""


@dataclass(frozen=True, eq=False)
class Structure:
    """The graph of a network's layers."""

    model: Model
    reads: Mapping[str, tuple[str, ...]]
    """By layer, those that it reads directly, in order."""
    notes: tuple[str, ...]

    @classmethod
    def of(cls, model: Model) -> "Structure":
        """Kept for each network."""
        if model not in _KNOWN:
            _KNOWN[model] = _found(model)
        return _KNOWN[model]

    @cached_property
    def same(self) -> Mapping[str, str]:
        """For a layer that repeats another one, as a block repeats its last layer, the one that it repeats."""
        same: dict[str, str] = {}
        for name in self.model.layers:
            if self._repeats(name):
                (read,) = self.reads[name]
                same[name] = same.get(read, read)
        return same

    def origin(self, name: str) -> str:
        """The layer itself, or the one that it repeats."""
        return self.same.get(name, name)

    def inputs(self, name: str) -> tuple[str, ...]:
        """What a layer reads, none of it a repetition."""
        return tuple(dict.fromkeys(map(self.origin, self.reads[self.origin(name)])))

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """By layer, those that read it, repetitions left out."""
        readers: dict[str, list[str]] = {name: [] for name in self.model.layers}
        for name in self.model.layers:
            if name not in self.same:
                for read in self.inputs(name):
                    readers[read].append(name)
        return {name: tuple(each) for name, each in readers.items()}

    @cached_property
    def kernels(self) -> Mapping[str, tuple[int, ...]]:
        """By layer with a kernel of its own, a convolution's or a dense layer's, the shape of it."""
        found = {}
        for name in self.model.layers:
            kernel = None if name == INPUT else self.model.weights(name).get("kernel")
            if kernel is not None and kernel.ndim > 1:
                found[name] = tuple(kernel.shape)
        return found

    @cached_property
    def kernel_at(self) -> Mapping[str, str]:
        """By place where a kernel of `kernels` is applied the layer that has it.

        It is the layer itself, but where the layer goes on after that and shows places inside, as a Keras
        Conv2D(activation="relu") does: "conv/add" then gives what the kernel makes, and "conv" its rectifier's values.
        """
        return {kernel_place(self.model, name, shape[0]): name for name, shape in self.kernels.items()}

    @cached_property
    def rectified(self) -> frozenset[str]:
        """The layers that end in a rectifier, and those that repeat one."""
        ends = {self.origin(name) for name in rectified_layers(self.model)}
        return frozenset(name for name in self.model.layers if self.origin(name) in ends)

    def units(self, name: str) -> int:
        """How many units a layer has; of the image its channels."""
        return self.model.input.example_shape[0] if name == INPUT else unit_count(self.model.layers[name])

    def words(self, name: str) -> frozenset[str]:
        """See `layer_words`."""
        return layer_words(self.model.layers[name])

    def _repeats(self, name: str) -> bool:
        layer, read = self.model.layers[name], self.reads[name]
        if len(read) != 1 or read[0] == INPUT or layer.shape != self.model.layers[read[0]].shape:
            return False
        if name == OUTPUT or layer_words(layer) & IDENTITY:
            return True
        inside = read[0].startswith((f"{name}.", f"{name}/"))
        return inside and not layer.aliases and not self.model.weights(name)


_KNOWN: "WeakKeyDictionary[Model, Structure]" = WeakKeyDictionary()


def _found(model: Model) -> Structure:
    reads: dict[str, tuple[str, ...]] = {}
    guessed, before = 0, ""
    for name in model.layers:
        known = () if name == INPUT else model.reads(name)
        guessed += known is None
        reads[name] = (before,) if known is None else tuple(known)
        before = name
    _end_at_the_last_layer(model, reads)
    note = f"the {model.backend} backend cannot tell what {guessed} layers read: they are drawn in execution order"
    return Structure(model, reads, (note,) * bool(guessed))


def _end_at_the_last_layer(model: Model, reads: dict[str, tuple[str, ...]]) -> None:
    """Where a backend says of the output, which is the last layer's, what that layer reads, it reads the layer."""
    for name in reversed(list(model.layers)[1:-1]):
        if reads[name] == reads[OUTPUT] and model.layers[name].shape == model.layers[OUTPUT].shape:
            if not any(name in each for each in reads.values()):
                reads[OUTPUT] = (name,)
            return


def layer_words(layer: Layer) -> frozenset[str]:
    """What a layer is, in small letters: its kind, and the functions that give the values of a module.

    >>> sorted(layer_words(Layer("block", "Block", (None, 8), ("block/add_1",))))
    ['add', 'block']
    """
    names = (layer.kind, *(alias.rpartition("/")[2] for alias in layer.aliases if "/" in alias))
    return frozenset(re.sub(r"(_\d+)?$", "", name).lower().replace("_", "") for name in names)


def unit_count(layer: Layer) -> int:
    """How many units a layer has; 0 for none, and for the image."""
    if layer.name == INPUT or len(layer.shape) < 2 or layer.shape[0] is not None:
        return 0
    return layer.shape[unit_axis(len(layer.shape))] or 0
