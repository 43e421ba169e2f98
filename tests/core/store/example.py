"""A small survey with sums, rows and two rounds, and a driver that kills it: python -m tests.core.store.example."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import crosslens
import numpy as np
from crosslens import testing
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, Rows, Statistic, shard
from crosslens.method import DatasetMethod, param
from crosslens.methods.dataset.mean_activation import MeanActivation
from crosslens.result.table import Table
from crosslens.store import stored_round

COUNT, SHARD, FOLD = 26, 2, 3
IMAGES = np.random.default_rng(5).random((COUNT, 3, 8, 8), dtype=np.float32)
IMAGES[[3, 24]] = np.nan


@dataclass(frozen=True)
class Answers(Rows):
    """What a layer's units answer, at their first position."""

    layer: str

    @property
    def layers(self):
        return frozenset({self.layer})

    @property
    def shape(self):
        return (4,)

    def rows(self, batch):
        return as_numpy(batch.activations[self.layer])[:, :, 0, 0]


@dataclass(frozen=True)
class Above(Statistic):
    """How many values lie above a threshold."""

    layer: str
    threshold: float
    any_grouping = True

    @property
    def layers(self):
        return frozenset({self.layer})

    def empty(self):
        return {"count": np.int64(0), "ids": np.zeros(0, "U2")}

    def add(self, state, batch):
        count = (as_numpy(batch.activations[self.layer]) > self.threshold).sum()
        return self.merge(state, {"count": np.int64(count), "ids": np.array(batch.samples.ids)})

    def merge(self, first, second):
        ids = np.concatenate([first["ids"], second["ids"]])
        return {"count": first["count"] + second["count"], "ids": ids}


@dataclass(frozen=True, kw_only=True)
class AboveMean(DatasetMethod):
    """Rows first, then how many values lie above their mean."""

    name = "above_mean"
    layer: str = param("conv1", "layer")

    def statistics(self, model, source, gathered=None):
        if not gathered:
            return [Answers(self.layer)]
        rows = gathered[Answers(self.layer)]
        return [Answers(self.layer), Above(self.layer, float(rows["rows"][rows["index"]].mean(dtype=np.float64)))]

    def finish(self, model, source, gathered, progress):
        rows, above = gathered.values()
        return Table({"index": np.array(rows["index"]), "above": np.full(len(rows["index"]), above["count"])})


METHODS = [MeanActivation(layer="conv1"), AboveMean()]


def sweep(folder, images=IMAGES, methods=METHODS, **options):
    """A sweep by batches of two images."""
    model = testing.TinyModel()
    model.batch_size = 2
    return crosslens.sweep(model, ArraySource(images), methods, store=folder, **options)


def files(folder):
    """The bytes of all files by name, but those of the log, which has the time."""
    every = [path for path in Path(folder).rglob("*") if path.is_file() and path.name != "log.jsonl"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in every}


EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"})


def killed_at(folder, moment):
    """Sweep in a process that is killed before its n-th call on the folder's files; False where it ended before."""
    child = os.fork()
    if child == 0:
        seen = 0

        def hook(event, given):
            nonlocal seen
            if event in EVENTS and str(given[0]).startswith(str(folder)):
                seen += 1
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        sweep(folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(place, moments):
    """Kill at each of these moments, go on, compare all files; an error where a moment comes too late."""
    shard.SHARD, stored_round.FOLD = SHARD, FOLD
    whole = Path(place) / "whole"
    sweep(whole)
    expected = files(whole)
    for moment in moments:
        folder = Path(place) / f"killed-{moment}"
        if not killed_at(folder, moment):
            sys.exit(f"there are only {moment - 1} moments")
        sweep(folder)
        found = files(folder)
        other = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
        assert not other, (moment, other)


if __name__ == "__main__":
    given = sys.argv[2]
    main(sys.argv[1], range(1, 10_000) if given == "all" else list(map(int, given.split(","))))
