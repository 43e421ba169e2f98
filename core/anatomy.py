"""Finding one's way in a network: its layers with maps, the last of them, its classes."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator

from .errors import LayerError
from .layer import INPUT, OUTPUT, Layer
from .model import Model

__all__ = ["attention_maps", "classes", "last_maps", "spatial_layers"]


def spatial_layers(model: Model) -> Iterator[Layer]:
    """The layers with maps (N, C, H, W), in execution order; not `INPUT`, `OUTPUT` and what is inside attention."""
    tokens, heads = _tokens(model), _heads(model)
    inner = (layer for name, layer in model.layers.items() if name not in {INPUT, OUTPUT})
    return (layer for layer in inner if layer.has_maps and not _inside_attention(layer, tokens, heads))


def attention_maps(model: Model) -> list[str]:
    """The layers that hold attention's weights (N, heads, T, T) between tokens, rows adding up to 1, in order.

    They are found by kind and shape: a softmax over pairs of as many tokens as some layer (N, T, D) has.

    Raises:
        LayerError: none is to be seen.
    """
    counts = {count for count, _ in _tokens(model)}
    found = [
        layer.name
        for layer in model.layers.values()
        if len(layer.shape) == 4 and layer.kind in _WEIGHTS and layer.shape[2] == layer.shape[3] in counts
    ]
    if not found:
        raise LayerError(
            "no attention is to be seen in this network: no softmax gives weights (N, heads, T, T) between T tokens "
            f"of a layer (N, T, D); {_advice(model, counts)}. grad_cam with layer= explains any layer of tokens"
        )
    return found


_WEIGHTS = frozenset({"Softmax", "Attention"})
"""Kinds of layers whose rows add up to 1: ONNX' and Keras' Softmax, torch's module, and what torch's functions hide."""


def _advice(model: Model, counts: set[int | None]) -> str:
    if not counts:
        return "it has no layer of tokens (N, T, D) at all, so it is no transformer with the batch as first axis"
    return "fused attention hides it: in Keras set flash_attention=False, for ONNX export with softmax and MatMul nodes"


def _tokens(model: Model) -> "Counter[tuple[int | None, int | None]]":
    """(T, D) of the layers of tokens (N, T, D), and how many there are of each."""
    return Counter((layer.shape[1], layer.shape[2]) for layer in model.layers.values() if len(layer.shape) == 3)


def _heads(model: Model) -> set[tuple[int | None, int | None]]:
    """(heads, T) of both sides of each attention's weights (N, heads, queries, keys), which may be apart in number."""
    counts = {count for count, _ in _tokens(model)}
    found = (layer.shape[1:] for layer in model.layers.values() if len(layer.shape) == 4 and layer.kind in _WEIGHTS)
    return {(heads, count) for heads, *sides in found if counts.issuperset(sides) for count in sides}


def _inside_attention(
    layer: Layer, tokens: "Counter[tuple[int | None, int | None]]", heads: Container[tuple[int | None, int | None]]
) -> bool:
    """Whether the axes are heads and tokens: weights (N, heads, T, T), or queries and keys with heads * d = D."""
    first, a, b = layer.shape[1:]
    if "conv" in layer.kind.lower():
        return False
    if first is None or a is None or b is None:
        return False
    if a != b and any(pair in heads for pair in ((first, a), (first, b), (a, first), (b, first))):
        return True
    split = (a, first * b) in tokens or (b, first * a) in tokens
    beside = tokens[first, a * b] > 2  # heads after tokens; maps (C, H, W) flattened to (C, H W) once are none
    return split or beside or any(a == b == count for count, _ in tokens)


def last_maps(model: Model, of: Iterable[str] = (OUTPUT,)) -> str:
    """The last layer with maps that any of the layers `of` is computed from, or that is one of them.

    The other outputs of a detector have layers of their own, which come later and say nothing about the chosen one.

    Raises:
        LayerError: this network has none.
    """
    ends = {model.layer(name).name for name in of} or {OUTPUT}
    before = model.upstream(ends)
    names = [layer.name for layer in spatial_layers(model)]
    found = [name for name in names if before is None or name in before]
    if names and not found:
        raise LayerError(f"no layer with maps (N, C, H, W) comes before {', '.join(sorted(ends))}; name a layer")
    if not found:
        raise LayerError("this network has no layer with maps (N, C, H, W); name a layer of tokens or vectors instead")
    return found[-1]


def classes(model: Model) -> int:
    """The number of classes of a model with outputs (N, K); two where one number tells two classes apart.

    Raises:
        ModelError: the output has another shape.
    """
    return model.output.count
