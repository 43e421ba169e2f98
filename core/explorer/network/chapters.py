"""Which layers get pages of units where a user names none: the places that all of a network passes through.

A place is what a kernel or a join gives, as it is before the next one reads it: a rectified convolution, the sum at a
residual block's end, a concatenation. Where these are few, as in LeNet, all are taken. Else those that every path from
the image to the output goes through; of these, where they are many, the ones at the ends of the groups that names make,
blocks for example; and of these an even choice at each scale. The places are the same in every framework, as far as the
names of groups are.
"""

from collections.abc import Sequence

import numpy as np

from ...errors import LayerError
from ...introspection.default_layer import default_layer
from ...introspection.spatial_axes import lays_out_anew
from ...model.base import INPUT, OUTPUT, Model
from .groups import layer_groups
from .structure import Structure, unit_count

__all__ = ["default_layers", "places"]

_SLACK = 1.5
"""Times `count` that the ends of blocks may be, to be thinned then, before larger groups are looked at."""
_HALF = 0.5
"""Times `count` that they should at least be."""


def default_layers(model: Model, count: int = 16) -> tuple[str, ...]:
    """The layers whose units get pages, in the network's order, at most `count`.

    The first kernels' layer, rectified where it is, and the last maps are always among them.
    """
    structure = Structure.of(model)
    every = places(structure)
    if len(every) <= count:
        return tuple(every)
    passed = places(structure, passed_by_all=True) or every
    last = _last_maps(structure, passed)
    chosen = _block_ends(structure, passed, last, count) if len(passed) > count else passed
    if len(chosen) < _HALF * count:  # a network of parallel ways: the places within these too
        return tuple(_thinned(model, every, {*chosen, every[0]}, count))
    return tuple(_thinned(model, chosen, {chosen[0], last}, count))


def _is_inner(structure: Structure, name: str) -> bool:
    return name not in {INPUT, OUTPUT, *structure.same}


def _has_units(structure: Structure, name: str) -> bool:
    layer = structure.model.layers[name]
    return unit_count(layer) > 1 and not lays_out_anew(layer)


def places(structure: Structure, *, passed_by_all: bool = False) -> list[str]:
    """What each kernel or join gives, before the next reads it, in the network's order.

    Args:
        structure: the network's.
        passed_by_all: only what all paths from the image to the output go through.
    """
    passed = _passed_by_all(structure)
    candidates = passed if passed_by_all else [name for name in structure.model.layers if _is_inner(structure, name)]
    found: dict[str, None] = {}
    fresh: set[str] = set()
    for name in candidates:
        read = structure.inputs(name)
        (before,) = read if len(read) == 1 else ("",)
        starts = name in structure.kernels or len(read) > 1 or (passed_by_all and before not in (INPUT, *passed))
        if not starts and before in found and _goes_on(structure, before, name):
            del found[before]
        elif not starts and before not in fresh:
            continue
        if _has_units(structure, name):
            found[name] = None
        else:
            fresh.add(name)
    return list(found)


def _passed_by_all(structure: Structure) -> list[str]:
    """The layers that all paths from the image to the output go through, repetitions left out."""
    order = [name for name in structure.model.layers if name not in structure.same and name != OUTPUT]
    end = structure.origin(OUTPUT)
    place = {name: n for n, name in enumerate(order)}
    forward = {INPUT}
    for name in order:
        if not forward.isdisjoint(structure.inputs(name)):
            forward.add(name)
    backward, waiting = {end}, [end]
    while waiting:
        for read in structure.inputs(waiting.pop()):
            if read not in backward:
                backward.add(read)
                waiting.append(read)
    on_the_way = [name for name in order if name in forward and name in backward]
    found, farthest = [], 0
    for name in on_the_way:
        if place[name] >= farthest:
            found.append(name)
        readers = (place[each] for each in structure.readers[name] if each in backward and each in place)
        farthest = max([farthest, *readers])
    return [name for name in found if name != INPUT]


def _goes_on(structure: Structure, before: str, name: str) -> bool:
    """Whether a layer is what an earlier place becomes for all that reads it: normalised, rectified."""
    model = structure.model
    return model.layers[name].shape == model.layers[before].shape and structure.readers[before] == (name,)


def _last_maps(structure: Structure, passed: Sequence[str]) -> str:
    """The last place at or before the layer that methods explain."""
    order = list(structure.model.layers)
    try:
        last = order.index(structure.origin(default_layer(structure.model)))
    except LayerError:
        return passed[-1]
    return [name for name in passed if order.index(name) <= last or name == passed[0]][-1]


def _block_ends(structure: Structure, passed: Sequence[str], last: str, count: int) -> list[str]:
    """The places at which no group of the chosen level goes on; as many as there should be."""
    groups = layer_groups(structure)
    depth = [0] * len(groups)
    for place, group in enumerate(groups):
        depth[place] = 0 if group.parent is None else depth[group.parent] + 1
    chosen = list(passed)
    for level in sorted(set(depth), reverse=True):
        inside = {
            name
            for group, own in zip(groups, depth, strict=True)
            if own == level
            for name in passed
            if name in group.layers and name != structure.origin(group.layers[-1])
        }
        left = [name for name in chosen if name not in inside or name in {passed[0], last}]
        if len(left) < _HALF * count:
            break
        chosen = left
        if len(chosen) <= _SLACK * count:
            break
    return chosen


def _thinned(model: Model, given: Sequence[str], kept: set[str], count: int) -> list[str]:
    """Without those in the middle of the longest run of layers of one shape, or of one scale where shapes differ."""
    left = list(given)
    while len(left) > count:
        shapes = [model.layers[name].shape[1:] for name in left]
        runs = _runs(shapes)
        if max(map(len, runs)) < 3:
            runs = _runs([shape[1:] for shape in shapes])
        middles = [run[len(run) // 2] for run in sorted(runs, key=len, reverse=True)]
        free = [place for place in middles if left[place] not in kept]
        spare = free[0] if free else next(n for n, name in enumerate(left) if name not in kept)
        del left[spare]
    return left


def _runs(keys: Sequence[object]) -> list[list[int]]:
    """Places of neighbours with one key."""
    starts = [n for n in range(len(keys)) if n == 0 or keys[n] != keys[n - 1]]
    return [list(each) for each in np.split(np.arange(len(keys)), starts[1:])]
