"""Groups of layers by the hierarchy of their names: "blocks.3.bn0", "layer1.0/add", "outer/inner", "conv2_block1_out".

A group is drawn as one node, so no path may leave it and come back: what lies between its layers, has no such name and
only neighbours among them joins it; where something else lies between them, there is no such group. A group of one
layer is none, nor is one that holds all layers; of two that hold the same layers the inner one stays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...model.base import INPUT, OUTPUT
from .structure import Structure

__all__ = ["LayerGroup", "layer_groups", "name_path"]

_FEWEST_BY_UNDERSCORES = 3
"""Layers of a group whose name is set off by underscores alone, which may mean nothing."""


@dataclass(frozen=True)
class LayerGroup:
    """Some layers that lie together."""

    title: str
    layers: tuple[str, ...]
    """In the network's order."""
    parent: int | None
    """The place of the group around it."""


def name_path(name: str) -> tuple[str, ...]:
    """The names of the groups that a layer's name puts it into, from the outside, and its own last.

    >>> name_path("blocks.3.bn0")
    ('blocks', 'blocks.3', 'blocks.3.bn0')
    >>> name_path("/layer1/layer1.0/conv1/Conv")
    ('layer1', 'layer1.0', 'layer1.0/conv1', 'layer1.0/conv1/Conv')
    """
    parts: list[str] = []
    for part in filter(None, name.split("/")):
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    found, before = [], ""
    for part in parts:
        pieces = part.split(".")
        found += [before + ".".join(pieces[: n + 1]) for n in range(len(pieces))]
        before += f"{part}/"
    return tuple(found)


def layer_groups(structure: Structure) -> list[LayerGroup]:
    """The groups of a network, outer ones before those that they hold, in the network's order."""
    inner = [name for name in structure.model.layers if name not in {INPUT, OUTPUT}]
    members = {
        title: layers
        for title, layers in _by_hierarchy(structure, inner).items()
        if len(layers) > 1 and not _is_inside_of_one(structure, title, layers)
    }
    nameless = {name for name in inner if not any(name in layers for layers in members.values())}
    members = members or _by_underscores(structure, inner)
    paths = _Paths(structure)
    whole = {title: paths.with_what_lies_between(layers, nameless) for title, layers in members.items()}
    last = {layers: title for title, layers in whole.items() if layers}  # of equal ones the inner one comes last
    return _nested({title: layers for layers, title in last.items() if len(layers) < len(inner)}, inner)


def _is_inside_of_one(structure: Structure, title: str, layers: Sequence[str]) -> bool:
    """Whether this is one layer with a kernel and the functions that it calls before that, as padding."""
    others = [name for name in layers if name != title]
    return (
        len(others) < len(layers)
        and structure.kernel_at.get(title) == title
        and all(name.startswith(f"{title}/") and name not in structure.kernels for name in others)
    )


def _by_hierarchy(structure: Structure, inner: Sequence[str]) -> dict[str, list[str]]:
    """By title; a module whose layers all run again is a second group, "block #2".

    Where a layer has other names, they count too: "dense" and "net/dense_1/Relu". "/" and "." mean the same.
    """
    runs: dict[str, dict[str, dict[str, None]]] = {}
    titles: dict[str, str] = {}
    for name in inner:
        plain, _, run = name.partition("#")
        aliases = structure.model.layers[name].aliases
        for other in (plain, *(alias.partition("#")[0] for alias in aliases if "/" in alias)):
            *groups, own = name_path(other)
            for title in groups:
                titles.setdefault(_key(title), title)
            for title in (*groups, own):
                runs.setdefault(_key(title), {}).setdefault(run, {})[name] = None
    members: dict[str, list[str]] = {}
    for key, title in titles.items():  # the runs of one layer alone are no group
        first = len(runs[key].get("", ()))
        for run, layers in runs[key].items():
            again = run and len(layers) == first > 1
            members.setdefault(f"{title} #{run}" if again else title, []).extend(layers)
    place = {name: n for n, name in enumerate(inner)}
    return {title: sorted(layers, key=place.__getitem__) for title, layers in members.items()}


def _key(title: str) -> str:
    return title.replace("/", ".")


def _by_underscores(structure: Structure, inner: Sequence[str]) -> dict[str, list[str]]:
    """By what stands before an underscore, where such layers follow each other and are of several kinds."""
    members: dict[str, list[str]] = {}
    for name in inner:
        pieces = name.split("_")
        for n in range(1, len(pieces)):
            members.setdefault("_".join(pieces[:n]), []).append(name)
    place = {name: n for n, name in enumerate(inner)}
    return {
        title: layers
        for title, layers in sorted(members.items(), key=lambda each: len(each[0]))
        if _FEWEST_BY_UNDERSCORES <= len(layers) < len(inner)
        and place[layers[-1]] - place[layers[0]] < len(layers)
        and re.search(r"\d[a-z]?$", title)
        and len({structure.model.layers[name].kind for name in layers}) > 1
    }


def _nested(groups: Mapping[str, tuple[str, ...]], inner: Sequence[str]) -> list[LayerGroup]:
    place = {name: n for n, name in enumerate(inner)}
    order = sorted(groups, key=lambda title: (place[groups[title][0]], -len(groups[title])))
    found: list[LayerGroup] = []
    around: list[int] = []
    for title in order:
        while around and not set(groups[title]) <= set(found[around[-1]].layers):
            around.pop()
        found.append(LayerGroup(title, groups[title], around[-1] if around else None))
        around.append(len(found) - 1)
    return found


class _Paths:
    """Which layers each layer is computed from, as bits of a number."""

    def __init__(self, structure: Structure) -> None:
        self._place = {name: n for n, name in enumerate(structure.model.layers)}
        self._before: dict[str, int] = {}
        self._beside: dict[str, set[str]] = {name: set(structure.reads[name]) for name in structure.model.layers}
        for name in structure.model.layers:
            for read in structure.reads[name]:
                self._beside[read].add(name)
            bits = 1 << self._place[name]
            for read in structure.reads[name]:
                bits |= self._before.get(read, 0)
            self._before[name] = bits

    def with_what_lies_between(self, layers: Sequence[str], nameless: set[str]) -> tuple[str, ...]:
        """These layers and those on paths between them; () where one of these has a name, or a neighbour elsewhere."""
        own = sum(1 << self._place[name] for name in layers)
        upstream = 0
        for name in layers:
            upstream |= self._before[name]
        outside = upstream & ~own
        between = [n for n, place in self._place.items() if outside >> place & 1 and self._before[n] & own]
        whole = {*layers, *between}
        if not nameless.issuperset(between) or not all(self._beside[name] <= whole for name in between):
            return ()
        return tuple(sorted(whole, key=self._place.__getitem__))
