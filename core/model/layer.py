"""One place in a network, and the two that every network has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import LayerError, did_you_mean
from ..html_table import html_table

__all__ = [
    "ABSORBED",
    "INPUT",
    "OUTPUT",
    "Layer",
    "LayerLike",
    "Layers",
    "name_of_object",
    "refuse_other_shape",
    "shape_in_words",
    "unknown_layer",
]

LayerLike: TypeAlias = Any
"""A layer as a user gives it: its name or alias, or the framework's own object, such as a module or a Keras layer."""
INPUT = "<input>"
"""The image itself, as a layer: priors on the image are objectives like any other."""
OUTPUT = "<output>"
"""What the network returns, as a layer; (N, K) for a classifier."""
ABSORBED = "<absorbed>"
"""Among the layers of `wrt` where kernels have rules: what (biases, the stabiliser) took of the relevance, (N, 2)."""


@dataclass(frozen=True)
class Layer:
    """One place in a network. `kind` is the framework's own word for it (Conv2d, Activation, Relu)."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    """Channels-first, as at `InputSpec.example_shape`; the batch, first, is None; a number stands where it is not."""
    aliases: tuple[str, ...] = ()

    @property
    def has_maps(self) -> bool:
        """Whether the output is (N, C, H, W) with more than one position."""
        return len(self.shape) == 4 and self.shape[0] is None and self.shape[2:] != (1, 1)


class Layers(dict[str, Layer]):
    """Layers by name, in execution order; shown as a table."""

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        rows = [f"{each.name:{width}}  {each.kind}  {shape_in_words(each.shape[1:])}" for each in self.values()]
        if len(rows) > 2 * _ROWS:
            rows[_ROWS:-_ROWS] = [f"... {len(rows) - 2 * _ROWS} more; list(model.layers) has all names"]
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        """All of them, in a notebook."""
        rows = [
            (each.name, each.kind, shape_in_words(each.shape[1:]), ", ".join(each.aliases)) for each in self.values()
        ]
        return html_table(("layer", "kind", "shape of one image", "other names"), rows)


_ROWS = 12
"""Of many layers the first and the last ones that their representation shows."""


def refuse_other_shape(what: str, got: tuple[int, ...], shape: tuple[int | None, ...], *, positions: bool) -> None:
    """Refuse what a framework might broadcast in silence.

    Args:
        what: the values, for the message.
        got: their shape.
        shape: the layer's, with the number of images.
        positions: whether that holds at the axes of positions too, which follow the size of the image.

    Raises:
        LayerError: with both shapes.
    """
    if not positions:
        shape = tuple(n if i in {0, 2 if len(shape) == 3 else 1} else None for i, n in enumerate(shape))
    if len(got) != len(shape) or any(n not in {None, m} for n, m in zip(shape, got, strict=True)):
        raise LayerError(f"{what} has shape {got}, its layer {shape}")


def shape_in_words(shape: Sequence[int | None]) -> str:
    """A shape for a message, "any" for a side that may be of any size.

    >>> shape_in_words((3, None, None)), shape_in_words((1000,))
    ('(3, any, any)', '(1000,)')
    """
    return str(tuple(shape)).replace("None", "any")


def unknown_layer(name: str, layers: Iterable[str], aliases: Iterable[str] = ()) -> LayerError:
    """The error for a name that no layer has: the nearest names, else the last layers, and how to list them."""
    names = list(layers)
    hint = did_you_mean(name, [*names, *aliases]) or f" The last ones are {', '.join(names[-4:])}."
    return LayerError(
        f"no layer {name!r} in this model ({len(names)} layers).{hint} "
        "List them with model.layers, or `crosslens layers MODEL`."
    )


def name_of_object(layer: object, names: Sequence[str] | None, backend: str) -> str:
    """The name of the one layer that an object of a framework is.

    Args:
        layer: the object.
        names: what `crosslens.Model.layers_of` says of it.
        backend: the model's, for the message.

    Raises:
        LayerError: it is no part of the network, no layer, or several: it runs more than once.
    """
    what = f"a {type(layer).__module__}.{type(layer).__name__}"
    if names is None:
        raise LayerError(
            f"{what} is no part of the network that this model ({backend}) wraps; give a layer's name, or a part of "
            "the very network that was wrapped, not of a copy. model.layers lists the names"
        )
    if not names:
        raise LayerError(
            f"{what} of this network is no layer: it does not run, or gives no tensor with a row for each image. "
            "Give what stands next to it; model.layers lists the names"
        )
    if len(names) > 1:
        raise LayerError(f"{what} runs {len(names)} times in this network; name one of {', '.join(map(repr, names))}")
    return names[0]
