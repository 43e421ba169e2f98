"""`crosslens.sweep`: several methods over a data set at once, into a folder that goes on where it was stopped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from ..data.keeper import Gathered, InMemory, Keeper
from ..data.shard import ShardResult, shards
from ..data.source import Source
from ..data.sources import adapters
from ..data.statistic import State, Statistic
from ..data.sweep import NamesStatistics
from ..data.sweep import sweep as gather
from ..errors import ParameterError
from ..execution.progress import Progress, show_progress
from ..execution.workers import Workers
from ..files.parquet_file import arrow
from ..method.dataset import DatasetMethod, source_for
from ..method.provenance import with_layer_names
from ..model.base import Model
from ..model.repeatability import refuse_where_alone_fails
from ..plugins.models import ModelLike, as_model
from ..result import Result
from ..result.table import Table
from ..store.entries import entries_with, labels
from ..store.image_page import ImagePage, image_page
from ..store.image_table import image_columns
from ..store.manifest import identity
from ..store.store import Store, open_store
from .dataset_methods import dataset_methods
from .given import given
from .survey import Survey, open_survey

__all__ = ["sweep"]


def sweep(
    model: ModelLike,
    data: Any,
    methods: Any,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    threads: int = 1,
    ray: bool | str | None = None,
    progress: Progress | None = None,
    again: bool = False,
    allow_mixed: bool = False,
) -> Survey:
    """Run methods over a data set: one forward pass per image and round for all of them together.

    With a store, a sweep that was stopped, by ctrl-C or worse, goes on where it was when it is called again, and ends
    with the same bytes. A finished store takes more methods: what it has gathered is not gathered again. The bits do
    not depend on workers, on one type of processor; they may depend on the number of threads that each of them has.

    Args:
        model: what `crosslens.wrap` gave or takes, or a pair of it and wrap's options: (net, {"preprocess": "tf"}).
        data: a `crosslens.Source`, or what `crosslens.data` makes one of.
        methods: names of methods over a data set, or what `crosslens.method` gives; one or several.
        store: a folder, which is made; its README.md says what is in it. None: results are kept in memory.
        workers: processes on this machine, or on Ray; one if not given, on Ray as many as it has room for.
        threads: of each worker.
        ray: True for Ray on this machine or as it is initialised, or the address of a cluster, which is trusted code.
        progress: called with (images done, all of them, which round).
        again: begin anew what the store holds.
        allow_mixed: add to a store that was computed on another type of processor, which its manifest then records.

    >>> import numpy as np
    >>> from crosslens.testing import TinyModel
    >>> survey = sweep(TinyModel(), np.zeros((4, 3, 8, 8), np.float32), "mean_activation")
    >>> survey["mean_activation"]
    <Table of mean_activation: 6 rows of unit, mean, on tiny>

    Returns:
        A `Survey`: `survey["top_examples"]` is what that method gives, the same bits as alone.

    Raises:
        CrosslensError: what is wrong with the model, the data, a method, the store or a worker; none of the images can
            be read.
    """
    chosen = dataset_methods(methods)
    job = _Job.of(as_model(model), adapters.data(data), chosen, Workers.of(workers, threads, ray))
    with show_progress(progress, "sweep") as told:
        if store is None:
            return job.in_memory(told)
        arrow()  # its absence is told before the work
        _refuse_inside(Path(store), job.source)
        return job.into(Path(store), told, again=again, allow_mixed=allow_mixed)


@dataclass(frozen=True)
class _Job:
    model: Model
    source: Source
    methods: Sequence[DatasetMethod]
    workers: Workers
    given: Mapping[str, Any]
    """How both were named."""

    @classmethod
    def of(cls, model: Model, source: Source, methods: Sequence[DatasetMethod], workers: Workers) -> "_Job":
        """All that can be wrong is refused before the work."""
        for each in methods:
            each.check_parameters()
        named, source = given(model, source), source_for(methods, source)
        source.check(model)
        model.follow_weights()
        refuse_where_alone_fails(model)
        return cls(model, source, [with_layer_names(each, model) for each in methods], workers, named)

    def in_memory(self, progress: Progress) -> Survey:
        page, start = image_page(self.model, thumbnails=False), perf_counter()
        gathered = self._gather(self.methods, page, InMemory(), progress)
        _, entries = entries_with([], self.methods)
        known = labels(entries)
        results = {
            label: method.result(self.model, self.source, gathered, start=start, progress=_told_of(label, progress))
            for label, method in zip(known, self.methods, strict=True)
        }
        survey = Survey(known, results)
        survey.model, survey.source = self.model, self.source
        survey.images = self._images(gathered, page)
        return survey

    def _images(self, gathered: Gathered, page: ImagePage) -> Table:
        (whole,) = shards(len(self.source), len(self.source))
        result = ShardResult(whole, {page: gathered.states[page]}, gathered.images, gathered.failures)
        return Table(image_columns(self.source, _names(self.model), gathered.states[page], result), method="images")

    def into(self, folder: Path, progress: Progress, *, again: bool, allow_mixed: bool) -> Survey:
        now = {**identity(self.model, self.source, self.methods, self.workers.threads), "given": dict(self.given)}
        with open_store(folder, now, again=again) as manifest, _logged(folder, self.workers):
            kept = Store(folder, manifest, self.source, _names(self.model), allow_mixed=allow_mixed)
            if not self.workers.elsewhere:
                kept.check_processor()
            every, own = entries_with(kept.entries, self.methods)
            kept.ask(every, own)
            left = [(entry, each) for entry, each in zip(own, self.methods, strict=True) if not kept.has_result(entry)]
            gathered = self._gather([each for _, each in left], image_page(self.model), kept, progress)
            for entry, each in left:
                kept.save(entry, self._result(each, gathered, progress))
        survey = open_survey(folder)
        survey.model, survey.source = self.model, self.source
        return survey

    def _gather(
        self, methods: Sequence[DatasetMethod], page: ImagePage, keeper: Keeper, progress: Progress
    ) -> Gathered:
        asking: list[NamesStatistics] = [_Page(page), *(each.with_network_defaults(self.model) for each in methods)]
        executor, threads = self.workers.executor(), self.workers.threads
        return gather(self.model, self.source, asking, progress, executor=executor, threads=threads, keeper=keeper)

    def _result(self, method: DatasetMethod, gathered: Gathered, progress: Progress) -> Result:
        """Without the time that it took and the date: files are the same whenever they are written."""
        told = _told_of(method.name, progress)
        result = method.result(self.model, self.source, gathered, start=perf_counter(), progress=told)
        lasting = {name: value for name, value in result.provenance.items() if name not in {"seconds", "date"}}
        return replace(result, provenance=lasting)


@dataclass(frozen=True)
class _Page:
    """Asks for the images' table beside what methods ask for."""

    page: ImagePage

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        return [self.page]


def _told_of(name: str, progress: Progress) -> Progress:
    """Progress that says whose result is made."""
    return lambda done, total, what: progress(done, total, f"{name}: {what}")


def _refuse_inside(store: Path, source: Source) -> None:
    """Refuse a store whose thumbnails would be among the pictures of the data."""
    folder = getattr(source, "folder", None)
    if isinstance(folder, Path) and folder.resolve() in (store.resolve(), *store.resolve().parents):
        raise ParameterError(
            f"the survey '{store}' would lie among the pictures of '{folder}', which are read: name a folder beside it"
        )


def _names(model: Model) -> Sequence[str]:
    return model.output.names(model.labels) if model.output.is_vector else ()


@contextmanager
def _logged(folder: Path, workers: Workers) -> Iterator[None]:
    """A line in `log.jsonl` on when, how and how long a sweep ran."""
    start, began, how = perf_counter(), datetime.now(UTC).isoformat(timespec="seconds"), "finished"
    try:
        yield
    except BaseException as error:
        how = type(error).__name__
        raise
    finally:
        line = {"began": began, "seconds": round(perf_counter() - start, 3), "on": str(workers), "ended": how}
        with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
