"""The layer that methods explain by default, and what leads to it: layers with feature maps, attention, tokens."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

from ..arrays import Array
from ..errors import LayerError
from ..model.base import Model
from ..model.layer import INPUT, OUTPUT, Layer
from ..model.layout import SPARE_TOKENS
from ..objective import Objective
from .spatial_axes import follows_image, lays_out_anew, only_chooses
from .target_dependence import first_with_influence
from .target_maps import own_maps

__all__ = ["attention_maps", "classes", "default_layer", "last_maps", "spatial_layers"]


def spatial_layers(model: Model) -> Iterator[Layer]:
    """The layers with maps (N, C, H, W), in execution order; not `INPUT`, `OUTPUT` and what is inside attention.

    Of a network that takes volumes, those with (N, C, D, H, W) too. Where no softmax gives weights between tokens there
    is no attention: a recurrent network that reads columns has maps as wide and high as its steps are many.
    """
    tokens, heads = _tokens(model), _heads(model)
    for name, layer in model.layers.items():
        volume = len(layer.shape) == len(model.input.shape) + 1 == 5 and layer.shape[0] is None
        if name in {INPUT, OUTPUT} or (volume and set(layer.shape[2:]) == {1}):
            continue
        if volume or (layer.has_maps and not (heads and _inside_attention(layer, tokens, heads))):
            yield layer


def attention_maps(model: Model) -> list[str]:
    """The layers that hold attention's weights (N, heads, T, T) between tokens, rows adding up to 1, in order.

    They are recognised by kind and shape: a softmax over pairs of as many tokens as some layer (N, T, D) has.

    Raises:
        LayerError: there are none, or they lie between different sets of tokens, as in an encoder with a decoder.
    """
    counts = {count for count, _ in _tokens(model)}
    names = [
        layer.name
        for layer in model.layers.values()
        if len(layer.shape) == 4 and layer.kind.lower() in _WEIGHTS and layer.shape[2] == layer.shape[3] in counts
    ]
    if not names:
        raise LayerError(
            "no attention is to be seen in this network: no softmax gives weights (N, heads, T, T) between T tokens "
            f"of a layer (N, T, D); {_advice(model, counts)}. grad_cam with layer= explains any layer of tokens"
        )
    _refuse_several_sets(model, names)
    return names


def _refuse_several_sets(model: Model, names: list[str]) -> None:
    """Refuse attention that leads from one set of tokens to another: its matrices cannot be multiplied."""
    own = model.layers[names[0]].shape[2:]
    for layer in model.layers.values():
        sizes = layer.shape[2:]
        if (
            layer.kind.lower() in _WEIGHTS
            and len(sizes) == 2
            and sizes != own
            and (layer.name in names or {*sizes} & {*own})
        ):
            raise LayerError(
                f"attention in this network is between different sets of tokens, {own[0]} x {own[1]} in {names[0]!r} "
                f"but {sizes[0]} x {sizes[1]} in {layer.name!r}, as in an encoder with a decoder; it can be followed "
                "through one set only. grad_cam with layer= explains any layer of tokens"
            )


_WEIGHTS = frozenset({"softmax", "attention"})
"""Kinds of layers whose rows add up to 1: softmax as a layer, a node or a function, and what torch's functions hide."""


def _advice(model: Model, counts: set[int | None]) -> str:
    if not counts:
        return "it has no layer of tokens (N, T, D) at all, so it is not a transformer with the batch as first axis"
    return "fused attention hides it: in Keras set flash_attention=False, for ONNX export with softmax and MatMul nodes"


def _tokens(model: Model) -> "Counter[tuple[int | None, int | None]]":
    """(T, D) of the layers of tokens (N, T, D), and how many there are of each."""
    return Counter((layer.shape[1], layer.shape[2]) for layer in model.layers.values() if len(layer.shape) == 3)


def _heads(model: Model) -> set[tuple[int | None, int | None]]:
    """(heads, T) of both sides of each attention's weights (N, heads, queries, keys), which may be apart in number."""
    counts = {count for count, _ in _tokens(model)}
    shapes = (
        layer.shape[1:] for layer in model.layers.values() if len(layer.shape) == 4 and layer.kind.lower() in _WEIGHTS
    )
    return {(heads, count) for heads, *sides in shapes if counts.issuperset(sides) for count in sides}


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
    beside = tokens[first, a * b] > 2  # heads after tokens; maps (C, H, W) flattened to (C, H W) once are not heads
    return split or beside or any(a == b == count for count, _ in tokens)


def default_layer(model: Model, objective: Any = (), images: Array = None) -> str:
    """The layer that methods explain where none is named: the last maps that the target is computed from.

    The same place on every backend: see `last_maps`. In a transformer, whose last maps are cut into tokens, it is what
    attention reads last: a class token reads the others there for the last time, and on what comes behind, nothing but
    its own token counts. One anchor of a detector, or one pixel or token of another layer with positions, may depend on
    some of the maps only: with `images` it is the last ones that it depends on.

    Args:
        model: any network.
        objective: what is explained, an `Objective`, or the names of the layers that it reads; the network's output if
            not given.
        images: (N, C, H, W), which it is explained for.

    Raises:
        LayerError: this network has no maps before the target, or they are cut into tokens afterwards, so that the last
            maps are its first layer, and its attention is not to be seen.
    """
    ends: Iterable[str] = getattr(objective, "layers", objective)
    last = last_maps(model, ends)
    if images is not None and isinstance(objective, Objective) and _has_positions(model, objective.layers):
        candidates = chain([last], _head_maps(model, _ends(model, ends)))
        last = first_with_influence(model, images, objective, candidates) or last
    tokens = _tokens_after(model, last, _computing(model, _ends(model, ends)))
    read = _read_by_last_attention(model, tokens) if tokens else None
    if read:
        return read
    if tokens:
        raise LayerError(
            f"this network cuts its last maps, {last!r}, into tokens: name the layer to explain, layer=. Where a class "
            f"token is read, that is one before the last attention; tokens are given by {', '.join(tokens[-6:])}"
        )
    return last


