"""The concept groups of one picture: units of a layer that act together, where, and with what effect."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...concepts.neuron_groups import NeuronGroups
from ...errors import CrosslensError
from ...execution.notices import withhold
from ...plugins.method_by_name import method
from ..book import Book
from ..data_urls import picture_url

__all__ = ["concept_groups"]

GROUPS = 6
ITERATIONS = 100
"""For one picture: masks of three photographs are those of 400 to three digits, in half the time."""
UNITS = 6
"""Units that are named of a group."""
OPAQUE = 200
"""Of 255, where a group acts most."""


def concept_groups(book: Book, image: Array) -> Mapping[str, Any] | None:
    """`ConceptGroups` of data.ts; None where the network has no layer with maps, or nothing to group.

    Args:
        book: for the network.
        image: (1, C, H, W).
    """
    try:
        with withhold():
            found = method("concept_groups", groups=GROUPS, iterations=ITERATIONS, visualise=False)(
                book.model, as_numpy(image)
            )
    except CrosslensError:  # tokens without a grid, a layer that is nowhere above zero: there are no groups to show
        return None
    assert isinstance(found, NeuronGroups)
    masks, factors, effects = found.upsampled(0), as_numpy(found.factors), as_numpy(found.removals)[0]
    return {
        "layer": book.ids[found.layer],
        "groups": [
            {
                "map": picture_url(_veil(masks[k], found.colours[k])),
                "units": _units(factors[k]),
                "effect": float(effects[k]),
            }
            for k in range(len(factors))
        ],
    }


def _units(factor: np.ndarray[Any, Any]) -> list[tuple[int, float]]:
    order = np.argsort(-factor, kind="stable")[:UNITS]
    return [(int(unit), float(factor[unit])) for unit in order if factor[unit] > 0]


def _veil(mask: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """(H, W, 4), uint8: the group's colour, as opaque as its mask is large."""
    veil = np.empty((*mask.shape, 4), np.uint8)
    veil[..., :3] = colour
    veil[..., 3] = (OPAQUE * mask / mask.max()).round() if mask.max() > 0 else 0
    return veil
