"""Where inside of a layer its kernel is applied."""

import re

from ..model.base import Model
from ..model.reduction import unit_axis

__all__ = ["kernel_place"]

_APPLIES = re.compile(r"(bias_?)?add|addmm|matmul|linear|(tensor)?dot|(depthwise_?|separable_?)?conv.*")
"""The kinds of places where a kernel is applied, or the bias added to that."""


def kernel_place(model: Model, layer: str, units: int) -> str:
    """The layer itself, or the place inside of it whose values its kernel gives.

    A Keras Conv2D(activation="relu") shows places: "conv/add" gives what the kernel makes of what the layer reads, and
    "conv", which reads that, its rectifier's values. Other places inside, as padding, come before the kernel.

    Args:
        model: any network.
        layer: one with a kernel.
        units: how many the kernel gives.
    """
    at, read = layer, model.reads(layer) or ()
    while len(read) == 1 and read[0].startswith(f"{layer}/"):
        inside = model.layers[read[0]]
        if inside.shape[unit_axis(len(inside.shape))] == units and _APPLIES.fullmatch(_kind(inside.kind)):
            at = inside.name
        read = model.reads(inside.name) or ()
    return at


def _kind(kind: str) -> str:
    return re.sub(r"_\d+$", "", kind.lower())
