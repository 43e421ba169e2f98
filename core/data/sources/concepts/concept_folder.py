"""A folder of pictures and masks: images/, masks/CATEGORY/NAME.png, and the names of the numbers in concepts.json.

images/0001.jpg             sub-folders are the class of the whole picture, as in any folder of pictures
masks/shape/0001.png        a number for each pixel; 0, and 255 (of 16 bits 65535), are unlabelled
masks/shape.2/0001.png      more concepts of this category, which overlap the first ones
concepts.json               {"shape": {"1": "disc", "2": "square"}}; or concepts.csv: category,number,name
labels.csv                  of whole pictures, if there are such: image,label,scene
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath

import numpy as np

from ....errors import ImageError
from ..picture_folder import PictureFolder, files_inside
from .concept_names import ANY, Names, Numbering, names_in_folder
from .concept_source import ConceptSource
from .label_maps import LabelMaps, Numbers, Size
from .mask_files import MASKS, mask_digest, mask_void, numbers_of, read_mask
from .whole_pictures import whole_pictures

__all__ = ["concept_folder", "is_concept_folder"]


@dataclass(frozen=True)
class _Masks:
    """The masks of one plane."""

    category: str
    folder: Path
    files: Mapping[str, str]
    """By the name without its ending."""


class FolderMaps(LabelMaps):
    """The masks of a folder, and what is known of whole pictures."""

    def __init__(self, folder: Path, ids: Sequence[str]) -> None:
        self._folder = folder.absolute()
        self._stems = [_stem(each) for each in ids]
        self._whole = whole_pictures(folder, ids)
        found = _mask_folders(folder)
        self._numbering = Numbering(self._names(_named(folder, found)))
        super().__init__(self._numbering.concepts)
        self._masks = tuple(_Masks(category, place.absolute(), _files(place)) for category, place in found)
        if self._masks and not any(stem in each.files for stem in self._stems for each in self._masks):
            raise ImageError(
                f"no picture of '{folder / 'images'}' has a mask of its name: '{ids[0]}' needs "
                f"'{self._masks[0].folder / self._stems[0]}.png'"
            )

    def _names(self, masks: Names) -> Names:
        """Those of the masks and those of whole pictures."""
        whole = self._whole.names
        if not masks and not whole:
            raise ImageError(
                f"'{self._folder}' labels nothing: it holds neither masks/CATEGORY/NAME.png nor labels.csv with a "
                "column such as scene, and images/ has no sub-folders, which would be classes"
            )
        if both := [name for name in masks if name in whole]:
            raise ImageError(
                f"'{self._folder}' labels {both[0]!r} twice, in masks and as a whole in labels.csv or by sub-folders: "
                "rename one"
            )
        return {**masks, **whole}

    @property
    def notes(self) -> tuple[str, ...]:
        known = set(self._stems)
        left = sum(stem not in known for each in self._masks for stem in each.files)
        return (f"{left} masks in '{self._folder / 'masks'}' have no picture of their name: left out",) * bool(left)

    def label(self, index: int) -> str | None:
        return self._whole.labels[index]

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        whole = [np.full(size, self.concepts.number(name, kind), np.int32) for kind, name in self._whole.of[index]]
        masks = self._paths(index)
        if not masks and not whole:
            raise ImageError(
                f"it has no mask: there is no '{self._folder / 'masks' / '*' / self._stems[index]}.png', and no mask "
                "at all of a picture means nobody looked; where nothing is labelled, save one of zeros"
            )
        return [*(self._plane(category, path, size) for category, path in masks), *whole]

    def _plane(self, category: str, path: Path, size: Size) -> Numbers:
        mask = read_mask(path, size)
        return self._numbering.of(category, numbers_of(mask, path), f"'{path}'", mask_void(mask))

    def _paths(self, index: int) -> list[tuple[str, Path]]:
        stem = self._stems[index]
        return [(each.category, each.folder / each.files[stem]) for each in self._masks if stem in each.files]

    def digest(self, index: int) -> bytes:
        state = blake2b(f"{self._whole.of[index]}".encode(), digest_size=16)
        for category, path in self._paths(index):
            digest = mask_digest(path)
            state.update(f"{category}\0".encode() + digest if digest else b"\0")
        return state.digest()


def concept_folder(folder: Path, *, resize: str | None = None, crop: float | None = None) -> ConceptSource:
    """The source of such a folder.

    Args:
        folder: holds images/, and masks/ or labels.csv.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: what is missing.
    """
    pictures = PictureFolder(folder / "images", resize=resize, crop=crop)
    return ConceptSource(pictures, FolderMaps(folder, pictures.ids))


def _stem(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()


def _mask_folders(folder: Path) -> list[tuple[str, Path]]:
    """The category and the folder of each plane; masks/ itself where it holds masks directly."""
    masks = folder / "masks"
    if not masks.is_dir():
        return []
    if any(path.suffix.lower() in MASKS and path.is_file() for path in masks.iterdir()):
        return [(ANY, masks)]
    inside = sorted(path for path in masks.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not inside:
        raise ImageError(f"'{masks}' holds no masks: they are masks/CATEGORY/NAME.png, for images/NAME.jpg")
    return [(_category(path.name), path) for path in inside]


def _category(name: str) -> str:
    """
    >>> _category("part.2"), _category("part")
    ('part', 'part')
    """
    stem, point, number = name.rpartition(".")
    return stem if point and number.isdecimal() else name


def _named(folder: Path, masks: Sequence[tuple[str, Path]]) -> Names:
    """The names of the categories that have masks."""
    names = dict(names_in_folder(folder))
    wanted = list(dict.fromkeys(category for category, _ in masks))
    if wanted == [ANY] and len(names) == 1 and ANY not in names:
        names = {ANY: next(iter(names.values()))}
    for category in wanted:
        if category not in names:
            says = f"names {', '.join(names)} only" if names else "is missing"
            example = f'{{"{category}": {{"1": "disc", "2": "square"}}}}'
            raise ImageError(
                f"'{folder}' has masks of {category!r}, numbers without names: concepts.json there {says}; right is "
                f"{example}. For the pictures alone give '{folder / 'images'}'"
            )
    return {category: names[category] for category in wanted}


def _files(folder: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name in sorted(files_inside(folder, MASKS)):
        if (stem := _stem(name)) in found:
            raise ImageError(f"'{folder}' holds two masks of one name, {found[stem]} and {name}: keep one")
        found[stem] = name
    return found


def is_concept_folder(folder: Path) -> bool:
    """Whether it is laid out so: images/, and beside it masks/ or names of concepts."""
    beside = [folder / name for name in ("masks", "concepts.json", "concepts.csv")]
    return (folder / "images").is_dir() and any(path.exists() for path in beside)
