"""A survey's folder while a sweep writes it: states round by round, then results; a kill at any moment loses no more
than the shards under way.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.keeper import Gathered
from ..data.shard import ShardResult, shards
from ..data.source import Source
from ..data.statistic import Statistic
from ..errors import ParameterError
from ..execution.processor import instruction_set
from ..files.whole_file import writable_folder, write_text
from ..reading.text_file import parse_json
from ..result import Result
from .contents import CONTENTS
from .entries import Entry
from .image_table import ImageTable
from .known_states import KnownStates
from .lock import locked
from .manifest import read_manifest, refuse_others, write_manifest
from .ownership import FILES, REMOVED, refuse_foreign, remove_left_over, remove_survey
from .row_files import RowFiles
from .statistic_key import statistic_key
from .stored_round import StoredRound, StoreParts, remove_merged, states_before

__all__ = ["RESULT", "Store", "open_store"]

RESULT = "result.npz"
"""What `crosslens.load` reads, in each method's folder."""
_STATISTICS = "statistics.json"


@contextmanager
def open_store(folder: Path, now: dict[str, Any], *, again: bool) -> Iterator[dict[str, Any]]:
    """The manifest of a survey's folder that is this process's alone within the block; a new folder is made.

    Args:
        folder: empty, new, or of the same survey.
        now: what `identity` says of this one.
        again: begin anew, whatever survey it holds.

    Raises:
        ParameterError: it holds other things or another survey, another process writes it, or it cannot be written.
    """
    refuse_foreign(folder)
    writable_folder(folder, ParameterError)
    with locked(folder):
        remove_left_over(folder)
        before = read_manifest(folder)
        if before is not None and (again or REMOVED in before):
            remove_survey(folder)
            before = None
        if before is not None:
            refuse_others(folder, before, now)
        yield before or {**now, "computed": {}, "methods": []}


class Store:
    """What a sweep keeps in a folder; a `crosslens.data.keeper.Keeper`."""

    def __init__(
        self, folder: Path, manifest: dict[str, Any], source: Source, names: Sequence[str], *, allow_mixed: bool = False
    ) -> None:
        """`manifest` is that of the folder, which is open; `names` are those of the classes."""
        self.folder, self._manifest, self._allow_mixed = folder, manifest, allow_mixed
        self._last = len(shards(len(source)))
        rows = RowFiles(folder / "rows", len(source))
        self.states = KnownStates(rows)
        self._parts = StoreParts(rows, ImageTable(folder, source, names), self.states, self._check)
        for place in self._rounds():
            if remove_merged(place) == self._last:
                self.states.learn(place / f"before-{self._last:05}.npz", _keys(place))

    @property
    def gathered(self) -> Gathered:
        """What the rounds that have ended gave."""
        return Gathered(self.states, self.states.images, self.states.failures)

    @property
    def entries(self) -> list[Entry]:
        """The methods that were ever asked for."""
        return [Entry(**each) for each in self._manifest["methods"]]

    def ask(self, entries: Sequence[Entry], own: Sequence[Entry]) -> None:
        """Write down what is asked for, before anything is computed: all entries, `own` those of this call.

        Raises:
            ParameterError: a round was begun for methods that this call does not ask for.
        """
        left = [each for each in self.entries if each not in own and not self.has_result(each)]
        if left and any(not self._has_ended(each) for each in self._rounds()):
            raise ParameterError(self._unfinished(left))
        self._manifest["methods"] = [asdict(each) for each in entries if each not in left]
        write_manifest(self.folder, self._manifest)
        write_text(self.folder / "README.md", CONTENTS, ParameterError)

    def _rounds(self) -> list[Path]:
        found = (self.folder / "states").glob("round-*")
        return sorted(each for each in found if (each / _STATISTICS).exists())

    def _has_ended(self, place: Path) -> bool:
        return states_before(place) == self._last

    def begin(self, statistics: tuple[Statistic, ...], count: int) -> StoredRound:
        """A new round, or one that was begun: then with the statistics that it had."""
        asked = {statistic_key(each): each for each in statistics}
        begun = [each for each in self._rounds() if not self._has_ended(each)]
        keys = _keys(begun[0]) if begun else list(asked)
        if any(key not in asked for key in keys):
            raise ParameterError(self._unfinished(self.entries))
        place = begun[0] if begun else self._new_round(keys)
        return StoredRound(place, [asked[key] for key in keys], count, self._parts)

    def _new_round(self, keys: Sequence[str]) -> Path:
        place = self.folder / "states" / f"round-{len(self._rounds()) + 1:03}"
        place.mkdir(parents=True, exist_ok=True)
        write_text(place / _STATISTICS, json.dumps(keys, indent=2, ensure_ascii=False) + "\n", ParameterError)
        return place

    def _unfinished(self, entries: Sequence[Entry]) -> str:
        return (
            f"'{self.folder}' is an unfinished survey of {', '.join(each.words for each in entries)}: ask for the same "
            "again, and it goes on; begin anew with again=True, or name another folder"
        )

    def _check(self, result: ShardResult) -> None:
        """Refuse what another number of threads or another instruction set gave; the manifest records both."""
        computed = self._manifest["computed"]
        threads, processor = result.threads, result.processor
        if threads != computed.setdefault("threads", threads):
            raise ParameterError(
                f"'{self.folder}' was computed with {computed['threads']} threads, and a worker has {threads}: start "
                "it with as many, begin anew with again=True, or name another folder"
            )
        known = computed.setdefault("processors", [])
        if processor in known:
            return
        if known and not self._allow_mixed:
            raise ParameterError(mixed(self.folder, known, processor))
        known.append(processor)
        write_manifest(self.folder, self._manifest)

    def check_processor(self) -> None:
        """Refuse this machine before any work, where its processor is of another type than those that computed."""
        known = self._manifest["computed"].get("processors", [])
        if known and not self._allow_mixed and instruction_set() not in known:
            raise ParameterError(mixed(self.folder, known, instruction_set()))

    def has_result(self, entry: Entry) -> bool:
        """Whether the method's result is there, which is written whole."""
        return (self.folder / entry.folder / RESULT).is_file()

    def save(self, entry: Entry, result: Result) -> None:
        """Write a method's result with its sheets and tables: the whole folder or nothing."""
        place = self.folder / f".{os.urandom(8).hex()}"
        try:
            place.mkdir()
            names = [result.save(place / RESULT).name, *(file.name for file in result.save_into(place))]
            write_text(place / FILES, json.dumps(names, indent=2) + "\n", ParameterError)
            place.rename(self.folder / entry.folder)
        except OSError as error:
            raise ParameterError(f"cannot write '{self.folder / entry.folder}': {error.strerror}") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)


def mixed(folder: Path, known: Sequence[str], processor: str) -> str:
    """What is said of a processor that has other instructions than those before."""
    lost, more = (sorted(set(a.split()) - set(b.split())) for a, b in ((known[0], processor), (processor, known[0])))
    differs = "; ".join([f"without {', '.join(lost)}"] * bool(lost) + [f"with {', '.join(more)}"] * bool(more))
    return (
        f"'{folder}' was computed on a processor of another type than this one ({differs}), which gives other last "
        "bits: allow_mixed=True takes it and records it, or name another folder"
    )


def _keys(place: Path) -> list[str]:
    try:
        keys = parse_json((place / _STATISTICS).read_bytes())
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"'{place / _STATISTICS}' cannot be read: begin anew with again=True, or name another folder"
        ) from error
    return list(map(str, keys))
