"""Folders and files with labelled pixels, told apart by what they hold."""

from pathlib import Path

from .broden import broden_source, is_broden
from .coco import coco_source
from .concept_folder import concept_folder, is_concept_folder
from .concept_source import ConceptSource
from .voc import is_voc, voc_source

__all__ = ["LAYOUTS", "named_concepts"]

LAYOUTS = (
    "a folder with images/, masks/CATEGORY/NAME.png and concepts.json, a folder in the style of VOC (JPEGImages, "
    "SegmentationClass) or Broden (index.csv, label.csv), or a COCO file of instances (.json)"
)


def named_concepts(path: Path, *, resize: str | None, crop: float | None) -> ConceptSource | None:
    """The source of a folder or a file with labelled pixels; None where it is another one.

    Args:
        path: the folder or the file.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: it is one, and something is missing in it.
    """
    if path.is_file() and path.suffix.lower() == ".json":
        return coco_source(path, resize=resize, crop=crop)
    for fits, source in ((is_voc, voc_source), (is_broden, broden_source), (is_concept_folder, concept_folder)):
        if path.is_dir() and fits(path):
            return source(path, resize=resize, crop=crop)
    return None
