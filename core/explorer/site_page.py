"""`site`: what every page of a site needs, from what was made so far."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..data.source import Source
from ..model.layer import INPUT
from .book import Book
from .commands import commands
from .data_folder import DataFolder
from .network.cost import total_flops, total_parameters
from .network.layer_pages import layer_line
from .pictures.choice import chosen_pictures
from .points.atlas import lines as atlas_lines
from .points.images import images_line
from .points.plane import left_out
from .points.points import lines as point_lines
from .points.thumbnails import thumbnails_line
from .units.time_left import estimate_of_all

__all__ = ["site_notes", "site_page", "site_title"]


def site_title(book: Book) -> str:
    """Such as "Inside lite0_onnx"."""
    return f"Inside {book.name}"


def site_page(
    book: Book, data: DataFolder, typed: Sequence[str], checkpoints: Any, beside: Sequence[str] | None
) -> Mapping[str, Any]:
    """A `Site` of data.ts.

    Args:
        book: what the site is made of.
        data: what is there.
        typed: the words of the command that makes it, see `commands`.
        checkpoints: as `explore` takes them.
        beside: the names of the two models that are shown side by side.
    """
    model = book.model
    return {
        "title": site_title(book),
        "version": version("crosslens"),
        "model": {
            "name": book.name,
            "backend": model.backend,
            "input": list(model.input.shape),
            "output": str(model.output),
            "preprocess": f"{model.preprocess} ({model.origin.in_words})",
            "parameters": total_parameters(model),
            "flops": total_flops(model),
        },
        "data": _data(book),
        "layers": [_layer(book, data, name) for name in model.layers],
        "classes": list(model.output.names(model.labels)) if model.output.is_vector else [],
        "thumbnails": thumbnails_line(book),
        "images": images_line(book),
        "pictures": _pictures(book, data),
        "concepts": data.path("concepts").exists(),
        "points": point_lines(book, checkpoints) if data.numbers("points") else [],
        "atlas": atlas_lines(book) if data.numbers("atlas") else [],
        "beside": beside if data.path("beside").exists() else None,
        "commands": commands(book, typed),
        "estimate": estimate_of_all(book, data),
        "notes": site_notes(book),
    }


def _data(book: Book) -> Mapping[str, Any] | None:
    if not book.survey:
        return None
    failures = book.survey.images["failure"]
    return {
        "name": _data_name(book.source),
        "images": len(failures),
        "failed": int(sum(bool(each) for each in failures.tolist())),
    }


def _data_name(source: Source | None) -> str:
    """The file or folder as a user named it, without where it lies; else the class of the source."""
    if source is None:
        return ""
    if source.named is None:
        return type(source).__name__
    text = source.named[0].rstrip("/\\")
    return text if ":" in text else Path(text).name


def _pictures(book: Book, data: DataFolder) -> list[int]:
    """Those with a page, the first ones first."""
    there = data.numbers("pictures")
    first = [index for index in chosen_pictures(book) if index in set(there)]
    return [*first, *sorted(set(there) - set(first))]


def _layer(book: Book, data: DataFolder, name: str) -> Mapping[str, Any]:
    number = book.ids[name]
    return {
        **layer_line(book, name),
        "page": name in book.layers and name != INPUT,
        "pictured": data.numbers(f"visualisations/{number}"),
        "attributed": data.numbers(f"attributions/{number}"),
    }


def site_notes(book: Book) -> list[str]:
    """What the survey's results note, each once."""
    every = [note for label in book.survey for note in book.survey[label].notes]
    return list(dict.fromkeys([*every, *left_out(book)]))
