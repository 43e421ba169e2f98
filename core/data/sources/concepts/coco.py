"""COCO's files of instances: pictures, categories, and annotations with polygons or run lengths."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ....errors import ImageError
from ....reading.array_file import one_line
from ....reading.text_file import read_json_file
from ...concepts import Concepts
from ..picture_files import PictureFiles
from .coco_masks import Segmentation, mask_of, parse_segmentation
from .concept_source import ConceptSource
from .label_maps import LabelMaps, Numbers, Size, in_planes, refuse_another_size

__all__ = ["CATEGORY", "coco_source"]

CATEGORY = "object"
"""Of all of COCO's categories: they are one vocabulary, of which an image may hold any."""
_FORMAT = 'COCO\'s file of instances is {"images": [...], "categories": [...], "annotations": [...]}'


class CocoMaps(LabelMaps):
    """The annotations of each picture: objects of one category joined, those of others on top of them in more planes.

    Crowds count as the others do: they are pixels of their category.
    """

    def __init__(self, concepts: Concepts, sizes: Sequence[Size], objects: Sequence[Sequence[Any]]) -> None:
        super().__init__(concepts)
        self._sizes = tuple(sizes)
        self._objects = tuple(tuple(each) for each in objects)
        """Of each picture (concept number, Segmentation), or the ImageError of what cannot be read."""

    def planes(self, index: int, size: Size) -> Sequence[Numbers]:
        if self._sizes[index] != size:
            refuse_another_size("its entry in COCO's file", self._sizes[index], size)
        size = self._sizes[index]
        return in_planes(((number, mask_of(each, size)) for number, each in self._valid(index)), size)

    def _valid(self, index: int) -> Sequence[tuple[int, Segmentation]]:
        for each in self._objects[index]:
            if isinstance(each, ImageError):
                raise ImageError(str(each))
        return self._objects[index]

    def digest(self, index: int) -> bytes:
        state = blake2b(f"{self._sizes[index]}".encode(), digest_size=16)
        for each in self._objects[index]:
            if isinstance(each, ImageError):
                state.update(str(each).encode())
                continue
            number, held = each
            state.update(f"{number} {isinstance(held, tuple)}\0".encode())
            for part in held if isinstance(held, tuple) else (held,):
                state.update(f"{part.shape}".encode() + part.tobytes())
        return state.digest()


def coco_source(
    path: Path, *, pictures: Path | None = None, resize: str | None = None, crop: float | None = None
) -> ConceptSource:
    """The source of a COCO file.

    Args:
        path: the file, instances_val2017.json.
        pictures: the folder that the file's names are in; looked for beside the file if not given.
        resize: as for `crosslens.data`.
        crop: as for `crosslens.data`.

    Raises:
        ImageError: it is another file, or its pictures are not found.
    """
    content = _content(path)
    try:
        concepts, numbers = _concepts(content["categories"])
        images = sorted(content["images"], key=lambda each: str(each["file_name"]))
        places = {each["id"]: place for place, each in enumerate(images)}
        sizes = [(int(each["height"]), int(each["width"])) for each in images]
        names = [str(each["file_name"]) for each in images]
        objects: list[list[Any]] = [[] for _ in images]
        for each in content["annotations"]:
            place = places[each["image_id"]]
            objects[place].append(_object(each, numbers, sizes[place]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f"'{path}' is incomplete ({type(error).__name__}: {one_line(error)}): each image has id, file_name, height "
            "and width, each annotation image_id, category_id and segmentation, and they are in the lists"
        ) from error
    folder = _pictures_of(path, names) if pictures is None else pictures
    source = PictureFiles(names, folder=folder, resize=resize, crop=crop)
    return ConceptSource(source, CocoMaps(concepts, sizes, objects))


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = read_json_file(path, ImageError, "file of instances")
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"'{path}' is not JSON that can be read ({error}); {_FORMAT}") from error
    missing = [
        name
        for name in ("images", "categories", "annotations")
        if not isinstance(content, dict) or not isinstance(content.get(name), list)
    ]
    if missing:
        raise ImageError(f"'{path}' has no list {', '.join(map(repr, missing))}; {_FORMAT}")
    if not content["images"]:
        raise ImageError(f"'{path}' names no pictures")
    return content  # type: ignore[no-any-return]


def _concepts(categories: Sequence[Mapping[str, Any]]) -> tuple[Concepts, Mapping[Any, int]]:
    """The concepts, and their numbers by COCO's own, which leave gaps."""
    ordered = sorted(categories, key=lambda each: int(each["id"]))
    concepts = Concepts.of({CATEGORY: [str(each["name"]) for each in ordered]})
    return concepts, {each["id"]: number for number, each in enumerate(ordered, 1)}


def _object(
    annotation: Mapping[str, Any], numbers: Mapping[Any, int], size: Size
) -> tuple[int, Segmentation] | ImageError:
    """The concept's number and the mask of an annotation; the error of one that cannot be read is its picture's."""
    what = f"its annotation {annotation.get('id', '')}".strip()
    try:
        if not annotation.get("segmentation"):
            raise ImageError(f"{what} has no segmentation, only a box: pixels are labelled by polygons or run lengths")
        if (category := annotation["category_id"]) not in numbers:
            raise ImageError(f"{what} is of category {category!r}, which the file's categories do not have")
        return numbers[category], parse_segmentation(annotation["segmentation"], size, what)
    except ImageError as error:
        return error


def _pictures_of(path: Path, names: Sequence[str]) -> Path:
    """The folder of the pictures: near the file, where the first names are found."""
    here, above = path.absolute().parent, path.absolute().parent.parent
    split = path.stem.rpartition("_")[2]
    tried = [here, here / "images", here / split, above / split, above / "images" / split, above / "images", above]
    for folder in tried:
        if any((folder / name).is_file() for name in names[:100]):
            return folder
    raise ImageError(
        f"no picture of '{path}' is found, '{names[0]}' for example, in {', '.join(map(str, dict.fromkeys(tried)))}: "
        "put them into images/ beside the file, or in Python crosslens.concept_data(file, pictures=FOLDER)"
    )
