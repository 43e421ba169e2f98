"""What a normalisation, a scale or a bias of its own multiplies each unit by."""

from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...introspection.target_maps import sample_images
from ...model.base import INPUT
from ...relevance.affine import affine_of, is_affine
from .structure import Structure

__all__ = ["NormGains"]

Numbers = np.ndarray[Any, Any]
_AT_ONCE = 8
"""Layers that are measured in one pass."""


class NormGains:
    """The gains of a network's layers, measured when first asked for, several in a pass."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._known: dict[str, Numbers | None] = {}
        model = structure.model
        self._left = [
            name
            for name, layer in model.layers.items()
            if name != INPUT
            and name not in structure.same
            and len(structure.inputs(name)) == 1
            and name not in structure.kernels
            and is_affine(layer, model.weights(name))
        ]

    def of(self, name: str) -> Numbers | None:
        """(units,), float32; None where the layer is no such one, or it does something else besides."""
        if name in self._left:
            start = self._left.index(name)
            chosen = self._left[max(0, start - _AT_ONCE + 1) : start + 1]
            self._measure(chosen)
            self._left = [each for each in self._left if each not in chosen]
        if name not in self._known:
            self._known[name] = self._by_weights(name)
        return self._known[name]

    def _by_weights(self, name: str) -> Numbers | None:
        """The scale of a layer that normalises each token or image anew: its gain but for a number that all share."""
        model = self._structure.model
        scale = None if name == INPUT else model.weights(name).get("scale")
        return None if scale is None or as_numpy(scale).ndim != 1 else as_numpy(scale).astype(np.float32)

    def _measure(self, names: list[str]) -> None:
        model, structure = self._structure.model, self._structure
        before = {name: structure.inputs(name)[0] for name in names}
        images = model.placed(sample_images(model, 2))
        asked = list(dict.fromkeys([*names, *before.values()]))
        values = {name: as_numpy(a) for name, a in model.forward(images, asked).items()}
        for name in names:
            found = affine_of(model.layers[name], model.weights(name), values[before[name]], values[name])
            if found is not None:
                self._known[name] = found.gain.astype(np.float32)
