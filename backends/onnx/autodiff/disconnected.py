"""Refuses gradients of layers that are not connected to the image by differentiable operators."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import INPUT

from ..ir.graph import Graph
from ..ir.layers import LayerTensor
from .reverse import path_of

__all__ = ["refuse_disconnected"]


def refuse_disconnected(
    names: Collection[str], places: Mapping[str, LayerTensor], graph: Graph, forward: Callable[[Array, str], Array]
) -> None:
    """Refuse zero gradients of layers that depend on the image: operators in between stop gradients.

    Zeros are right for a layer that does not depend on the image.

    Args:
        names: the layers with cotangents whose gradients are zero.
        places: the layers.
        graph: the network, for the size of an example image.
        forward: the activation of a layer for an image.

    Raises:
        ModelError: a layer has no gradient path to the image, and is different for a black image and for noise.
    """
    dark = np.zeros([n if isinstance(n, int) else 1 for n in graph.inputs[INPUT].dims or ()], np.float32)
    noise = np.random.default_rng(0).random(dark.shape, np.float32)
    for name in names:
        tensor = places[name].tensor
        if tensor == INPUT or path_of(graph, {tensor}, [INPUT]):
            continue
        if (forward(dark, name) != forward(noise, name)).any():
            raise ModelError(
                f"no gradient gets from layer {name!r} to the image: an operator between them stops gradients "
                "(ArgMax, Round, Cast to integers); occlusion, rise and lime need no gradient"
            )
