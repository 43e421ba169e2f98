"""The last hidden layer: what the class scores are computed from, where pictures that look alike lie together."""

from math import prod

from ..errors import LayerError
from ..model.base import Model
from ..model.layer import INPUT, OUTPUT, Layer

__all__ = ["last_hidden", "score_layer"]


def score_layer(model: Model) -> str:
    """The layer of the class scores: before a softmax or sigmoid where there is such a layer, else the output."""
    return model.output.before or OUTPUT


def last_hidden(model: Model) -> str:
    """The last layer with units, in execution order, that holds another number of values than the output.

    So neither the scores nor what is done to them count. Of the layers that only lay it out anew or drop values out
    the last one is named; they hold the same.

    Raises:
        LayerError: there is none but the image.
    """
    scores = prod(n or 1 for n in model.layers[OUTPUT].shape[1:])
    for name, layer in reversed(list(model.layers.items())):
        if name not in {INPUT, OUTPUT} and _is_hidden(layer, scores):
            return name
    raise LayerError("this network has no hidden layer with units; name a layer to compare pictures at, space=<input>")


def _is_hidden(layer: Layer, scores: int) -> bool:
    return len(layer.shape) > 1 and layer.shape[0] is None and prod(n or 1 for n in layer.shape[1:]) != scores
