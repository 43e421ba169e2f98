"""Which positions of a layer are shown: named, the strongest, or all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.errors import ParameterError

__all__ = ["read_positions", "strongest_positions"]

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
        "((2, 3), (4, 5)), or 'all', or leave it out for the strongest"
    )


def strongest_positions(activations: Numbers, asked: Any, count: int, layer: str) -> tuple[Place, ...]:
    """The positions to show of one picture.

    Args:
        activations: (C, h, w).
        asked: what the user gave; None for the `count` positions of the longest activations, in falling order.
        count: as many, or as there are.
        layer: for messages.

    Raises:
        ParameterError: a position that the layer does not have.
    """
    height, width = activations.shape[1:]
    if asked is None:
        norms = np.linalg.norm(activations.astype(np.float64), axis=0).ravel()
        best = np.argsort(-norms, kind="stable")[:count]
        return tuple((int(n) // width, int(n) % width) for n in best)
    places = read_positions(asked)
    if isinstance(places, str):
        return tuple((y, x) for y in range(height) for x in range(width))
    _check(places, (height, width), layer)
    return places


def _check(places: Sequence[Place], shape: tuple[int, int], layer: str) -> None:
    for y, x in places:
        if not (0 <= y < shape[0] and 0 <= x < shape[1]):
            raise ParameterError(
                f"there is no position {y},{x}: layer {layer!r} has {shape[0]} rows and {shape[1]} columns, 0,0 to "
                f"{shape[0] - 1},{shape[1] - 1}"
            )
