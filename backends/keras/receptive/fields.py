"""Follow what the tensors of a traced TensorFlow function depend on, operator by operator."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from crosslens.model import INPUT
from crosslens.receptive.dependence import Dependence
from crosslens.receptive.fields import Fields

from .rules import RULES, UnknownFormError, elementwise

__all__ = ["traced_fields"]

_NO_NUMBERS = frozenset({"Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike"})
"""What they give depends on shapes alone."""
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def traced_fields(compute: Callable[[Any], Sequence[Any]], layers: Sequence[str], shape: tuple[int, ...]) -> Fields:
    """What each layer depends on, by the operators of a function that is traced.

    Args:
        compute: from one image (1, C, H, W) to the activations of the layers, channels first.
        layers: their names, in order.
        shape: (C, H, W) of the image.
    """
    signature = [tf.TensorSpec((1, *shape), tf.float32)]
    graph = tf.function(compute, autograph=False, input_signature=signature).get_concrete_function().graph
    image = Dependence.of_image((1, *shape))
    known: dict[Any, Dependence] = {graph.inputs[0].ref(): image}
    _follow(graph, known)
    fields = {name: known[y.ref()] for name, y in zip(layers, graph.outputs, strict=True) if y.ref() in known}
    return {INPUT: image, **fields}


def _follow(graph: Any, known: dict[Any, Dependence]) -> None:
    for op in graph.get_operations():
        parts = [known.get(each.ref()) for each in op.inputs]
        if op.type in _NO_NUMBERS or not any(part is not None for part in parts):
            continue
        if op.type in _CALLS and (made := _called(graph, op, parts)) is not None:
            known.update({y.ref(): each for y, each in zip(op.outputs, made, strict=True) if each is not None})
            continue
        shapes = [tuple(y.shape) if y.shape.rank is not None and None not in y.shape else None for y in op.outputs]
        made = _by_rule(op, parts, shapes)
        known.update({y.ref(): each for y, each in zip(op.outputs, made, strict=True) if each is not None})


def _called(graph: Any, op: Any, parts: Sequence[Dependence | None]) -> list[Dependence | None] | None:
    """The outputs of a function that is called."""
    name = op.get_attr("f").name
    inner = next((each for key, each in graph._functions.items() if _text(key) == name), None)
    body = getattr(inner, "graph", None)
    if body is None or len(body.inputs) != len(parts):
        return None
    known = {x.ref(): part for x, part in zip(body.inputs, parts, strict=True) if part is not None}
    _follow(body, known)
    return [known.get(y.ref()) for y in body.outputs]


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _by_rule(op: Any, parts: Sequence[Dependence | None], shapes: Sequence[Any]) -> list[Dependence | None]:
    rule = RULES.get(op.type, elementwise)
    made: list[Dependence | None] = []
    if None not in shapes:
        try:
            made = list(rule(op, parts, shapes))
        except UnknownFormError:
            made = []
    read = [part for part in parts if part is not None]
    return [made[n] if n < len(made) else _all(read, shape or (), op.type) for n, shape in enumerate(shapes)]


def _all(read: Sequence[Dependence], shape: tuple[int, ...], name: str) -> Dependence:
    flat = [each.flat(shape, unknown=name) for each in read]
    return flat[0].union(*flat[1:])
