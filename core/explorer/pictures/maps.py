"""The maps of several methods on one picture, drawn over it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import CrosslensError
from ...execution.notices import withhold
from ...model.base import Model
from ...plugins.method_by_name import method
from ...result import Attribution
from ..data_urls import picture_url

__all__ = ["drawn_maps"]


def drawn_maps(model: Model, image: Array, methods: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """For each method its map of the predicted class, as `PicturePage.maps` of data.ts.

    A method that this network refuses has its reason in `note`, and no image.

    Args:
        model: the network.
        image: (1, C, H, W).
        methods: names.
    """
    return [_drawn(model, image, name) for name in methods]


def _drawn(model: Model, image: Array, name: str) -> Mapping[str, Any]:
    try:
        with withhold():
            result = method(name)(model, image)
    except CrosslensError as error:
        return {"method": name, "target": "", "image": None, "note": str(error)}
    assert isinstance(result, Attribution)  # `explore` refuses methods that give something else
    target = str(result.provenance.get("objective", ""))
    image_url = picture_url(np.ascontiguousarray(result.drawn(0)))
    return {"method": name, "target": target, "image": image_url, "note": " ".join(result.notes)}
