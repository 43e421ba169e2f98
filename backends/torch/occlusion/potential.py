"""How much of a network's work a window of the image could spare, by its modules, before any graph is recorded."""

from collections.abc import Mapping
from math import prod
from typing import Any

from crosslens.model import Layer
from torch import nn

__all__ = ["local_share"]


def local_share(layers: Mapping[str, Layer], sources: Mapping[str, Any]) -> float:
    """The share of the convolutions' multiplications that may see but a part of the image: at most what stages spare.

    A layer without places, such as a squeeze-and-excitation's pooling, changes with any window; the convolutions of
    maps behind it are taken to read it, and so to change everywhere. 1 where there is no such layer.

    Args:
        layers: a model's, in execution order.
        sources: the module of each layer, by its name.
    """
    costs = {name: _multiplications(layer, sources.get(name)) for name, layer in layers.items()}
    names = list(layers)
    last = max((position for position, name in enumerate(names) if costs[name]), default=0)
    alone = [position for position, name in enumerate(names[:last]) if not _has_places(layers[name])]
    spared = sum(costs[name] for name in names[: alone[0]]) if alone else 0
    return spared / sum(costs.values()) if alone else 1.0


def _has_places(layer: Layer) -> bool:
    return len(layer.shape) >= 4 and set(layer.shape[2:]) != {1}


def _multiplications(layer: Layer, module: Any) -> int:
    """Of a convolution that makes maps with places, for one image."""
    if not isinstance(module, nn.Conv2d) or not _has_places(layer):
        return 0
    found: int = prod(n or 1 for n in layer.shape[1:]) * prod(module.weight.shape[1:])
    return found
