"""`Survey`: the results of a sweep by method, its images as a table, and the folder that holds both."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..data.source import Source
from ..errors import ParameterError, unknown_name
from ..files.parquet_file import arrow
from ..html_table import html_table
from ..model.base import Model
from ..model.layer import LayerLike
from ..plugins.saved_result import load as load_result
from ..result import Result
from ..result.display import counted, one_line
from ..result.table import Table
from ..store.entries import Entry, labels
from ..store.manifest import read_manifest
from ..store.ownership import FILES
from ..store.store import RESULT
from .pages import open_pages

__all__ = ["Survey", "open_survey"]


class Survey(Mapping[str, Result]):
    """A result by the name of its method, `survey["top_examples"]`; by its words where two methods have one name."""

    def __init__(self, entries: Mapping[str, Entry], results: Mapping[str, Result], folder: Path | None = None) -> None:
        """`entries` and `results` by label; results that are not given are read from the folder."""
        self._entries, self._results = dict(entries), dict(results)
        self.folder = folder
        """None of a sweep without a store."""
        self.model: Model | None = None
        self.source: Source | None = None
        """The network and the images, of a survey that a sweep of this program made; None of one from its folder."""

    def __getitem__(self, name: str) -> Result:
        label = self._label(name)
        if label not in self._results:
            assert self.folder is not None
            self._results[label] = load_result(self.folder / self._entries[label].folder / RESULT)
        return self._results[label]

    def _label(self, name: str) -> str:
        if name in self._entries:
            return name
        known = [label for label, entry in self._entries.items() if name == entry.words]
        if known:
            return known[0]
        several = [label for label, entry in self._entries.items() if name == entry.name]
        if several:
            raise ParameterError(f"there are several results of {name!r} here: {', '.join(map(repr, several))}")
        raise UnknownResultError(unknown_name("result", name, self._entries, of="this survey"))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def method_of(self, name: str) -> str:
        """The method that a result is of; several can be of one, with different parameters."""
        return self._entries[self._label(name)].name

    def files(self, name: str) -> list[Path]:
        """The files of a result: its sheets and tables, then the whole of it; none without a store."""
        if self.folder is None:
            return []
        place = self.folder / self._entries[self._label(name)].folder
        whole, *others = json.loads((place / FILES).read_text(encoding="utf-8"))
        return [place / each for each in (*others, whole)]

    @cached_property
    def images(self) -> Table:
        """A line for each image: index, id, label, class, predicted, score, failure, and where its thumbnail lies."""
        assert self.folder is not None
        table = arrow().parquet.read_table(self.folder / "images.parquet")
        return Table({name: _column(table[name]) for name in table.column_names}, method="images")

    def __repr__(self) -> str:
        where = f"'{self.folder}'" if self.folder else ""
        return one_line(f"Survey {where}".strip(), [", ".join(self), counted(len(self.images), "image")])

    def unit(self, layer: LayerLike, unit: int) -> Any:
        """The page of one unit, for a notebook's cell; `crosslens.explore(survey).save("site/")` writes all pages.

        Args:
            layer: its name, an alias, or the framework's own object.
            unit: its number, from 0.

        Raises:
            CrosslensError: no such layer or unit; or the network cannot be opened again.
        """
        return open_pages(self).unit(layer, unit)

    def _repr_html_(self) -> str:
        """The results, a line each, in a notebook; under them the network's page, where the network is at hand."""
        rows = [[name, repr(self[name]).strip("<>")] for name in self]
        results = html_table(["method", "result"], rows, above=repr(self).strip("<>"))
        return results if self.model is None else results + open_pages(self)._repr_html_()


class UnknownResultError(ParameterError, KeyError):
    """A method of which a survey has no result."""

    __str__ = ParameterError.__str__


def _column(values: Any) -> np.ndarray[Any, Any]:
    texts = str(values.type) == "string"
    return np.array(values.to_pylist(), np.str_) if texts else np.asarray(values.to_numpy())


def open_survey(folder: str | Path) -> Survey:
    """The survey that a sweep has written into a folder, as far as its results are finished.

    Raises:
        ParameterError: it holds no survey, or the first sweep into it has not come to an end.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise ParameterError(f"'{folder}' holds no survey: give the folder that a sweep was written into")
    entries = [Entry(**each) for each in manifest["methods"]]
    done = labels([each for each in entries if (folder / each.folder / RESULT).is_file()])
    if not done:
        raise ParameterError(f"the survey in '{folder}' is not finished: call the same sweep again, and it goes on")
    return Survey(done, {}, folder)
