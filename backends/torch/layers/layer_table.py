"""The layers of a wrapped network, of passes on batches of two sizes: a tensor whose rows do not follow is no layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from crosslens.errors import ModelError
from crosslens.model import OUTPUT, Layer

from ..tensors import channels_first
from .listing import LayerOutput, Listing
from .module_network import select_output

__all__ = ["Layers", "layer_table"]


@dataclass(frozen=True)
class Layers:
    """All layers by name, where each is in the network, and the axis of its channels there."""

    layers: Mapping[str, Layer]
    places: Mapping[str, LayerOutput]
    axes: Mapping[str, int]

    @property
    def elements(self) -> int:
        """Numbers that one image's activations hold; a function's view, and what it overwrites, hold none."""
        own = (name for name, place in self.places.items() if not (place.is_view or place.in_place))
        return sum(prod(n or 1 for n in self.layers[name].shape[1:]) for name in (*own, OUTPUT))


def layer_table(counts: Sequence[int], listings: Sequence[Listing], chosen: int | str | None) -> Layers:
    """What has as many rows as images at each of these numbers of images, as the first listing has it.

    Raises:
        ModelError: the chosen output has not.
    """
    ends = [select_output(listing.output, chosen) for listing in listings]
    for count, y in zip(counts, ends, strict=True):
        if y.ndim < 2 or y.shape[0] != count:
            raise ModelError(f"the output has shape {tuple(y.shape)} for {count} images; its first axis must be theirs")
    places = _batch_first(counts, [listing.places for listing in listings])
    axes = {**{name: place.axis for name, place in places.items()}, OUTPUT: listings[0].axis_of(ends[0])}
    found = {name: _layer(name, place.kind, place.shape, place.axis, place.aliases) for name, place in places.items()}
    return Layers({**found, OUTPUT: _layer(OUTPUT, "Output", ends[0].shape, axes[OUTPUT])}, places, axes)


def _batch_first(counts: Sequence[int], listings: Sequence[Sequence[LayerOutput]]) -> dict[str, LayerOutput]:
    several = len(listings) > 1  # the number of rows tells little by itself; what was followed must do
    rows = [
        {place.name: place.shape[0] for place in each if len(place.shape) > 1 and (several or place.rows == 0)}
        for each in listings
    ]
    same = [{name for name, n in each.items() if n == count} for count, each in zip(counts, rows, strict=True)]
    return {place.name: place for place in listings[0] if all(place.name in each for each in same)}


def _layer(name: str, kind: str, shape: Sequence[int], axis: int, aliases: tuple[str, ...] = ()) -> Layer:
    seen = channels_first(torch.empty(tuple(shape), device="meta"), axis).shape
    return Layer(name, kind, (None, *seen[1:]), aliases)
