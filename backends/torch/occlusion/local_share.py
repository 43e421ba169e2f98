"""How much of a network's work an occlusion by stages could save, judged by its modules before a graph is recorded."""

from collections.abc import Mapping
from math import prod
from typing import Any

from crosslens.model import Layer
from torch import nn

__all__ = ["local_share"]


def local_share(layers: Mapping[str, Layer], sources: Mapping[str, Any]) -> float:
    """The share of the convolutions' multiplications ahead of any global pooling: at most what stages can save.

    A layer without positions, such as the pooling of a squeeze-and-excitation block, changes with any box; the later
    convolutions are taken to read it, and so to change everywhere. 1 where there is no such layer.

    Args:
        layers: a model's, in execution order.
        sources: the module of each layer, by its name.
    """
    costs = {name: _multiplications(layer, sources.get(name)) for name, layer in layers.items()}
    names = list(layers)
    last = max((position for position, name in enumerate(names) if costs[name]), default=0)
    pooled = [position for position, name in enumerate(names[:last]) if not _has_positions(layers[name])]
    saved = sum(costs[name] for name in names[: pooled[0]]) if pooled else 0
    return saved / sum(costs.values()) if pooled else 1.0


def _has_positions(layer: Layer) -> bool:
    return len(layer.shape) >= 4 and set(layer.shape[2:]) != {1}


def _multiplications(layer: Layer, module: Any) -> int:
    """Of a convolution whose outputs are maps with positions, for one image; 0 for other layers."""
    if not isinstance(module, nn.Conv2d) or not _has_positions(layer):
        return 0
    count: int = prod(n or 1 for n in layer.shape[1:]) * prod(module.weight.shape[1:])
    return count
