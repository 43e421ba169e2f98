"""`SharedWork`: what several files of a site need that is made at once, by the first of them that is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..data_folder import DataFolder
from ..leaf import Leaf

__all__ = ["SharedWork", "shared_leaves"]

Value = Mapping[str, Any]


class SharedWork:
    """The values of several units, made together when the first of them is asked for."""

    def __init__(self, make: Callable[[Sequence[int]], Mapping[int, Value]], is_there: Callable[[int], bool]) -> None:
        """`make` gives the value of each unit; those that are there already are left out."""
        self._make, self._is_there = make, is_there
        self.units: list[int] = []
        self._made: dict[int, Value] = {}

    def take(self, unit: int) -> Value:
        """The value of a unit, which is then forgotten here."""
        if unit not in self._made:
            self._made = dict(self._make([each for each in self.units if each == unit or not self._is_there(each)]))
        return self._made.pop(unit)


def shared_leaves(
    kind: str,
    stamps: Mapping[int, str],
    make: Callable[[Sequence[int]], Mapping[int, Value]],
    folder: DataFolder,
    layer: tuple[int, str],
) -> Iterable[Leaf]:
    """Files "KIND/LAYER/UNIT" that are made together.

    Args:
        kind: "visualisations" or "attributions".
        stamps: by unit, of what its file is made of.
        make: the values of some of these units.
        folder: where they are.
        layer: its id and its name.
    """
    number, name = layer
    work = SharedWork(make, lambda unit: folder.has(f"{kind}/{number}/{unit}", stamps[unit]))
    for unit, stamp in stamps.items():
        work.units.append(unit)
        what = f"{kind}: unit {unit} of {name}"
        yield Leaf(f"{kind}/{number}/{unit}", stamp, lambda unit=unit: work.take(unit), what)  # type: ignore[misc]
