"""Some of a result's images: which ones an index means, and their items of an array, a tuple or a mapping."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import namespace
from ..errors import ImageError

__all__ = ["NoSuchItemError", "items_at", "joined_provenance", "positions", "selected_provenance"]


class NoSuchItemError(ImageError, IndexError):
    """An index of an image or a row that a result does not have; an IndexError, which ends a loop over indices."""


def positions(index: Any, count: int, noun: str = "image") -> list[int]:
    """The places, from 0, that an index means: a number, a slice, or a list or array of numbers or of booleans.

    >>> positions(-1, 3), positions(slice(1, None), 3), positions([True, False, True], 3)
    ([2], [1, 2], [0, 2])

    Raises:
        NoSuchItemError: a number that is too large.
        ImageError: another kind of index, or one with more numbers or booleans than it may have.
    """
    if isinstance(index, slice):
        return list(range(count))[index]
    asked = np.asarray(index) if not isinstance(index, tuple | str) else np.asarray("")
    if asked.dtype == bool and asked.shape == (count,):
        return [int(n) for n in np.flatnonzero(asked)]
    if asked.ndim > 1 or not (np.issubdtype(asked.dtype, np.integer) or asked.size == 0) or isinstance(index, str):
        raise ImageError(
            f"cannot choose {noun}s by {index!r}: give a number, a slice, or a list of numbers or of {count} booleans"
        )
    chosen = [int(n) for n in np.atleast_1d(asked)]
    for n in chosen:
        if not -count <= n < count:
            have = f"{count} {noun}" + "s" * (count != 1)
            raise NoSuchItemError(f"no {noun} {n}: this result has {have}, counted from 0")
    return [n % count for n in chosen]


def items_at(values: Any, places: Sequence[int]) -> Any:
    """Rows of an array, or items of a tuple, at these places."""
    if isinstance(values, tuple | list):
        return type(values)(values[n] for n in places)
    first = places[0] if places else 0
    if list(places) == list(range(first, first + len(places))):
        return values[first : first + len(places), ...]
    xp = namespace(values)
    return xp.take(values, xp.asarray(list(places), device=values.device), axis=0)


def selected_provenance(provenance: Mapping[str, Any], places: Sequence[int], count: int) -> dict[str, Any]:
    """The provenance of some of `count` images: their own objectives and pictures, and which of how many they are.

    "selection" holds {"images": places in the batch that was explained, "of": how many that had}.
    """
    earlier = provenance.get("selection") or {"images": list(range(count)), "of": count}
    chosen = {**provenance, "selection": {"images": [earlier["images"][n] for n in places], "of": earlier["of"]}}
    for name in ("loading", "pictures"):
        if len(records := provenance.get(name) or ()) == count:
            chosen[name] = [records[n] for n in places]
    objectives = provenance.get("objectives")
    return _with_objectives(chosen, [objectives[n] for n in places]) if objectives else chosen


def joined_provenance(parts: Sequence[tuple[Mapping[str, Any], int]]) -> dict[str, Any]:
    """The provenance of several batches as one, each with its number of images: all objectives, the seconds of all."""
    first = dict(parts[0][0])
    if "seconds" in first:
        first["seconds"] = round(sum(each["seconds"] for each, _ in parts), 4)
    if selection := first.pop("selection", None):
        selections = [each.get("selection", {}) for each, _ in parts]
        if all(each.get("of") == selection["of"] for each in selections):
            first["selection"] = {**selection, "images": [n for each in selections for n in each["images"]]}
    if "objective" in first:
        own = [one for each, count in parts for one in each.get("objectives") or [each["objective"]] * count]
        first = _with_objectives(first, own)
    if any("loading" in each for each, _ in parts):
        first["loading"] = [one for each, count in parts for one in each.get("loading") or [None] * count]
    return first


def _with_objectives(provenance: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    """The provenance with the objective of each image: one text where all are the same."""
    if len(set(texts)) < 2:
        rest = {name: value for name, value in provenance.items() if name != "objectives"}
        return {**rest, "objective": texts[0]} if texts else rest
    return {**provenance, "objective": " | ".join(texts), "objectives": texts}
