"""Folders and files with labelled pixels, told apart by what they hold."""

from pathlib import Path

from .ade import ade_source, is_ade
from .broden import broden_source, is_broden
from .coco import coco_source
from .concept_folder import concept_folder, is_concept_folder
from .concept_source import ConceptSource
from .voc import is_voc, voc_source

__all__ = ["LAYOUTS", "named_concepts"]

LAYOUTS = (
    "a folder with images/, masks/CATEGORY/NAME.png and concepts.json, a folder in the style of VOC (JPEGImages, "
    "SegmentationClass), Broden (index.csv, label.csv) or ADE20K (images, annotations, objectInfo150.txt), or a COCO "
    "file of instances (.json)"
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
    kinds = (
        (is_voc, voc_source), (is_broden, broden_source), (is_ade, ade_source), (is_concept_folder, concept_folder),
    )  # fmt: skip
    for fits, source in kinds:
        if path.is_dir() and fits(path):
            return source(path, resize=resize, crop=crop)
    return None
