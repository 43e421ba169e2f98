"""A layer of a network as the code of a picture: what a generator that inverts this layer takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import LayerError, ModelError
from ...introspection.unit_layers import rectified_layers
from ...model.base import OUTPUT, Model
from ...operators import Resize
from ...plugins.wrap import wrap

__all__ = ["Encoder", "encoder", "image_network"]


@dataclass(frozen=True)
class Encoder:
    """Pictures to their codes, the activations of one layer."""

    model: Model
    layer: str
    shape: tuple[int, ...]
    """Of one code: (K,), (C, h, w)."""
    rectified: bool
    """Whether codes are never negative, being what a rectifier lets pass."""

    def codes(self, pictures: Array) -> Array:
        """The codes (N, *shape) of pictures (N, C, H, W) in [0, 1], which are resized for a network of one size.

        Raises:
            ModelError: the network takes another number of channels.
        """
        spec = self.model.input
        if spec.shape[0] not in {None, pictures.shape[1]}:
            raise ModelError(
                f"the encoder takes pictures with {spec.shape[0]} channels, and these have {pictures.shape[1]}; give "
                "an encoder for such pictures"
            )
        size, own = (pictures.shape[-2], pictures.shape[-1]), spec.shape[1:]
        to = (own[0] or size[0], own[1] or size[1])
        seen = spec.from_unit(pictures if to == size else Resize(size, to).apply(pictures))
        return self.model.forward(seen, [self.layer])[self.layer]


def encoder(network: Any, layer: str) -> Encoder:
    """A network's layer as an encoder.

    Args:
        network: a `Model` that takes pictures, or what `crosslens.wrap` takes.
        layer: whose activations are codes.

    Raises:
        ModelError: the network takes no pictures, or gives NaN.
        LayerError: it has no such layer.
    """
    model = image_network(network, "an encoder")
    try:
        name = model.layer(layer).name
    except LayerError as error:
        raise LayerError(f"code_layer is no layer of the encoder: {error}") from error
    noise = np.random.default_rng(0).random((1, *model.input.example_shape), dtype=np.float32)
    codes = as_numpy(model.forward(model.placed(model.input.from_unit(noise)), [name])[name])[0]
    if not np.isfinite(codes).all():
        raise ModelError(f"layer {name!r} of the encoder gives NaN for noise: look at its weights and preprocessing")
    never_negative = codes.min(initial=0.0) >= 0
    passed_rectifier = name in rectified_layers(model) or bool((codes == 0).any())
    return Encoder(model, name, codes.shape, bool(never_negative and passed_rectifier))


def image_network(network: Any, what: str) -> Model:
    """A network that takes pictures; one that also makes them gets no ImageNet preprocessing that nobody asked for.

    Args:
        network: a `Model`, or what `crosslens.wrap` takes.
        what: what it is needed for, for the message.

    Raises:
        ModelError: it takes no pictures.
    """
    model = wrap(network)
    if not model.input.is_image or model.input.is_volume:
        raise ModelError(f"{what} takes pictures (C, H, W); this network takes {model.input.shape}")
    out = model.layers[OUTPUT].shape
    if len(out) == 4 and out[1] == model.input.shape[0] and model is not network and model.takes_default_preprocessing:
        return wrap(network, preprocess=None)
    return model
