"""Which layer of one network is which of another, found without names: by order, shape and what the layers say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import Array
from .errors import LayerError
from .model import Model
from .progress import Progress, silent

__all__ = ["Alignment", "Row", "align"]


@dataclass(frozen=True)
class Row:
    """One layer, by its name in each model."""

    layers: tuple[str | None, ...]
    """In the order of `Alignment.models`; None where a model has no such layer (fused there, or written otherwise)."""
    agreement: float
    """Pearson's correlation of the activations on the probe images; the smallest of all pairs in the row."""
    difference: float
    """Relative L2 difference |a - b| / |a| of the same; the largest of all pairs in the row."""


@dataclass(frozen=True)
class Alignment:
    """The layers of two or more models, row by row in execution order of the first."""

    models: tuple[str, ...]
    rows: tuple[Row, ...]
    same: tuple[Mapping[str, str], ...] = ()
    """Per model: layers without a row of their own whose values are those of a layer with one (a block, its last)."""
    layers: tuple[tuple[str, ...], ...] = ()
    """Per model: all its layers, in execution order."""

    def unmatched(self, model: str) -> tuple[str, ...]:
        """The layers of one model, by its name here, that no other model has."""
        place = self.models.index(model)
        matched = {row.layers[place] for row in self.rows}
        return tuple(name for name in self.layers[place] if name not in matched and name not in self.same[place])

    def translate(self, layer: str, source: str, to: str) -> str:
        """The name in model `to` of a layer of model `source`.

        Raises:
            LayerError: it has no counterpart there; the message names the nearest layers that have one.
        """
        raise LayerError(f"no counterpart of {layer!r} of {source} in {to}")

    def as_json(self) -> dict[str, Any]:
        """Everything in it, for a file."""
        return {"models": list(self.models), "rows": [vars(row) for row in self.rows]}


def align(
    *models: Model,
    images: Array = None,
    names: Sequence[str] = (),
    progress: Progress = silent,
) -> Alignment:
    """Match the layers of two or more models of one network, without their names.

    Args:
        models: what `crosslens.wrap` gave.
        images: probes, (N, C, H, W), float32 in [0, 1]; photographs that come with scikit-image if not given.
        names: what to call the models; their backends' names if not given.
        progress: called after each model with (done, total, what).
    """
    raise NotImplementedError
