"""Which positions of a layer are shown: named, those that contribute most to the target, or all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.errors import ParameterError

__all__ = ["chosen_positions", "read_positions"]

Numbers = np.ndarray[Any, Any]
Place = tuple[int, int]


def read_positions(given: Any) -> str | tuple[Place, ...]:
    """ "all", or positions (row, column), of text "2,3;4,5" or of pairs of numbers.

    Raises:
        ParameterError: it is neither.
    """
    if given == "all":
        return "all"
    try:
        pairs = [part.split(",") for part in given.split(";")] if isinstance(given, str) else list(given)
        places = tuple((int(row), int(column)) for row, column in pairs)
    except (TypeError, ValueError) as error:
        raise _wrong(given) from error
    if not places or len(set(places)) < len(places):
        raise _wrong(given)
    return places


def _wrong(given: Any) -> ParameterError:
    return ParameterError(
        f"positions is {given!r}; give rows and columns of the layer, each position once, '2,3;4,5' or "
        "((2, 3), (4, 5)), or 'all', or leave it out for those that contribute most"
    )


def chosen_positions(
    activations: Numbers, contributions: Numbers, asked: Any, count: int, layer: str
) -> tuple[Place, ...]:
    """The positions to show of one picture.

    Args:
        activations: (C, h, w).
        contributions: (C, h, w), activation times gradient.
        asked: what the user gave; None for `count` positions that contribute most to the target, spread apart.
        count: as many, or as there are.
        layer: for messages.

    Raises:
        ParameterError: a position that the layer does not have.
    """
    height, width = activations.shape[1:]
    if asked is None:
        return _spread(contributions.sum(axis=0, dtype=np.float64), np.linalg.norm(activations, axis=0), count)
    places = read_positions(asked)
    if isinstance(places, str):
        return tuple((y, x) for y in range(height) for x in range(width))
    _check(places, (height, width), layer)
    return places


def _spread(values: Numbers, lengths: Numbers, count: int) -> tuple[Place, ...]:
    """The positions of the largest values (h, w), none next to a larger one that was taken, as far as there are such.

    What is next to it is a square round it, half as wide as the share of one position of `count`; of equal values the
    one with the larger length goes first.
    """
    order = np.lexsort((-lengths.ravel(), -values.ravel()))
    gap = max(1, int(np.sqrt(values.size / count) / 2))
    taken, beside = list[Place](), list[Place]()
    for n in order:
        y, x = divmod(int(n), values.shape[1])
        near = any(max(abs(y - other[0]), abs(x - other[1])) <= gap for other in taken)
        (beside if near or len(taken) == count else taken).append((y, x))
    return tuple([*taken, *beside][:count])


def _check(places: Sequence[Place], shape: tuple[int, int], layer: str) -> None:
    for y, x in places:
        if not (0 <= y < shape[0] and 0 <= x < shape[1]):
            raise ParameterError(
                f"there is no position {y},{x}: layer {layer!r} has {shape[0]} rows and {shape[1]} columns, 0,0 to "
                f"{shape[0] - 1},{shape[1] - 1}"
            )
