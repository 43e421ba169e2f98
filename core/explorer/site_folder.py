"""The folder of a site: which folders may become one, and of what network and images one is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.source import Source
from ..errors import ParameterError
from ..store.manifest import MANIFEST, read_manifest
from .book import Book
from .data_folder import DataFolder, stamp_of

__all__ = ["INDEX", "check_folder", "check_origin"]

INDEX = "index.html"
MARK = b'<meta name="crosslens" content="explorer">'
"""In the page of a site, and of nothing else."""
ORIGIN = "origin"
"""The file of data that says what a site is of."""


def check_folder(folder: Path, source: Source | None) -> None:
    """Refuse a folder in which a site must not lie, before any work.

    Args:
        folder: of the site.
        source: the images; None for none.

    Raises:
        ParameterError: it holds something else, is a file, or lies among the pictures or within a survey.
    """
    inside = (folder.resolve(), *folder.resolve().parents)
    pictures = getattr(source, "folder", None)
    if isinstance(pictures, Path) and pictures.resolve() in inside:
        raise ParameterError(
            f"the site '{folder}' would lie among the pictures of '{pictures}', which are read: name a folder beside it"
        )
    for place in inside:
        if (place / MANIFEST).is_file():
            raise ParameterError(f"the site '{folder}' would lie within the survey '{place}': name a folder beside it")
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"'{folder}' is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not _is_site(folder):
        raise ParameterError(f"'{folder}' holds other things than a site: name a new folder, or an earlier site")


def _is_site(folder: Path) -> bool:
    try:
        return MARK in (folder / INDEX).read_bytes()[:4096]
    except OSError:
        return False


def check_origin(data: DataFolder, book: Book, folder: Path) -> None:
    """Refuse to add to a site of another network or of other images, whose pages would stand among the new ones.

    Images may be added to a site without any.

    Raises:
        ParameterError: what differs.
    """
    model, images = book.model, None if book.source is None and not book.survey else _images(book)
    now = {
        "network": stamp_of(book.digest, str(model.preprocess), model.input.bounds, str(model.output)),
        "name": book.name,
        "images": images,
    }
    before = _read(data)
    if before is not None and before["network"] != now["network"]:
        raise ParameterError(
            f"'{folder}' is a site of another network, {before['name']!r}, or of other weights or preprocessing: name "
            "a new folder, or remove this one"
        )
    if before is not None and before["images"] not in {None, images}:
        raise ParameterError(f"'{folder}' is a site of other images: name a new folder, or remove this one")
    if before != now:
        data.write(ORIGIN, now, "")


def _images(book: Book) -> str:
    """The digest of the images, those of a survey where they cannot be read again."""
    if book.survey.folder is not None:
        return str((read_manifest(book.survey.folder) or {})["source"]["digest"])
    assert book.source is not None
    return book.source.images_only().digest


def _read(data: DataFolder) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = data.read(ORIGIN)
    except (OSError, ValueError):
        return None
    return found if {"network", "name", "images"} <= found.keys() else None
