"""The states of a store's finished rounds, by statistic; read from their files when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..data.rows import Rows
from ..data.source import Failure
from ..data.statistic import State, Statistic
from .image_page import ImagePage
from .row_files import RowFiles
from .state_file import StoredStates, read_states
from .statistic_key import statistic_key

__all__ = ["KnownStates"]


class KnownStates(Mapping[Statistic, State]):
    """A mapping that knows statistics by their text; it lists those that were asked for since it was opened."""

    def __init__(self, rows: RowFiles) -> None:
        self._rows = rows
        self._places: dict[str, tuple[Path, int]] = {}
        self._keys: dict[Statistic, str] = {}
        self._read: dict[Path, StoredStates] = {}

    def learn(self, path: Path, keys: Sequence[str]) -> None:
        """The states of a round that has ended lie in this file, its statistics' in this order."""
        self._places |= {key: (path, place) for place, key in enumerate(keys)}

    def _key(self, statistic: Statistic) -> str:
        if statistic not in self._keys:
            self._keys[statistic] = statistic_key(statistic)
        return self._keys[statistic]

    def _file(self, path: Path) -> StoredStates:
        if path not in self._read:
            self._read[path] = read_states(path)
        return self._read[path]

    def __getitem__(self, statistic: Statistic) -> State:
        path, place = self._places[self._key(statistic)]
        if isinstance(statistic, Rows):
            return self._rows.state(statistic)
        return {} if isinstance(statistic, ImagePage) else self._file(path).states[place]

    def __contains__(self, statistic: object) -> bool:
        return isinstance(statistic, Statistic) and self._key(statistic) in self._places

    def __iter__(self) -> Iterator[Statistic]:
        return (each for each, key in self._keys.items() if key in self._places)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def images(self) -> int:
        """How many images each round read; 0 before the first one has ended."""
        return self._first.images if self._places else 0

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that could not be read."""
        return self._first.failures if self._places else ()

    @property
    def _first(self) -> StoredStates:
        return self._file(next(iter(self._places.values()))[0])
