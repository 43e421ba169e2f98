"""`Site`: what `crosslens.explore` gives: a folder of pages, or a page in a notebook's cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ..errors import LayerError, ParameterError
from ..execution.progress import Progress, show_progress
from ..files.whole_file import writable_folder
from ..model.base import Model
from ..model.layer import LayerLike
from ..plugins.models import as_model
from ..result.display import counted, one_line
from .app import embedded_page, write_app
from .beside.beside_page import names_of
from .book import Book
from .data_folder import DataFolder, stamp_of
from .leaf import write_leaves
from .parts import Part, parts_of, unit_parts
from .site_folder import INDEX, check_folder, check_origin
from .site_page import site_notes, site_page, site_title
from .units.time_left import estimate
from .units.unit_choice import unit_count

__all__ = ["CellPage", "Site"]

REFRESHED = 60.0
"""Seconds after which a site that is being made shows what was added."""


class Site:
    """A network opened like a book. `save` writes it as a folder of static files; `unit` shows the page of one unit."""

    def __init__(self, book: Book, beside: Any = None, checkpoints: Any = None) -> None:
        """`beside` and `checkpoints` as `explore` takes them."""
        self.book, self.checkpoints = book, checkpoints
        self.beside: Model | None = None if beside is None else as_model(beside)
        self.typed: Sequence[str] = ()
        """The command that this was asked for with; empty in a program."""

    def save(self, folder: str | Path, progress: Progress | None = None) -> Path:
        """Write the site, or what is missing of it; `index.html` in it opens it.

        What is there and was made of the same network, images and settings is kept: a call that was interrupted goes on
        when it is made again, one with more units or pictures adds to what is there.

        Args:
            folder: it is made; one that holds something else is refused.
            progress: called with (files done, all of this part, what).

        Returns:
            The path of `index.html`.

        Raises:
            ParameterError: the folder holds something else, lies among the images, or cannot be written.
            CrosslensError: what is wrong with the network or the images.
        """
        folder = Path(folder)
        data = DataFolder(folder / "data")
        check_folder(folder, self.book.source)
        writable_folder(folder, ParameterError)
        with show_progress(progress, "explore") as told:
            write_app(folder, site_title(self.book))
            check_origin(data, self.book, folder)
            self._write(parts_of(self.book, self.beside, self.checkpoints), data, told)
        return folder / INDEX

    def _write(self, parts: Sequence[Part], data: DataFolder, progress: Progress) -> None:
        """Each part; after it, and now and then within it, what all pages need: so the site shows what is there."""
        last = monotonic()

        def now_and_then() -> None:
            nonlocal last
            if monotonic() - last > REFRESHED:
                self._write_page(data)
                last = monotonic()

        for part in parts:
            try:
                write_leaves(part.leaves(data), data, _told_of(part.name, progress), now_and_then)
            finally:
                self._write_page(data)

    def _write_page(self, data: DataFolder) -> None:
        page = self._page(data)
        data.write("site", page, stamp_of(page))

    def _page(self, data: DataFolder) -> Mapping[str, Any]:
        names = None if self.beside is None else names_of(self.book, self.beside)
        return site_page(self.book, data, self.typed, self.checkpoints, names)

    def estimate(self, folder: str | Path) -> str:
        """How long the visualisations will take that a folder lacks, "about 3 hours for the other 2,900 units".

        By the time that those took which are there; "" where none is, or none is left.
        """
        return estimate(self.book, DataFolder(Path(folder) / "data"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the survey."""
        return tuple(site_notes(self.book))

    def unit(self, layer: LayerLike, unit: int) -> "CellPage":
        """The page of one unit, for a notebook's cell.

        Args:
            layer: its name, an alias, or the framework's own object.
            unit: its number, from 0.

        Raises:
            LayerError: no such layer, or no page of it.
            ParameterError: no such unit.
        """
        name = self.book.model.layer_name(layer)
        if name not in self.book.layers:
            listed = ", ".join(self.book.layers[:8]) + ", ..." * (len(self.book.layers) > 8)
            raise LayerError(f"units of layer {name!r} have no pages here; those of {listed} have")
        count = unit_count(self.book, name)
        if isinstance(unit, bool) or not isinstance(unit, int | np.integer) or not 0 <= unit < count:
            raise ParameterError(f"layer {name!r} has units 0 to {count - 1}; {unit!r} is none")
        return self._cell(
            f"#/unit/{self.book.ids[name]}/{unit}", f"unit {unit} of {name}", unit_parts(self.book, name, unit)
        )

    def _cell(self, route: str, title: str, parts: Sequence[Part]) -> "CellPage":
        """Made in a folder that lasts no longer than this, as `save` would make it."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as place, show_progress(None, "explore") as told:
            data = DataFolder(Path(place))
            self._write(parts, data, told)
            return CellPage(title, embedded_page(title, route, list(data.scripts())))

    def _repr_html_(self) -> str:
        """The first page, in a notebook."""
        return self._cell("#/", site_title(self.book), parts_of(self.book, None, None, first_page=True))._repr_html_()

    def __repr__(self) -> str:
        images = counted(len(self.book.source), "image") if self.book.source is not None else "no images"
        return one_line(f"Site of {self.book.name}", [counted(len(self.book.layers), "layer"), images])


class CellPage:
    """One page of a site, which a notebook shows."""

    def __init__(self, title: str, html: str) -> None:
        self.title, self.html = title, html

    def __repr__(self) -> str:
        return f"<page: {self.title}>"

    def _repr_html_(self) -> str:
        return self.html


def _told_of(name: str, progress: Progress) -> Progress:
    return lambda done, total, what: progress(done, total, f"{name}: {what}" if what else name)
