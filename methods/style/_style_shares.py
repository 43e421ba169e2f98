"""The shares of the styles of a network of many: from text, and those that a model holds."""

from typing import Any

import numpy as np
from crosslens.errors import ParameterError
from crosslens.method.unit_range import UnitRange
from crosslens.model import Model
from crosslens.model.other_inputs import STYLE_WEIGHTS


def style_shares(text: str, count: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """The shares that a text such as 7, or 3:0.7,7:0.3, gives the styles of a network, (count,), with a sum of 1.

    Raises:
        ParameterError: no such text, no such style, or shares that are negative or all 0.
    """
    shares = np.zeros(count)
    for part in str(text).split(","):
        number, colon, share = part.partition(":")
        try:
            style, weight = int(number), float(share) if colon else 1.0
        except ValueError as error:
            raise ParameterError(
                f"styles is {text!r}; write numbers of styles, each with its share or without, 7 or 3:0.7,7:0.3"
            ) from error
        if not 0 <= style < count:
            raise ParameterError(f"styles names {style}; this network has {count} styles, 0 to {count - 1}")
        if not 0 <= weight < float("inf"):
            raise ParameterError(f"styles gives style {style} the share {share}; shares are numbers from 0 on")
        shares[style] += weight
    if not shares.sum() > 0:
        raise ParameterError(f"styles is {text!r}, with a sum of 0; give one of them a share above 0")
    return np.asarray(shares / shares.sum(), np.float32)


def held_evenly(model: Model) -> int:
    """The number of styles where a model holds equal shares of several; else 0."""
    inner = model.model if isinstance(model, UnitRange) else model
    held = np.asarray(inner.fixed_inputs.get(STYLE_WEIGHTS, ())).ravel()
    return held.size if held.size > 1 and np.ptp(held) == 0 else 0
