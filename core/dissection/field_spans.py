"""Where a layer's rows and columns lie in a picture: the receptive field of each, along each axis."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..data import Batch, Quantity, Samples
from ..model.base import Model
from ..receptive.dependence import FAR
from ..receptive.fields import fields_of
from .enlargement import Enlarger

__all__ = ["FieldSpans", "enlargers", "even_spans", "field_spans"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FieldSpans(Quantity):
    """Of each picture `field_spans`, (N, h + w, 2); (N, 0, 2) where they are not known."""

    layer: str

    def compute(self, model: Model, samples: Samples) -> Array:
        height, width = samples.images.shape[2:]
        found = field_spans(model, self.layer, (int(height), int(width)))
        known = np.zeros((0, 2)) if found is None else found
        return np.broadcast_to(known, (len(samples.ids), *known.shape))


def field_spans(model: Model, layer: str, picture: tuple[int, int]) -> Numbers | None:
    """Start and stop of the receptive field of each row of a layer's maps, then of each column, (h + w, 2).

    Pixels are counted from the picture's edge, which fields may leave. None where they are not known by arithmetic, or
    do not tell rows from each other: behind attention, squeeze-and-excitation, global pooling.

    Args:
        model: the network.
        layer: the canonical name of a layer.
        picture: (H, W) in pixels.
    """
    fields, reason = fields_of(model, picture)
    found = fields.get(layer)
    if reason or found is None or found.unknown or len(found.shape) != 4:
        return None
    spans = []
    for axis, bounds in enumerate(found.bounds):
        along = 3 + axis
        least = bounds[2:].min(axis=tuple(a for a in range(1, bounds.ndim) if a != along))
        if least.shape[1] != found.shape[2 + axis] or least.min() <= -FAR // 2:
            return None
        spans.append(np.stack([least[0], -least[1]], axis=1))
        if (np.diff(spans[-1].sum(axis=1)) <= 0).any():
            return None
    return np.concatenate(spans).astype(np.float64)


def even_spans(shape: tuple[int, int], picture: tuple[int, int]) -> Numbers:
    """(h + w, 2) of maps (h, w) that cover the picture evenly: what is assumed where fields are not known."""
    return np.concatenate(
        [np.stack([np.arange(n), np.arange(n) + 1], axis=1) * (m / n) for n, m in zip(shape, picture, strict=True)]
    )


def enlargers(batch: Batch, layer: str, shape: tuple[int, int], rule: str) -> list[Enlarger]:
    """For each picture of a batch, how the layer's maps (h, w) lie over it.

    Args:
        batch: with the layer's `FieldSpans`.
        layer: its canonical name.
        shape: (h, w).
        rule: one of `ENLARGEMENTS`.
    """
    height, width = (int(n) for n in batch.samples.images.shape[2:])
    every = batch.quantities[FieldSpans(layer)]
    even = even_spans(shape, (height, width))
    return [Enlarger(rule, spans if len(spans) else even, (height, width)) for spans in every]
