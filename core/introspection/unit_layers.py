"""The layers that a method over a data set looks at: names, or one word for many of them."""

from collections.abc import Iterable, Iterator, Mapping

from ..errors import LayerError
from ..model.base import Model
from ..model.layer import INPUT, Layer, LayerLike, shape_in_words
from .default_layer import default_layer
from .nonlinearities import RECTIFIER, count_activation_functions

__all__ = ["LAYERS_DOC", "rectified_layers", "rectifier_inputs", "unit_layers"]

LAYERS_DOC = (
    'layers by name, or "all" with units, or "rectified": the output of each rectifier; the default layer if empty'
)
"""What a parameter `layers` says of itself."""
_ALL, _RECTIFIED = "all", "rectified"


def unit_layers(model: Model, asked: Iterable[LayerLike] = ()) -> tuple[str, ...]:
    """The canonical names of layers with units, each once, in the order in which they were asked for.

    Args:
        model: any network.
        asked: names, aliases, the framework's own objects, or words: "all" for every layer with units but the image,
            "rectified" for the output of every rectifier, both in execution order. A layer of that name goes before
            the word. The default layer of the network's output where nothing is asked.

    Raises:
        LayerError: no such layer, or it has no units: it gives one number per image, or its first axis is not the
            batch; or nothing is rectified.
    """
    names = [asked] if isinstance(asked, str) else list(asked)
    found = [layer for name in names for layer in _meant(model, name)] if names else [default_layer(model)]
    return tuple(dict.fromkeys(found))


def rectified_layers(model: Model) -> tuple[str, ...]:
    """The outputs of the network's rectifiers that have units, in execution order, each tensor under one name.

    ReLU, ReLU6 and any clip from 0 count, and LeakyReLU and PReLU, whose outputs may be negative: those that
    `crosslens.Model.modified(relu=)` changes. So does a layer that ends in one, a Keras Conv2D(activation="relu").
    They are told by the kinds of the layers where the backend does not know.
    """
    known = model.rectified_layers
    if known is None:
        known = tuple(
            name for name, layer in model.layers.items() if count_activation_functions([layer.kind])[RECTIFIER]
        )
    return tuple(name for name in known if _has_units(model.layers[name]))


def rectifier_inputs(model: Model, layers: Iterable[str]) -> Mapping[str, str]:
    """By rectified layer, the layer that its rectifier reads; without those of which none of that shape is listed."""
    before = {}
    rectified = frozenset(rectified_layers(model))
    for name in rectified.intersection(layers):
        read = [each for each in model.reads(name) or () if model.layers[each].shape == model.layers[name].shape]
        if len(read) == 1 and read[0] != INPUT:
            before[name] = read[0]
    return before


def _meant(model: Model, asked: LayerLike) -> Iterator[str]:
    """The names of the layers that one word or name stands for."""
    if asked in (_ALL, _RECTIFIED) and asked not in _all_names(model):
        yield from _several(model, str(asked))
        return
    layer = model.layer(model.layer_name(asked) if not isinstance(asked, str) else asked)
    if not _has_units(layer):
        raise LayerError(_without_units(layer))
    yield layer.name


def _several(model: Model, word: str) -> tuple[str, ...]:
    if word == _ALL:
        return tuple(name for name, layer in model.layers.items() if name != INPUT and _has_units(layer))
    if names := rectified_layers(model):
        return names
    raise LayerError('nothing in this network is rectified: it has no ReLU or clip from 0; name layers, or give "all"')


def _all_names(model: Model) -> frozenset[str]:
    return frozenset(name for layer in model.layers.values() for name in (layer.name, *layer.aliases))


def _has_units(layer: Layer) -> bool:
    return len(layer.shape) > 1 and layer.shape[0] is None


def _without_units(layer: Layer) -> str:
    if len(layer.shape) < 2:
        return f"layer {layer.name!r} gives one number per image, {shape_in_words(layer.shape)}, so it has no units"
    return (
        f"layer {layer.name!r} gives {shape_in_words(layer.shape)}, whose first axis is not the batch, so nobody can "
        "tell which image a value belongs to; name another layer"
    )
