"""Which images are asked for: of the data by place or id, or pictures from elsewhere."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.sources import adapters
from ..data.sources.contents import is_array
from ..errors import ImageError, ParameterError, did_you_mean
from ..limits.whole_numbers import is_whole_number
from ..model.base import Model
from ..picture_run.picture_list import find_pictures, is_pattern
from .gather import Gather
from .search import Asked, Images

__all__ = ["asked_images", "refuse_unknown"]

Numbers = np.ndarray[Any, Any]
COMPARED = 10_000
"""Ids among which a similar one is looked for."""


def asked_images(
    wanted: Any, images: Images, model: Model | None, gather: Gather | None, fitting: Mapping[str, Any]
) -> Asked:
    """The images that somebody asks for.

    Args:
        wanted: one or several of: an id of the data, a place in it, a file, a folder, a pattern; or pictures in memory
            as `crosslens.data` takes them. Text is an id where the data has it, else a place where it is a number, else
            a file: "./7" is a file even so.
        images: the data.
        model: computes features of pictures from elsewhere; None where there are none.
        gather: of the same model.
        fitting: `resize` and `crop` of pictures in files.

    Raises:
        ImageError: no image, file or place of this name, or a file that cannot be read.
        ParameterError: pictures from elsewhere, and no model.
    """
    if isinstance(wanted, np.ndarray) and wanted.ndim < 2 and wanted.dtype.kind in "iuU":
        wanted = wanted.reshape(-1).tolist()
    if not _is_named(wanted):
        return _outside(_pictures(wanted, model), model, gather, {})
    named = [wanted] if isinstance(wanted, str | int | np.integer | os.PathLike) else list(wanted)
    if not named:
        raise ParameterError("query is empty; name one image or more: an id or a place in the data, or a file")
    known = {str(name): number for number, name in enumerate(images.ids.tolist())}
    named = _with_commas(named, known)
    found = [_known(each, known, images) for each in named]
    parts: list[Asked] = []
    for each, number in zip(named, found, strict=True):
        parts.append(_inside(images, number) if number is not None else _files(each, known, model, gather, fitting))
    return _joined(parts)


def refuse_unknown(wanted: Sequence[str], ids: Sequence[str]) -> None:
    """Refuse names that are no id of the data, no place in it and no file, before any work.

    Raises:
        ImageError: the first such name.
    """
    known = set(ids) if wanted else set()
    for each in _with_commas(wanted, known):
        if each in known:
            continue
        if _is_place(each) and not 0 <= int(each) < len(ids):
            raise ImageError(
                f"query {each}: places in the data are 0 to {len(ids) - 1}; for a file of this name write ./{each}"
            )
        if not _is_place(each):
            _check_file(each, ids)


def _is_place(text: str) -> bool:
    return is_whole_number(text.removeprefix("-"))


def _check_file(each: Any, ids: Sequence[str]) -> None:
    if not Path(each).exists() and not is_pattern(each):
        hint = did_you_mean(str(each), [str(name) for name in ids[:COMPARED]])
        raise ImageError(
            f"query {str(each)!r}: no image of the data that can be read has this id, and no such file exists.{hint}"
        )


def _is_named(wanted: Any) -> bool:
    one = (str, int, np.integer, os.PathLike)
    return isinstance(wanted, one) or (isinstance(wanted, list | tuple) and all(isinstance(n, one) for n in wanted))


def _pictures(wanted: Any, model: Model | None) -> Any:
    """Pictures in memory; an array of one alone as a list of it.

    Of three axes it is one picture; for a network of grey ones of two, and of three if the last is its only channel.
    """
    if model is None or not is_array(wanted):
        return wanted
    shape, expected = tuple(wanted.shape), model.input.example_shape
    grey = len(expected) == 3 and expected[0] == 1
    one = len(shape) == 2 or (len(shape) == 3 and shape[-1] == 1) if grey else len(shape) == len(expected)
    return [wanted] if one else wanted


def _with_commas(named: Sequence[Any], known: Collection[str]) -> list[Any]:
    """Names in texts with commas between them, which a name may hold too: as many pieces as make an id or a file.

    Raises:
        ParameterError: one is empty.
    """
    parts: list[Any] = []
    for each in named:
        parts += each.split(",") if isinstance(each, str) and not _is_there([each], known) else [each]
    if any(isinstance(each, str) and not each.strip() for each in parts):
        raise ParameterError(
            f"query holds an empty name: {','.join(map(str, named))!r}; name images: 3,cat.png for example"
        )
    joined: list[Any] = []
    at = 0
    while at < len(parts):
        first = parts[at]
        alone = not isinstance(first, str) or _is_place(first.strip()) or _is_there([first], known)
        ends = () if alone else range(len(parts), at + 1, -1)
        end = next((end for end in ends if _is_there(parts[at:end], known)), at + 1)
        one = first if end == at + 1 else ",".join(parts[at:end])
        joined.append(one.strip() if isinstance(one, str) and not _is_there([one], known) else one)
        at = end
    return joined


def _is_there(pieces: Sequence[Any], known: Collection[str]) -> bool:
    """Whether pieces, with commas between them, are an id or a file."""
    if not all(isinstance(each, str) for each in pieces):
        return False
    name = ",".join(pieces)
    return name in known or Path(name).exists()


def _known(each: Any, known: Mapping[str, int], images: Images) -> int | None:
    """The number of an image of the data; None for a file."""
    if isinstance(each, str) and each in known:
        return known[each]
    if isinstance(each, os.PathLike) or not _is_place(str(each)):
        return None
    place = int(each)
    number = int(np.searchsorted(images.index, place))
    if number == len(images.index) or images.index[number] != place:
        last = int(images.index[-1])
        unread = "the image at this place could not be read"
        wrong = unread if 0 <= place <= last else f"places in the data are 0 to {last}"
        raise ImageError(f"query {place}: {wrong}; for a file of this name write ./{each}")
    return number


def _inside(images: Images, number: int) -> Asked:
    one = np.array([number])
    place = images.index[one]
    few = Images(
        np.arange(1),
        images.ids[one],
        images.labels[one],
        images.pixels[one],
        np.asarray(images.features[place]),
        None if images.thumbnails is None else np.asarray(images.thumbnails[place]),
    )
    return Asked(few, one)


def _files(
    each: Any, known: Mapping[str, int], model: Model | None, gather: Gather | None, fitting: Mapping[str, Any]
) -> Asked:
    _check_file(each, list(known))
    return _outside([str(file.path) for file in find_pictures(each)], model, gather, fitting)


def _outside(pictures: Any, model: Model | None, gather: Gather | None, fitting: Mapping[str, Any]) -> Asked:
    if model is None or gather is None:
        raise ParameterError("pictures from elsewhere take the network: neighbours_of(images, model)")
    try:
        source = adapters.data(pictures, **fitting)
    except ImageError:  # arrays have their pixels already
        source = adapters.data(pictures)
    images = gather.read(model, source)
    return Asked(images, np.full(len(images.index), -1))


def _joined(parts: Sequence[Asked]) -> Asked:
    """All of them, as one list of images."""
    each = [part.images for part in parts]
    tiles = [images.thumbnails for images in each]
    total = sum(len(images.index) for images in each)
    ids, labels, pixels, features = (
        np.concatenate([getattr(images, name) for images in each]) for name in ("ids", "labels", "pixels", "features")
    )
    pictures = (
        None if any(tile is None for tile in tiles) else np.concatenate([tile for tile in tiles if tile is not None])
    )
    return Asked(
        Images(np.arange(total), ids, labels, pixels, features, pictures), np.concatenate([part.own for part in parts])
    )
