"""Images of integers: floats are rounded to the pixels that a network takes; gradients pass straight through."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.introspection.integer_pixels import integer_pixels
from crosslens.model import InputSpec
from crosslens.model.preprocessing import Preprocess

from .layers.operations import PASS_THROUGH

__all__ = ["as_pixels", "fit_preprocessing", "float_casts", "refuse_no_pixels", "round_to_pixels"]

_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def refuse_no_pixels(name: str, dtype: Any) -> None:
    """Refuse an image that is none of numbers.

    Raises:
        ModelError: what it is, and what to do.
    """
    kind = None if dtype is None else tf.as_dtype(dtype)
    if kind == tf.string:
        raise ModelError(
            f"the input {name!r} takes encoded pictures (strings of bytes, as JPEG files hold them), not pixels: save "
            "a signature that takes float images (N, H, W, C), and wrap that"
        )
    if kind is not None and not (kind.is_floating or kind.is_integer):
        raise ModelError(f"the input {name!r} is of {kind.name}; an image is of floats or of integers")


def fit_preprocessing(name: str, dtype: Any, spec: InputSpec, wished: Preprocess) -> Preprocess:
    """The preprocessing for an image of this type: as wished for floats, in pixels for integers.

    Args:
        name: the input's name, for the error.
        dtype: its element type in TensorFlow.
        spec: the input as users see it.
        wished: what `wrap` was asked for.

    Raises:
        ModelError: a preprocessing that gives other numbers.
    """
    if not spec.is_image:
        return Preprocess()
    if dtype is None or not tf.as_dtype(dtype).is_integer:
        return wished
    kind = tf.as_dtype(dtype)
    return integer_pixels(f"the input {name!r} is of {kind.name}", -128 if kind == tf.int8 else 0, spec, wished)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _straight(x: Any, low: Any) -> Any:
    return tf.clip_by_value(tf.round(x), low, low + 255.0), lambda dy: (dy, None)


def round_to_pixels(x: Any, dtype: Any) -> Any:
    """Pixels as floats: whole numbers within the type's 256, gradients passed straight through."""
    return _straight(x, tf.constant(-128.0 if dtype == tf.int8 else 0.0, x.dtype))


def as_pixels(x: Any, dtype: Any) -> Any:
    """A traced image in a type of integers; casts of it back to floats, made from now on, read the rounded floats."""
    floats = round_to_pixels(x, dtype)
    pixels = tf.cast(floats, dtype)
    make, same, instead = pixels.graph._create_op_internal, {id(pixels)}, dict[int, tuple[Any, Any]]()

    def made(op_type: str, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        operation = make(op_type, [instead.get(id(t), (t, t))[1] for t in inputs], *args, **kwargs)
        if len(inputs) and id(inputs[0]) in same:
            for y in operation.outputs[:1]:
                if op_type in PASS_THROUGH:
                    same.add(id(y))
                elif op_type == "Cast" and y.dtype.is_floating:
                    instead[id(y)] = (y, tf.cast(floats, y.dtype))
        return operation

    pixels.graph._create_op_internal = made
    return pixels


def float_casts(definition: Any, image: str) -> tuple[dict[str, Any], list[str]]:
    """In a graph: the casts of an image of integers to floats, by name with their type, and what else reads it."""
    casts, others, same = dict[str, Any](), list[str](), {image}
    for node in _pass_through_first(definition):
        if not any(edge.partition(":")[0] in same for edge in node.input):
            continue
        kind = tf.as_dtype(node.attr["DstT"].type) if node.op == "Cast" else None
        if node.op in PASS_THROUGH:
            same.add(node.name)
        elif kind is not None and kind.is_floating:
            casts[node.name] = kind
        elif node.op not in _SHAPES:
            others.append(f"{node.name} ({node.op})")
    return casts, others


def _pass_through_first(definition: Any) -> Iterator[Any]:
    """The nodes, what only passes on first, as often as there may be one behind another."""
    passing = [node for node in definition.node if node.op in PASS_THROUGH]
    for _ in passing:
        yield from passing
    yield from (node for node in definition.node if node.op not in PASS_THROUGH)
