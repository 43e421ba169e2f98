"""Gradients that find no way through the graph to the image."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import INPUT

from ..ir.graph import Graph
from ..ir.layers import Place
from .reverse import path_of

__all__ = ["refuse_cut"]


def refuse_cut(
    names: Collection[str], places: Mapping[str, Place], graph: Graph, forward: Callable[[Array, str], Array]
) -> None:
    """Zeros are right where a layer does not follow the image, and wrong where operators between them stop gradients.

    Args:
        names: the layers that cotangents are given at, whose gradients are zero.
        places: the layers.
        graph: the network, for the example's size.
        forward: what a layer gives for an image.

    Raises:
        ModelError: no gradient gets from one of them to the image, and it is another for noise than for black.
    """
    dark = np.zeros([n if isinstance(n, int) else 1 for n in graph.inputs[INPUT].dims or ()], np.float32)
    noise = np.random.default_rng(0).random(dark.shape, np.float32)
    for name in names:
        tensor = places[name].tensor
        if tensor == INPUT or path_of(graph, {tensor}, [INPUT]):
            continue
        if (forward(dark, name) != forward(noise, name)).any():
            raise ModelError(
                f"no gradient gets from layer {name!r} to the image: what lies between them stops gradients (ArgMax, "
                "Round, Cast to integers); occlusion, rise and lime need no gradient"
            )
