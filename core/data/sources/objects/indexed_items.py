"""Data sets with a length and items by index, as PyTorch's map-style ones: their items one by one."""

from collections.abc import Sequence
from typing import Any

from .items import Items

__all__ = ["IndexedItems"]


class IndexedItems(Items):
    """Items by index: images, (image, label), or mappings. Ids are "0", "1", ...

    Numbers as labels become the names that the data set's attribute `classes` has, its own or that of the one that it
    is a part of.
    """

    def _read_item(self, index: int) -> Any:
        return self._items[index]

    @property
    def _classes(self) -> Sequence[str] | None:
        inside = self._items
        while inside is not None:
            names = getattr(inside, "classes", None)
            if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
                return names
            inside = getattr(inside, "dataset", None)
        return None
