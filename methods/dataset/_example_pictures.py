"""The pictures of examples: images are read again, each once, cut to receptive fields, and explained unit by unit."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Source
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.nonlinearities import RECTIFIER, count_activation_functions
from crosslens.method import Method
from crosslens.model import Model
from crosslens.plugins import method as named
from crosslens.sheets.examples import Examples

from ._drawn_examples import DrawnExamples, Use
from ._example_fields import LayerFields

__all__ = ["activation_shapes", "attribution_method", "image_size", "position_shapes", "with_pictures"]

Numbers = np.ndarray[Any, Any]
SIZE = 112
"""Pixels of the longer side of a stored picture, at most."""


def attribution_method(asked: str | Method | None, model: Model) -> Method | None:
    """The method that explains examples; None for none.

    Raises:
        ParameterError: it is neither a name nor a method, or it explains no images.
        PluginError: no method has this name.
    """
    if asked in {None, "none"}:
        return None
    if asked == "auto":
        asked = "guided_backprop" if _has_rectifiers(model) else "gradient"
    method = named(asked) if isinstance(asked, str) else asked
    if not isinstance(method, Method) or not (method.needs_images and method.needs_target):
        raise ParameterError(f"attribution is {asked!r}; give a method that explains images, by name or configured")
    method.check_parameters()
    return method


def _has_rectifiers(model: Model) -> bool:
    known = model.nonlinearities
    counts = count_activation_functions(layer.kind for layer in model.layers.values()) if known is None else known
    return "relu" in model.rules_for and bool(counts.get(RECTIFIER))


def position_shapes(model: Model, source: Source, looked_at: Mapping[str, str]) -> Mapping[str, tuple[int, ...]]:
    """By layer, how its positions lie: (h, w), (T,) or (); measured on an image where the network takes any size."""
    shapes = activation_shapes(model, source, tuple(looked_at.values()))
    return {layer: _positions(shapes[at]) for layer, at in looked_at.items()}


def activation_shapes(model: Model, source: Source, layers: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """By layer its shape without the batch axis; measured on an image where the network takes any size."""
    shapes = {layer: model.layer(layer).shape[1:] for layer in layers}
    if None in model.input.shape or any(None in shape for shape in shapes.values()):
        known = model.forward(_first_image(model, source), shapes)
        shapes = {layer: tuple(known[layer].shape[1:]) for layer in shapes}
    return {layer: tuple(int(n or 0) for n in shape) for layer, shape in shapes.items()}


def image_size(model: Model, source: Source) -> tuple[int, int]:
    """(H, W) of the images; of the first that can be read where the network takes any size."""
    shape = _first_image(model, source).shape if None in model.input.shape else model.input.example_shape
    return int(shape[-2]), int(shape[-1])


def _first_image(model: Model, source: Source) -> Any:
    """The first image that can be read, (1, C, H, W)."""
    return next(samples.images for n in range(len(source)) if (samples := source.read(n, n + 1, model)).ids)


def _positions(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a layer, from its shape without the batch axis."""
    return shape[:1] if len(shape) == 2 else shape[1:]


def with_pictures(
    examples: Examples,
    model: Model,
    source: Source,
    units: Mapping[str, tuple[int, ...]],
    drawn: tuple[int, Method | None],
    progress: Progress,
) -> Examples:
    """Examples with the pictures of some units.

    Args:
        examples: what was found.
        model: the network.
        source: the images, of which only those needed are read, each once.
        units: by layer, those that get pictures.
        drawn: how many examples of each kind, and the method of their attributions.
        progress: called after each image.
    """
    shown, method = drawn
    fields = {
        layer: LayerFields.of(model, at, examples.shapes[layer], examples.image_size)
        for layer, at in examples.looked_at.items()
    }
    pictures = DrawnExamples(examples, model, method, fields)
    uses = sorted(_uses(examples, units, shown))
    count = len({use.image for use in uses})
    for done, (index, group) in enumerate(groupby(uses, key=lambda use: use.image), 1):
        samples = source.read(index, index + 1, model)
        if samples.ids:
            pictures.add(samples.images, samples.records[0], list(group))
        else:
            pictures.missing.append(f"{examples.names[index]} ({samples.failures[0].reason})")
        progress(done, count, "pictures")
    return pictures.result(units, shown)


def _uses(examples: Examples, units: Mapping[str, tuple[int, ...]], shown: int) -> Iterator[Use]:
    for layer, chosen in units.items():
        indices = as_numpy(examples.indices[layer])[:, list(chosen), :shown]
        for kind, place, rank in np.argwhere(indices >= 0).tolist():
            unit = chosen[place]
            position = int(examples.positions[layer][kind, unit, rank])
            yield Use(int(indices[kind, place, rank]), layer, (kind, place, rank), unit, position)
