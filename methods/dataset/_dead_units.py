"""Notes on units that are dead, or nearly."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["dead_unit_notes"]

Numbers = np.ndarray[Any, Any]
NAMED = 8
"""Dead units of a layer, or layers with dead units, that a note names; the table has all."""


def dead_unit_notes(rows: Mapping[str, Mapping[str, Numbers]], nearly: float) -> Iterator[str]:
    """A note on dead units, and one on nearly dead ones: it names the units where they are all of one layer.

    Args:
        rows: by layer, the columns "unit", "dead" and "nearly_dead".
        nearly: the share of zeros above which a unit is nearly dead.
    """
    words = {"dead": "dead, never above zero", "nearly_dead": f"zero in over {nearly:.4g} of all values"}
    for column, text in words.items():
        units = {layer: np.flatnonzero(each[column]) for layer, each in rows.items() if each[column].any()}
        counts = [f"{layer!r} {len(each)} of {len(rows[layer]['unit'])}" for layer, each in units.items()]
        if len(units) == 1:
            ((layer, own),) = units.items()
            yield f"{len(own)} of {len(rows[layer]['unit'])} units of {layer!r} are {text}: {_first(own)}"
        elif units:
            found, named = sum(map(len, units.values())), _first(counts)
            yield f"{found} units in {len(units)} of {len(rows)} layers are {text} (column {column!r}): {named}"


def _first(names: Any) -> str:
    return ", ".join(map(str, names[:NAMED])) + ", ..." * (len(names) > NAMED)
