"""Layers of a Keras network that rescale or normalise its images themselves."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from crosslens.model import INPUT
from crosslens.model.preprocessing import Preprocess

from .layers.layer_tensor import LayerTensor

__all__ = ["double_normalisation"]

_PIXELS = 0.05
"""A factor below this one is meant for pixels from 0 to 255."""


def double_normalisation(
    layers: Mapping[str, LayerTensor], preprocess: Preprocess
) -> Iterator[tuple[str, bool | None, str]]:
    """A finding for `Model.diagnosis` where the network's own layer does not fit the preprocessing before it."""
    first = next(_entering(layers), None)
    if first is None:
        return
    factor = _factor(first.source)
    right = "'raw255'" if factor < _PIXELS else "None"
    plain = preprocess.affine(1 if len(preprocess.mean) == len(preprocess.std) == 1 else len(preprocess.mean))
    gain, offset = (float(abs(values).max()) for values in plain)
    if offset or (gain == 1) == (factor < _PIXELS) or (gain > 100) != (factor < _PIXELS):
        named = preprocess.preset or ("none" if preprocess.identity else "the one given")
        does = f"and preprocess={named!r} does too" if not preprocess.identity else "from 0 to 255, and gets 0 to 1"
        own = f"the network itself {_verb(first.source)} its images (layer {first.name!r})"
        yield "preprocess", False, f"{own} {does}; wrap(preprocess={right})"


def _entering(layers: Mapping[str, LayerTensor]) -> Iterator[LayerTensor]:
    """The layers that rescale or normalise what is still the image."""
    image = {INPUT}
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in layers.values():
        if set(layer.reads) <= image and isinstance(layer.source, (*kinds, keras.layers.Resizing, keras.Sequential)):
            image.add(layer.name)
            if isinstance(layer.source, kinds):
                yield layer


def _factor(layer: keras.Layer) -> float:
    """The largest number that the layer multiplies a channel by."""
    if isinstance(layer, keras.layers.Rescaling):
        return float(np.abs(np.asarray(layer.scale, np.float64)).max())
    variance = keras.ops.convert_to_numpy(layer.variance)
    return float(1 / np.sqrt(np.maximum(variance, 1e-14)).min())


def _verb(layer: keras.Layer) -> str:
    return "rescales" if isinstance(layer, keras.layers.Rescaling) else "normalises"
