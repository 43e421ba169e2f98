"""What a SavedModel's graph is fed: the image in its type, and what the other inputs hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from crosslens.errors import ModelError

from ..pixel_types import float_casts, refuse_no_pixels, round_to_pixels
from .held_inputs import Entry, Held, hold, image_of, repeat

__all__ = ["GraphInputs", "graph_inputs"]


@dataclass(frozen=True)
class GraphInputs:
    """The inputs of a signature by name, the one that is explained, and where each enters the graph."""

    entries: Mapping[str, Entry]
    image: str
    held: Held
    placeholders: Mapping[str, str]
    casts: Mapping[str, Any]
    """Of an image of integers: the operations that make floats of it, with their type."""
    others: tuple[str, ...]
    """What else reads such an image."""

    @property
    def entry(self) -> Entry:
        """What the image is."""
        return self.entries[self.image]

    @property
    def takes_integers(self) -> bool:
        """Whether the image is of integers."""
        return bool(tf.as_dtype(self.entry.dtype).is_integer)

    def feeds(self, x: Any) -> dict[str, Any]:
        """By tensor of the graph, what it is fed for images `x` in the network's layout.

        Floats go past the casts of integers, so that gradients have a way.
        """
        others = repeat(self.held, self.entries, self.image, x)
        floats = round_to_pixels(x, self.entry.dtype) if self.takes_integers else x
        values = {**others, self.image: tf.cast(floats, self.entry.dtype)}
        fed = {f"{self.placeholders[name]}:0": value for name, value in values.items()}
        return fed | {f"{name}:0": tf.cast(floats, dtype) for name, dtype in self.casts.items()}

    def refuse_gradient(self) -> None:
        """Refuse gradients at an image of integers that something else than a cast reads.

        Raises:
            ModelError: with what reads it.
        """
        if self.others:
            raise ModelError(
                f"no gradient reaches the image: {', '.join(self.others[:3])} in the SavedModel reads its "
                f"{tf.as_dtype(self.entry.dtype).name} pixels as integers; occlusion, rise and lime need none, or save "
                "a signature that takes floats"
            )


def graph_inputs(function: Any, frozen: Any, inputs: dict[str, Any] | None) -> GraphInputs:
    """The inputs of a signature function and of its frozen graph.

    Raises:
        ModelError: none or several inputs are left out, a value does not fit, or the image is none of numbers.
    """
    keywords = function.structured_input_signature[1]
    entries = {name: _entry(spec) for name, spec in sorted(keywords.items())}
    image = image_of(entries, inputs)
    refuse_no_pixels(image, entries[image].dtype)
    tensors = [tensor.op.name for tensor in frozen.inputs if tensor.dtype != tf.resource]
    alike = {*entries} == {*tensors}
    placeholders = dict(zip(entries, sorted(tensors) if alike else tensors, strict=True))
    integers = tf.as_dtype(entries[image].dtype).is_integer
    casts, others = float_casts(frozen.graph.as_graph_def(), placeholders[image]) if integers else ({}, [])
    return GraphInputs(entries, image, hold(entries, image, inputs), placeholders, casts, tuple(others))


def _entry(spec: Any) -> Entry:
    return Entry(None if spec.shape.rank is None else tuple(spec.shape), spec.dtype)
