"""Data sets of other packages, told apart by what they can do, as a `Source`."""

from collections.abc import Mapping
from typing import Any

from ....errors import ImageError
from ...source import Source
from .indexed_items import IndexedItems
from .streamed_items import StreamedItems
from .table_rows import TableArrays, TableRows, has_pictures

__all__ = ["object_source"]


def object_source(images: Any, *, resize: str | None, crop: float | None) -> Source:
    """The source of a data set of another package.

    Args:
        images: a table with named columns, one split of Hugging Face's `datasets`; a PyTorch data set with a length and
            items by index; a TensorFlow pipeline with an end.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: it is something else, or one of these that has no images by index, with what to give instead.
    """
    name = type(images).__name__
    if isinstance(images, Mapping):
        if images and all(hasattr(each, "column_names") for each in images.values()):
            splits = ", ".join(map(str, images))
            first = next(iter(images))
            raise ImageError(f"this {name} has the splits {splits}: choose one, crosslens.data(dataset[{first!r}])")
        raise ImageError(f"a {name} is not a source of images: give (images, labels), or a list of images")
    if hasattr(images, "cardinality") and hasattr(images, "as_numpy_iterator"):
        return StreamedItems(images, resize=resize, crop=crop)
    if hasattr(images, "dataset") and hasattr(images, "collate_fn"):
        raise ImageError(f"a {name} gives batches in an order of its own: give its data set, loader.dataset")
    if not hasattr(images, "__len__") or any(each.__name__.startswith("Iterable") for each in type(images).__mro__):
        if hasattr(images, "__iter__"):
            raise ImageError(
                f"a {name} has no images by index, only an order: give a data set with a length and items, or a list "
                "of what it gives"
            )
    elif hasattr(images, "column_names") and hasattr(images, "with_format"):
        if has_pictures(images):
            return TableRows(images, resize=resize, crop=crop)
        kind = IndexedItems if images.format["type"] == "custom" else TableArrays
        return kind(images, resize=resize, crop=crop)
    elif hasattr(images, "__getitem__") and not isinstance(images, str | bytes):
        if not len(images):
            raise ImageError(f"this {name} holds no images")
        return IndexedItems(images, resize=resize, crop=crop)
    raise ImageError(
        f"{name} is not a source of images: give a folder of pictures, an array (N, C, H, W), a list of pictures, a "
        "data set with a length and items, or a crosslens.Source"
    )
