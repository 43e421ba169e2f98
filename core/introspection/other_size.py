"""A network at another image size than the one it is declared for, where it can run at it."""

from collections.abc import Iterable
from math import gcd
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np

from ..errors import ModelError
from ..model.base import Model
from ..model.repeatability import repeatability

__all__ = ["SupportsOtherSizes", "network_of_size"]

Size = tuple[int, int]


@runtime_checkable
class SupportsOtherSizes(Protocol):
    """A backend's model that can be asked for its network at another size."""

    def of_size(self, size: Size) -> Model:
        """A model of the same network whose images are (C, *size); whether it runs shows when it is run."""
        ...


def network_of_size(model: Model, least: int, layers: Iterable[str]) -> Model:
    """The network for images of about `least` pixels a side, which cost less; itself where it takes no smaller ones.

    The size is the least one at which each layer's maps are as many times smaller as the image is, so that padding
    falls as at the network's own size: a padding of 1 on one side alone is right for even maps only.

    Args:
        model: a network of pictures of one size.
        least: pixels of a side, at least.
        layers: those that must be there at the smaller size too.
    """
    own = model.input.example_shape[-2:]
    size = tuple(-(-least // step) * step for step in _steps(model))
    smaller = all(new <= old for new, old in zip(size, own, strict=True)) and size != own
    if not smaller or not isinstance(model, SupportsOtherSizes) or repeatability(model).one_by_one:
        return model
    made = model.of_size((size[0], size[1]))
    noise = made.input.from_unit(np.random.default_rng(0).random((1, *made.input.example_shape), dtype=np.float32))
    try:
        answers = made.forward(model.placed(noise), names := list(layers))
    except ModelError:
        return model
    sizes = [(model.layer(name).shape[2:4], answers[name].shape[2:4]) for name in names]
    alike = all(
        now * old == before * new
        for befores, nows in sizes
        for before, now, new, old in zip(befores, nows, size, own, strict=False)
        if _divides(before, old)
    )
    return made if alike else model


def _steps(model: Model) -> Size:
    """Along each axis the least number of pixels that every layer's map divides as it divides the whole image."""
    own = model.input.example_shape[-2:]
    maps = [layer.shape[2:] for layer in model.layers.values() if len(layer.shape) == 4]
    lengths = [[length for n in maps if _divides(length := n[axis], side)] for axis, side in enumerate(own)]
    height, width = (side // gcd(side, *each) for side, each in zip(own, lengths, strict=True))
    return height, width


def _divides(length: int | None, side: int) -> TypeGuard[int]:
    """Whether a map of this length has a fixed share of an image's side; one that is pooled to a point has not."""
    return length is not None and length > 1 and side % length == 0
