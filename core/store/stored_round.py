"""A round in a store: a file for each shard that is done, and one for all shards before a certain one.

Whatever system call a kill comes between: a shard counts from the rename of its file on; the file of all shards before
N counts instead of those it was made of from its own rename on. What it has replaced is deleted later, and is left out
when the folder is read, so no shard is counted twice.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..data.keeper import Gathered
from ..data.rows import Rows
from ..data.shard import Shard, ShardResult, shards
from ..data.statistic import State, Statistic
from .image_page import ImagePage
from .image_table import ImageTable
from .known_states import KnownStates
from .row_files import RowFiles
from .state_file import StoredStates, read_states, write_states
from .statistic_key import statistic_key

__all__ = ["FOLD", "StoreParts", "StoredRound", "remove_merged", "states_before"]

FOLD = 32
"""Files of consecutive shards that become one as soon as there are so many."""
_BEFORE = re.compile(r"before-(\d+)\.npz")
_SHARD = re.compile(r"shard-(\d+)\.npz")


class StoredRound:
    """A round of a sweep whose states are kept in a folder."""

    def __init__(self, folder: Path, statistics: Sequence[Statistic], count: int, parts: "StoreParts") -> None:
        """Read what the folder has."""
        self.folder, self.statistics = folder, tuple(statistics)
        self._shards, self._parts = shards(count), parts
        self._before = remove_merged(folder)
        self._waiting = set(_numbers(folder, _SHARD))

    def _file(self, number: int) -> Path:
        return self.folder / f"shard-{number:05}.npz"

    def _until(self, number: int) -> Path:
        return self.folder / f"before-{number:05}.npz"

    @property
    def left(self) -> Sequence[Shard]:
        """The shards that have no state yet."""
        return [each for each in self._shards[self._before :] if each.number not in self._waiting]

    def add(self, result: ShardResult) -> None:
        """Keep what a shard gave: on the disk when this returns."""
        self._parts.check(result)
        kept: dict[int, State] = {}
        for place, each in enumerate(self.statistics):
            if isinstance(each, Rows):
                self._parts.rows.write(each, result.states[each], result.shard)
            elif isinstance(each, ImagePage):
                self._parts.images.write(each, result)
            else:
                kept[place] = result.states[each]
        number = result.shard.number
        write_states(self._file(number), StoredStates(kept, result.images, result.failures))
        self._waiting.add(number)
        if FOLD <= len(self._consecutive()) < len(self._shards) - self._before:
            self._replace(self._total())

    def _consecutive(self) -> range:
        """The shards whose files follow on those that are one already."""
        number = self._before
        while number in self._waiting:
            number += 1
        return range(self._before, number)

    def _total(self) -> StoredStates:
        """The states of all shards before, and of those that follow on them, merged in their order."""
        total = self._so_far()
        for number in self._consecutive():
            total = self._merged(total, read_states(self._file(number)))
        return total

    def _so_far(self) -> StoredStates:
        if self._before:
            return read_states(self._until(self._before))
        kept = {n: each.empty() for n, each in enumerate(self.statistics) if not isinstance(each, Rows | ImagePage)}
        return StoredStates(kept)

    def _merged(self, total: StoredStates, more: StoredStates) -> StoredStates:
        states = {n: self.statistics[n].merge(state, more.states[n]) for n, state in total.states.items()}
        return StoredStates(states, total.images + more.images, (*total.failures, *more.failures))

    def _replace(self, total: StoredStates) -> None:
        """Write the file of consecutive shards' states, then delete those that it was made of."""
        done, earlier = self._consecutive(), self._before
        write_states(self._until(done.stop), total)
        self._before = done.stop
        for number in done:
            self._waiting.discard(number)
            _delete(self._file(number))
        if earlier and earlier != self._before:
            _delete(self._until(earlier))

    def end(self) -> Gathered:
        """The states over all shards, which then lie in one file: with its rename the round has ended."""
        total = self._total()
        if any(isinstance(each, ImagePage) for each in self.statistics):
            self._parts.images.finish(len(self._shards))
        if any(isinstance(each, Rows) for each in self.statistics):
            self._parts.rows.finish(total.failures)
        self._replace(total)
        self._parts.states.learn(self._until(self._before), [statistic_key(each) for each in self.statistics])
        return Gathered(self._parts.states, total.images, total.failures)


@dataclass(frozen=True)
class StoreParts:
    """What the rounds of one store share."""

    rows: RowFiles
    images: ImageTable
    states: KnownStates
    check: Callable[[ShardResult], None]
    """Refuses a result that cannot be added to the others."""


def states_before(folder: Path) -> int:
    """The number of shards whose states lie in one file; 0 for none."""
    return max(_numbers(folder, _BEFORE), default=0)


def remove_merged(folder: Path) -> int:
    """Delete what a kill has left of the files that one file has replaced; the number of shards in that one."""
    before = states_before(folder)
    for path in folder.iterdir():
        match = _SHARD.fullmatch(path.name) or _BEFORE.fullmatch(path.name)
        if match and int(match[1]) < before:
            _delete(path)
    return before


def _numbers(folder: Path, pattern: re.Pattern[str]) -> Iterator[int]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if match := pattern.fullmatch(path.name):
            yield int(match[1])


def _delete(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
