"""Label maps in memory: arrays of numbers, one category or several, with names."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from ....arrays import as_numpy
from ....errors import ImageError
from .concept_names import ANY, Numbering, names_by_number
from .label_maps import LabelMaps, Numbers, Size, refuse_another_size

__all__ = ["ArrayMaps"]


class ArrayMaps(LabelMaps):
    """Masks (N, H, W), or (N, planes, H, W), of numbers, 0 for unlabelled; several categories in a mapping."""

    def __init__(self, masks: Any, names: Any, count: int) -> None:
        by_category = dict(masks) if isinstance(masks, Mapping) else {ANY: masks}
        single = ANY in by_category and len(by_category) == 1
        named = {ANY: names} if single and not (isinstance(names, Mapping) and ANY in names) else names
        if not isinstance(named, Mapping) or (missing := [name for name in by_category if name not in named]):
            which = "" if not isinstance(named, Mapping) else f" {missing[0]!r}"
            raise ImageError(
                f"masks of the categories {', '.join(map(str, by_category))} need names for each, and{which} has none: "
                'give {"shape": ["disc", "square"]}, number 1 the first'
            )
        self._numbering = Numbering(
            {name: names_by_number(named[name], f"the category {name!r}") for name in by_category}
        )
        super().__init__(self._numbering.concepts)
        self._masks = {name: _masks(each, name, count) for name, each in by_category.items()}

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        found = []
        for category, masks in self._masks.items():
            for plane in masks[index]:
                what = f"its mask of {category!r}"
                refuse_another_size(what, plane.shape, size)
                found.append(self._numbering.of(category, plane.astype(np.int64), what))
        return found

    def digest(self, index: int) -> bytes:
        state = blake2b(digest_size=16)
        for category, masks in self._masks.items():
            values = masks[index]
            state.update(f"{category} {values.dtype}{values.shape}\0".encode() + np.ascontiguousarray(values).tobytes())
        return state.digest()


def _masks(masks: Any, category: str, count: int) -> Numbers:
    """(N, planes, H, W) of whole numbers."""
    try:
        values = as_numpy(masks) if hasattr(masks, "__dlpack__") else np.asarray(masks)
    except ValueError as error:
        raise ImageError(f"the masks of {category!r} are no array of one size ({error})") from error
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or len(values) != count or values.dtype.kind not in "biu":
        raise ImageError(
            f"the masks of {category!r} are {values.dtype} of shape {values.shape}; for {count} images they are whole "
            f"numbers ({count}, H, W), or ({count}, planes, H, W)"
        )
    return values
