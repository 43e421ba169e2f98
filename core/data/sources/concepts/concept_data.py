"""`crosslens.concept_data`: pictures with labelled pixels, from a folder, a file or arrays."""

import os
from pathlib import Path
from typing import Any

from ....errors import ImageError
from ...concepts import HasConcepts
from ...source import Source
from ..adapters import data
from .array_maps import ArrayMaps
from .coco import coco_source
from .concept_folder import concept_folder
from .concept_source import ConceptSource
from .named_concepts import LAYOUTS, named_concepts

__all__ = ["concept_data"]


def concept_data(
    images: Any,
    *,
    pictures: str | os.PathLike[str] | None = None,
    resize: str | None = None,
    crop: float | None = None,
) -> Source:
    """Pictures whose pixels are labelled with concepts, for `dissect` and for any other method over a data set.

    Args:
        images: a folder with images/, masks/CATEGORY/NAME.png and concepts.json; a folder in the style of VOC,
            JPEGImages and SegmentationClass; a folder like Broden's, with index.csv and label.csv; one like ADE20K's
            scene parsing set, images/, annotations/ and objectInfo150.txt; a file of COCO's, instances.json;
            (images, masks, names), where images are what `crosslens.data` takes, masks (N, H, W) or
            (N, planes, H, W) whole numbers, 0 for unlabelled, names a list from number 1 on, or both in mappings by
            category, {"shape": masks}, {"shape": ["disc", "square"]}; or a source that has concepts.
        pictures: the folder of the pictures that a COCO file names, if it is not near the file.
        resize: how pictures get to the model's size, as `crosslens.load_image` says; labels are resized alike.
        crop: of pictures, the share of the short side that is kept.

    Returns:
        A source with `concepts`; `record["concepts"]` holds label maps (planes, H, W), int32, 0 for none.

    Raises:
        ImageError: what is missing: masks, names, pictures.

    >>> import numpy as np
    >>> images, masks = np.zeros((2, 3, 8, 8), np.float32), np.ones((2, 8, 8), int)
    >>> source = concept_data((images, masks, ["disc", "square"]))
    >>> source.concepts
    <Concepts: 2 concepts, 2 of concept>
    """
    if pictures is not None:
        if not isinstance(images, str | os.PathLike) or Path(images).suffix.lower() != ".json":
            raise ImageError(
                "pictures= is the folder of a COCO file's pictures; give the file, instances.json, with it"
            )
        return coco_source(Path(images), pictures=Path(pictures), resize=resize, crop=crop)
    if isinstance(images, str | os.PathLike):
        return _named(Path(images), resize, crop)
    if isinstance(images, tuple) and len(images) == 3:
        source = data(images[0], resize=resize, crop=crop)
        return ConceptSource(source, ArrayMaps(images[1], images[2], len(source)))
    if isinstance(images, Source) and isinstance(images, HasConcepts):
        data(images, resize=resize, crop=crop)  # refuses options that it cannot follow
        return images
    raise ImageError(f"a {type(images).__name__} has no labelled pixels; give {LAYOUTS}, or (images, masks, names)")


def _named(path: Path, resize: str | None, crop: float | None) -> ConceptSource:
    if (found := named_concepts(path, resize=resize, crop=crop)) is not None:
        return found
    if (path / "images").is_dir():
        return concept_folder(path, resize=resize, crop=crop)
    state = "has no labelled pixels" if path.exists() else "does not exist"
    raise ImageError(f"'{path}' {state}; give {LAYOUTS}")
