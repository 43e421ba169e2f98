"""The inputs of a network by name: one is the image, the others hold the same row for every image."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from crosslens.errors import ModelError, did_you_mean
from crosslens.model.other_inputs import hold_style_weights

__all__ = ["Entry", "Held", "Signature", "hold", "image_of", "repeat", "signature_of"]

Held = Mapping[str, "np.ndarray[Any, Any]"]
"""By input what it holds: one row, or a value without a batch axis, which is kept as it is."""


@dataclass(frozen=True)
class Entry:
    """One input, as far as the network says what it takes; the shape has a batch axis."""

    shape: tuple[int | None, ...] | None = None
    dtype: Any = None

    def __str__(self) -> str:
        sizes = "of any shape" if self.shape is None else "(" + ", ".join(str(n or "any") for n in self.shape) + ")"
        return f"{tf.as_dtype(self.dtype).name} {sizes}" if self.dtype else sizes


@dataclass(frozen=True)
class Signature:
    """The inputs of a network, and how it is called: with a structure of their names, or with keywords."""

    entries: Mapping[str, Entry]
    structure: Any
    keywords: bool = False

    def arguments(self, values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the network is called with."""
        if self.keywords:
            return (), dict(values)
        flat = [values[name] for name in self.entries]
        return (keras.tree.pack_sequence_as(self.structure, flat),), {}


def signature_of(net: Any) -> Signature:
    """The inputs of a Keras model: a functional one says all, of another `call` and its first call tell some."""
    if getattr(net, "inputs", None) and not isinstance(net, keras.Sequential):
        return _functional(net.input)
    shapes = _known_shapes(net)
    names = _parameters(net)
    if len(names) > 1:
        first = {names[0]: shapes.get("input_shape"), **{name: shapes.get(f"{name}_shape") for name in names[1:]}}
        entries = {name: Entry(first[name] or shapes.get(f"{name}_shape")) for name in names}
        return Signature(entries, None, keywords=True)
    shape = shapes.get("input_shape")
    if isinstance(shape, dict):
        return Signature({name: Entry(tuple(each)) for name, each in sorted(shape.items())}, dict.fromkeys(shape))
    if isinstance(shape, list | tuple) and shape and not all(isinstance(n, int | None) for n in shape):
        return Signature({str(n): Entry(tuple(each)) for n, each in enumerate(shape)}, [None] * len(shape))
    return Signature({names[0] if names else "inputs": Entry(tuple(shape) if shape else None)}, None)


def _functional(structure: Any) -> Signature:
    tensors = keras.tree.flatten(structure)
    keys = sorted(structure) if isinstance(structure, dict) else []
    names = keys if len(keys) == len(tensors) else [tensor.name for tensor in tensors]
    entries = {name: Entry(tuple(t.shape), t.dtype) for name, t in zip(names, tensors, strict=True)}
    return Signature(entries, structure)


def _known_shapes(net: Any) -> dict[str, Any]:
    try:
        return {"input_shape": net.input_shape}
    except AttributeError:
        return dict((net.get_build_config() if net.built else None) or {})


def _parameters(net: Any) -> list[str]:
    """The arguments of `call` that have to be given."""
    if isinstance(net, keras.Sequential):
        return ["inputs"]
    parameters = inspect.signature(net.call).parameters.values()
    usual = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY}
    asked = (each for each in parameters if each.kind in usual and each.default is inspect.Parameter.empty)
    return [each.name for each in asked if each.name not in {"training", "mask"}]


def image_of(entries: Mapping[str, Entry], given: dict[str, Any] | None) -> str:
    """The input that is left out, and so explained.

    Raises:
        ModelError: none or several are left out; a value is for no input.
    """
    given = {} if given is None else given
    hold_style_weights(given, {name: entry.shape for name, entry in entries.items()})
    for name in given:
        if name not in entries:
            hint = did_you_mean(name, entries)
            raise ModelError(f"inputs= names {name!r}; the network's inputs are {', '.join(entries)}.{hint}")
    free = [name for name in entries if name not in given]
    if len(free) == 1:
        return free[0]
    named = ", ".join(f"{name!r} {entry}" for name, entry in entries.items())
    if not free:
        raise ModelError(f"inputs= holds all inputs, {named}; leave out the one to explain")
    unheld = f", of which {', '.join(map(repr, free))} are not held" * (len(free) < len(entries))
    others = ", ".join(f"{name!r}: array" for name in free if name != _likely(entries, free))
    raise ModelError(
        f"the network has {len(entries)} inputs: {named}{unheld}; one is explained, say what the others hold: "
        f"inputs={{{others}}}"
    )


def _likely(entries: Mapping[str, Entry], left: list[str]) -> str:
    """The input that looks most like an image."""
    return max(left, key=lambda name: (len(entries[name].shape or ()) in {4, 5}, -left.index(name)))


def hold(entries: Mapping[str, Entry], image: str, given: Mapping[str, Any] | None) -> Held:
    """What the other inputs hold, in their types; one row where they have a batch axis.

    Raises:
        ModelError: a value does not fit.
    """
    batch = (entries[image].shape or (None,))[0]
    return {name: _as_taken(name, entries[name], np.asarray(value), batch) for name, value in (given or {}).items()}


def _as_taken(name: str, entry: Entry, given: "np.ndarray[Any, Any]", batch: int | None) -> "np.ndarray[Any, Any]":
    usual = np.float32 if given.dtype == np.float64 else given.dtype
    dtype = np.dtype(tf.as_dtype(entry.dtype).as_numpy_dtype) if entry.dtype else np.dtype(usual)
    if given.dtype.kind not in "biufSUO" or (dtype.kind in "biu" and not np.array_equal(given.astype(dtype), given)):
        raise ModelError(f"inputs[{name!r}] holds {given.dtype} that {dtype} cannot; give {dtype}")
    array = given.astype(dtype)
    if entry.shape is None:
        return array if array.ndim and array.shape[0] == 1 else array[None]
    per_image = bool(entry.shape) and entry.shape[0] in {None, batch}
    if per_image and array.ndim == len(entry.shape) - 1:
        array = array[None]
    shape = (1, *entry.shape[1:]) if per_image else entry.shape
    if array.ndim != len(shape) or any(n not in {None, m} for n, m in zip(shape, array.shape, strict=True)):
        raise ModelError(
            f"inputs[{name!r}] has shape {given.shape}; the network takes {entry}: give one row, which is held for all "
            "images"
        )
    return array


def repeat(held: Held, entries: Mapping[str, Entry], image: str, x: Any) -> dict[str, Any]:
    """What the other inputs are fed: their row as often as there are images.

    Args:
        held: what they hold.
        entries: all inputs.
        image: the input that is explained.
        x: the images.
    """
    batch = (entries[image].shape or (None,))[0]
    fed = {}
    for name, value in held.items():
        shape = entries[name].shape
        per_image = shape is None or (bool(shape) and shape[0] in {None, batch})
        count = [tf.shape(x)[0], *[1] * (value.ndim - 1)]
        fed[name] = tf.tile(tf.constant(value), count) if per_image else tf.constant(value)
    return fed