def _has_positions(model: Model, read: Iterable[str]) -> bool:
    return any(len(model.layer(name).shape) > 2 for name in read if name != INPUT)


def last_maps(model: Model, of: Iterable[str] = (OUTPUT,)) -> str:
    """The last layer with maps that any of the layers `of` is computed from, as they enter the head.

    The other outputs of a detector have layers of their own, which come later and say nothing about the chosen one.
    Left out are the target's own maps, what only lays values out anew (Permute, Reshape, flip) or takes a part of them
    (Slice, Split), what pooling left of one side of the image, and four axes that are not positions in the image.

    Raises:
        LayerError: this network has none.
    """
    ends = _ends(model, of)
    known, now = _last_maps_of.setdefault(model, {}), (model.history.changes, ends)
    if now not in known:
        known[now] = _last_maps(model, ends)
    return known[now]


_last_maps_of: "WeakKeyDictionary[Model, dict[tuple[int, frozenset[str]], str]]" = WeakKeyDictionary()
"""By model, changes of its weights and target: it may take a pass through the network to know the layer."""


def _ends(model: Model, of: Iterable[str]) -> frozenset[str]:
    """The layers that a target reads, by their own names, without the image unless it reads nothing else."""
    ends = frozenset(model.layer(name).name for name in of)
    return ends - {INPUT} or ends or frozenset({OUTPUT})


def _computing(model: Model, ends: frozenset[str]) -> list[str]:
    """The layers that the named ones are computed from, themselves included, in execution order."""
    names, before = list(model.layers), model.upstream(ends)
    if before is not None:
        return [name for name in names if name in before]
    return names[: 1 + max(names.index(end) for end in ends)]


def _last_maps(model: Model, ends: frozenset[str]) -> str:
    last = next(_head_maps(model, ends), None)
    if last is not None:
        return last
    if len(model.layers) == 2:
        raise LayerError(
            "this model shows no layers between its image and its output, as TorchScript does: wrap the network itself "
            "or export it to .pt2 or ONNX; gradient, occlusion, rise and lime need none"
        )
    if next(spatial_layers(model), None) is None:
        others = [name for name, layer in model.layers.items() if name not in {INPUT, *ends} and len(layer.shape) > 1]
        raise LayerError(
            "this network has no layer with maps (N, C, H, W); name a layer of tokens or vectors instead, layer=; the "
            f"last ones are {', '.join(map(repr, others[-LISTED:]))}"
        )
    raise LayerError(
        f"no layer with maps (N, C, H, W) but the target's own comes before {', '.join(sorted(ends))}; name a layer"
    )


def _head_maps(model: Model, ends: frozenset[str]) -> Iterator[str]:
    """The layers with maps that a target reading `ends` is computed from, without its own, the last one first."""
    computing = set(_computing(model, ends))
    names = [layer.name for layer in spatial_layers(model) if layer.name in computing]
    while names:
        names, last = names[:-_AT_ONCE], names[-_AT_ONCE:]
        own = frozenset[str]().union(*(own_maps(model, end, last) for end in ends if end != INPUT))
        for name in reversed(last):
            before = [model.layers[each] for each in _computing(model, frozenset({name})) if each != name]
            if name not in own and _enters_a_head(model, name, before):
                yield name


LISTED = 4
"""Layers that an error names."""
_AT_ONCE = 4
"""Layers that are tested in one pass."""


def _enters_a_head(model: Model, name: str, before: Sequence[Layer]) -> bool:
    layer = model.layers[name]
    pooled = 1 in layer.shape[2:] and any(word in layer.kind.lower() for word in _POOLING)
    same = lays_out_anew(layer) or only_chooses(layer)
    return not pooled and not same and follows_image(model, name, before)


_POOLING = ("pool", "mean", "sum", "max", "min", "norm_l", "amax")
"""In the kinds of layers that leave one position of a side."""


def _read_by_last_attention(model: Model, tokens: Sequence[str]) -> str | None:
    """The last normalised layer of tokens before the last attention; None where the backend shows none."""
    try:
        attention = attention_maps(model)[-1]
    except LayerError:
        return None
    names = list(model.layers)
    before = [name for name in tokens if names.index(name) < names.index(attention)]
    normalised = [name for name in before if model.layers[name].kind.replace("_", "").lower().startswith("layernorm")]
    return normalised[-1] if normalised else None


def _tokens_after(model: Model, layer: str, computing: Sequence[str]) -> list[str]:
    """The layers after `layer` with one token for each of its positions, if any of them works on tokens.

    Maps that are only laid out anew, to be pooled or as a detector's anchors, stay maps.
    """
    positions = prod(n or 1 for n in model.layer(layer).shape[2:])
    counts = range(positions, positions + SPARE_TOKENS + 1)
    after = [model.layers[name] for name in computing[computing.index(model.layer(layer).name) + 1 :]]
    tokens = [each for each in after if len(each.shape) == 3 and each.shape[1] in counts]
    working = any(word in each.kind.lower() for each in tokens for word in _ON_TOKENS)
    return [each.name for each in tokens] if working else []


_ON_TOKENS = ("norm", "linear", "dense", "matmul", "gemm", "einsum", "attention")
"""In the kinds of layers that each framework has for tokens."""


def classes(model: Model) -> int:
    """The number of classes of a model with outputs (N, K); two where one number tells two classes apart.

    Raises:
        ModelError: the output has another shape.
    """
    return model.output.count
