"""Icons of units from a survey: the picture that excited each of them most, cut to what the unit saw."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.errors import ParameterError
from crosslens.model import Model
from crosslens.sheets.examples import Examples
from crosslens.survey.loading import load

__all__ = ["example_icons"]

Pixels = np.ndarray[Any, Any]


def example_icons(
    path: Path, model: Model, layer: str, units: Sequence[int]
) -> tuple[Mapping[int, Pixels], tuple[str, ...]]:
    """The first example of each unit that has a picture, (H, W, 3), uint8; and a note on those that have none.

    Args:
        path: the folder of a sweep with `top_examples`, or an .npz of it.
        model: the network, whose examples they should be.
        layer: of the units.
        units: which.

    Raises:
        ParameterError: there is no such survey, it holds no examples of the layer, or pictures of none of the units.
    """
    found = [each for each in _examples(path) if layer in each.layers]
    listed = ",".join(map(str, units))
    command = f"crosslens sweep MODEL DATA top_examples:layers={layer},units={listed} -o STORE"
    if not found:
        raise ParameterError(f"'{path}' holds no examples of layer {layer!r}; gather them: {command}")
    icons = {unit: crop for each in reversed(found) for unit, crop in _crops(each, layer) if unit in units}
    missing = [unit for unit in units if unit not in icons]
    if not icons:
        raise ParameterError(
            f"'{path}' has pictures of none of the units of layer {layer!r} that are active here, {listed}; make them: "
            f"{command}"
        )
    notes = []
    if missing:
        notes.append(f"{len(missing)} of {len(units)} units have no picture in '{path}' and are grey; {command}")
    if any(each.provenance.get("model") != model.last_digest for each in found):
        notes.append(f"the examples in '{path}' were gathered with another network, or this one in another framework")
    return icons, tuple(notes)


def _examples(path: Path) -> Iterator[Examples]:
    if not path.exists():
        raise ParameterError(
            f"no examples at '{path}': it does not exist; gather them: crosslens sweep MODEL DATA top_examples -o STORE"
        )
    opened = load(path)
    results = [opened[name] for name in opened] if path.is_dir() else [opened]
    yield from (each for each in results if isinstance(each, Examples))


def _crops(examples: Examples, layer: str) -> Iterator[tuple[int, Pixels]]:
    """Each pictured unit with its first example of the first kind."""
    for slot, unit in enumerate(examples.pictured.get(layer, ())):
        if as_numpy(examples.indices[layer])[0, unit, 0] >= 0:
            yield int(unit), as_numpy(examples.crops[layer])[0, slot, 0]
