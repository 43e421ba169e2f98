"""The graph of a network's layers, with groups that fold: `Network` of data.ts."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..book import Book
from .cost import Costs
from .groups import LayerGroup, layer_groups
from .structure import Structure, unit_count
from .survey_facts import dead_units

__all__ = ["alike", "network"]


def network(book: Book) -> Mapping[str, Any]:
    """Who reads whom, and the groups that names make, with their sums."""
    structure, costs = Structure.of(book.model), Costs.of(book.model)
    groups = layer_groups(structure)
    numbers = alike(structure, groups)
    group_of: dict[str, int] = {}
    for place, group in enumerate(groups):  # inner groups come after those around them
        group_of.update(dict.fromkeys(group.layers, place))
    return {
        "reads": [[book.ids[read] for read in structure.reads[name]] for name in book.model.layers],
        "group_of": [group_of.get(name) for name in book.model.layers],
        "groups": [
            {
                "title": group.title,
                "parent": group.parent,
                "alike": number,
                "parameters": costs.parameters_of(group.layers),
                "flops": costs.flops_of(group.layers),
                "dead": _dead(book, structure, group.layers),
            }
            for group, number in zip(groups, numbers, strict=True)
        ],
        "notes": list(structure.notes),
    }


def _dead(book: Book, structure: Structure, layers: Sequence[str]) -> int | None:
    """The sum over layers of which there are statistics; None where there are of none."""
    known = [dead_units(book, name) for name in layers if name not in structure.same]
    counts = [each for each in known if each is not None]
    return sum(counts) if counts else None


def alike(structure: Structure, groups: Sequence[LayerGroup]) -> list[int]:
    """A number for each group, the same for groups of the same structure.

    That is the same kinds of layers in the same order, which read each other and the outside alike, with kernels of the
    same size that work on groups of channels alike, at the same positions. How many units there are may differ, as in
    a dense block, whose layers read ever more.
    """
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(_structure(structure, group.layers), len(numbers)) for group in groups]


def _structure(structure: Structure, layers: Sequence[str]) -> Any:
    place = {name: n for n, name in enumerate(layers)}
    outside: dict[str, int] = {}
    rows = []
    for name in layers:
        layer = structure.model.layers[name]
        read = tuple(
            place[each] if each in place else -1 - outside.setdefault(structure.origin(each), len(outside))
            for each in structure.reads[name]
        )
        positions = layer.shape[2:] if len(layer.shape) != 3 else layer.shape[1:2]
        rows.append((layer.kind, read, positions, _kernel(structure, name)))
    return tuple(rows)


def _kernel(structure: Structure, name: str) -> tuple[object, ...]:
    """The size of a layer's kernel, and whether it reads one channel, some, or all."""
    shape = structure.kernels.get(name)
    if shape is None:
        return ()
    read = [unit_count(structure.model.layers[each]) for each in structure.reads[name]]
    grouped = bool(read) and len(shape) > 2 and shape[1] < read[0]
    return shape[2:], grouped, shape[1] == 1
