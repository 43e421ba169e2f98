"""Finding one's way in a network: its layers with maps, the last of them, its classes."""

from collections.abc import Iterator

from .errors import LayerError, ModelError
from .layer import INPUT, OUTPUT, Layer
from .model import Model

__all__ = ["classes", "last_maps", "spatial_layers"]


def spatial_layers(model: Model) -> Iterator[Layer]:
    """The layers with maps (N, C, H, W), in execution order, without `INPUT` and `OUTPUT`."""
    return (layer for name, layer in model.layers.items() if layer.has_maps and name not in {INPUT, OUTPUT})


def last_maps(model: Model) -> str:
    """The last layer with maps.

    Raises:
        LayerError: this network has none.
    """
    names = [layer.name for layer in spatial_layers(model)]
    if not names:
        raise LayerError("this network has no layer with maps (N, C, H, W); name a layer of tokens or vectors instead")
    return names[-1]


def classes(model: Model) -> int:
    """The number K of classes of a model with outputs (N, K).

    Raises:
        ModelError: the output has another shape.
    """
    shape = model.layers[OUTPUT].shape
    if len(shape) != 2 or shape[1] is None:
        raise ModelError(
            f"the output has shape {shape}, not (N, classes): a class is no target here. Give an Objective on a layer, "
            "such as channel(layer, 11), or wrap the model with output= naming its logits"
        )
    return shape[1]
