"""Folders in the style of PASCAL VOC: JPEGImages/NAME.jpg, and SegmentationClass/NAME.png with a palette."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ....errors import ImageError
from ....metadata.preprocess_json import MOST_BYTES
from ....reading.text_file import read_text
from ..picture_files import SUFFIXES, PictureFiles
from ..picture_folder import files_inside
from .concept_names import Numbering, names_in_folder
from .concept_source import ConceptSource
from .label_maps import LabelMaps, Numbers, Size
from .mask_files import MASKS, mask_digest, numbers_of, read_mask

__all__ = ["CLASSES", "is_voc", "voc_colours", "voc_source"]

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""VOC's classes from number 1 on; 0 is the background, and 255 the border that nobody labelled."""
CATEGORY = "object"
VOID = 255
_PICTURES, _MASKS = "JPEGImages", "SegmentationClass"


class VocMaps(LabelMaps):
    """The masks in SegmentationClass: palette pictures, or the same colours without a palette."""

    def __init__(self, folder: Path, files: Sequence[str], colours: Mapping[tuple[int, ...], int], left: int) -> None:
        found = dict(names_in_folder(folder))
        names = next(iter(found.values())) if found else _label_names(folder)
        self._numbering = Numbering({CATEGORY: names})
        super().__init__(self._numbering.concepts)
        self._files = tuple((folder / _MASKS).absolute() / each for each in files)
        self._colours, self._left = colours, left
        self._folder = folder

    @property
    def notes(self) -> tuple[str, ...]:
        text = f"{self._left} pictures in '{self._folder / _PICTURES}' have no mask in {_MASKS}: left out"
        return (text,) * bool(self._left)

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        path = self._files[index]
        mask = read_mask(path, size)
        numbers = self._by_colour(mask, path) if mask.mode in {"RGB", "RGBA"} else numbers_of(mask, path)
        return [self._numbering.of(CATEGORY, numbers, f"'{path}'", VOID)]

    def _by_colour(self, mask: Image.Image, path: Path) -> Numbers:
        pixels = np.asarray(mask.convert("RGB")).astype(np.int64)
        codes = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
        held, where = np.unique(codes, return_inverse=True)
        rgb = [(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in held]
        if unknown := [each for each in rgb if each not in self._colours]:
            raise ImageError(
                f"'{path}' holds the colour {unknown[0]}, which no class has: VOC's palette or labelmap.txt says them"
            )
        return np.array([self._colours[each] for each in rgb])[where].reshape(codes.shape)

    def digest(self, index: int) -> bytes:
        return mask_digest(self._files[index])


def is_voc(folder: Path) -> bool:
    """Whether it is laid out so."""
    return (folder / _PICTURES).is_dir() and (folder / _MASKS).is_dir()


def voc_source(folder: Path, *, resize: str | None = None, crop: float | None = None) -> ConceptSource:
    """The pictures of such a folder that have a mask.

    Names are VOC's twenty classes; concepts.json, or labelmap.txt as CVAT writes it, names others.

    Args:
        folder: holds JPEGImages and SegmentationClass.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: no picture has a mask.
    """
    pictures = sorted(files_inside(folder / _PICTURES, SUFFIXES))
    masks = {str(Path(name).with_suffix("")): name for name in files_inside(folder / _MASKS, MASKS)}
    pairs = [(name, masks[stem]) for name in pictures if (stem := str(Path(name).with_suffix(""))) in masks]
    if not pairs:
        raise ImageError(
            f"no picture in '{folder / _PICTURES}' has a mask of its name, NAME.png, in '{folder / _MASKS}': there are "
            f"{len(pictures)} pictures and {len(masks)} masks"
        )
    source = PictureFiles([name for name, _ in pairs], folder=folder / _PICTURES, resize=resize, crop=crop)
    left = len(pictures) - len(pairs)
    return ConceptSource(source, VocMaps(folder, [mask for _, mask in pairs], _colours(folder), left))


def voc_colours(count: int = 256) -> Sequence[tuple[int, ...]]:
    """VOC's palette: bits 0, 3, 6 of the number are the highest of red, bits 1, 4, 7 of green, bits 2, 5 of blue.

    >>> voc_colours(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    return tuple(
        tuple(sum((n >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3)) for channel in range(3))
        for n in range(count)
    )


def _labelmap(folder: Path) -> Sequence[tuple[str, tuple[int, ...]]]:
    """The classes and colours of labelmap.txt, "name:red,green,blue::" a line; nothing where there is none."""
    path = folder / "labelmap.txt"
    if not path.exists():
        return ()
    text = read_text(path, ImageError, "list of labels", MOST_BYTES)
    try:
        lines = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
        return [(line[0], tuple(int(n) for n in line[1].split(","))) for line in lines]
    except (ValueError, IndexError) as error:
        raise ImageError(f"'{path}' is not a list of name:red,green,blue:: ({error})") from error


def _label_names(folder: Path) -> Mapping[int, str]:
    named = [name for name, _ in _labelmap(folder) if name != "background"]
    return dict(enumerate(named or CLASSES, 1))


def _colours(folder: Path) -> Mapping[tuple[int, ...], int]:
    """The number of each colour."""
    given = _labelmap(folder)
    if not given:
        return {colour: number for number, colour in enumerate(voc_colours())}
    numbers = {name: number for number, name in _label_names(folder).items()}
    return {colour: numbers.get(name, 0) for name, colour in given}
