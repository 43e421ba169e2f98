"""The layers of a wrapped network: those listed outputs whose first axis is the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from crosslens.errors import ModelError
from crosslens.model import OUTPUT, Layer

from ..tensors import channels_first
from .listing import LayerOutput, Listing
from .module_network import select_output

__all__ = ["LayerTable", "layer_table"]


@dataclass(frozen=True)
class LayerTable:
    """All layers by name, the output that each is in the network, and the axis of its channels there."""

    layers: Mapping[str, Layer]
    outputs: Mapping[str, LayerOutput]
    axes: Mapping[str, int]

    @property
    def elements(self) -> int:
        """Numbers that one image's activations hold; a function's view, and what it overwrites, hold none."""
        own = (name for name, output in self.outputs.items() if not (output.is_view or output.in_place))
        return sum(prod(n or 1 for n in self.layers[name].shape[1:]) for name in (*own, OUTPUT))


def layer_table(counts: Sequence[int], listings: Sequence[Listing], chosen: int | str | None) -> LayerTable:
    """The layers, from listings of passes on `counts` images: a tensor whose rows follow these has the batch first.

    Args:
        counts: images in each pass; another number in each.
        listings: of each pass; shapes are those of the first.
        chosen: the network's output that is explained, by number or name.

    Raises:
        ModelError: the chosen output does not have the batch as its first axis.
    """
    ends = [select_output(listing.output, chosen) for listing in listings]
    for count, y in zip(counts, ends, strict=True):
        if y.ndim < 2 or y.shape[0] != count:
            raise ModelError(f"the output has shape {tuple(y.shape)} for {count} images; its first axis must be theirs")
    outputs = _batch_first(counts, [listing.outputs for listing in listings])
    axes = {**{name: output.axis for name, output in outputs.items()}, OUTPUT: listings[0].axis_of(ends[0])}
    layers = {name: _layer(name, o.kind, o.shape, o.axis, o.aliases) for name, o in outputs.items()}
    return LayerTable({**layers, OUTPUT: _layer(OUTPUT, "Output", ends[0].shape, axes[OUTPUT])}, outputs, axes)


def _batch_first(counts: Sequence[int], listings: Sequence[Sequence[LayerOutput]]) -> dict[str, LayerOutput]:
    several = len(listings) > 1  # of one pass, the number of rows proves little; the axis followed through it decides
    rows = [
        {output.name: output.shape[0] for output in each if len(output.shape) > 1 and (several or output.rows == 0)}
        for each in listings
    ]
    following = [{name for name, n in each.items() if n == count} for count, each in zip(counts, rows, strict=True)]
    return {output.name: output for output in listings[0] if all(output.name in each for each in following)}


def _layer(name: str, kind: str, shape: Sequence[int], axis: int, aliases: tuple[str, ...] = ()) -> Layer:
    outside = channels_first(torch.empty(tuple(shape), device="meta"), axis).shape
    return Layer(name, kind, (None, *outside[1:]), aliases)
