"""How long the visualisations that a site does not have yet will take, from how long those took that it has."""

from collections.abc import Mapping
from dataclasses import replace

from ..book import Book
from ..data_folder import DataFolder
from .unit_choice import chosen_units

__all__ = ["Pace", "estimate", "estimate_of_all", "seconds_left"]

KEY = "seconds"
"""Of the file among a site's data, which its pages do not read."""


class Pace:
    """Seconds that the visualisations of a layer's units took, kept in a file of the site."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def add(self, layer: int, units: int, seconds: float) -> None:
        """Units of a layer were made in so many seconds."""
        known = self._known()
        had = known.get(str(layer), (0, 0.0))
        known[str(layer)] = (had[0] + units, had[1] + seconds)
        self._folder.write(KEY, known, "")

    def seconds_each(self) -> Mapping[int, float]:
        """By the id of a layer, the seconds that one unit took."""
        return {int(layer): seconds / units for layer, (units, seconds) in self._known().items() if units}

    def _known(self) -> dict[str, tuple[int, float]]:
        try:
            known = self._folder.read(KEY)
            return {layer: (int(each[0]), float(each[1])) for layer, each in known.items()}
        except (OSError, ValueError, TypeError, IndexError):
            return {}


def seconds_left(book: Book, folder: DataFolder) -> float | None:
    """What the chosen units without a visualisation will take; None where no unit was made yet.

    A layer of which none was made takes as long for each unit as the others on average.
    """
    each = Pace(folder).seconds_each()
    if not each:
        return None
    usual = sum(each.values()) / len(each)
    return sum(count * each.get(book.ids[layer], usual) for layer, count in _missing(book, folder).items())


def estimate(book: Book, folder: DataFolder) -> str:
    """Such as "about 3 hours for the other 2,900 units"; empty where none is left, or nothing is known."""
    seconds, count = seconds_left(book, folder), sum(_missing(book, folder).values())
    if seconds is None or not count:
        return ""
    return f"about {_in_words(seconds)} for the other {f'{count:,} units' if count > 1 else 'unit'}"


def estimate_of_all(book: Book, folder: DataFolder) -> str:
    """The same where every unit is asked for."""
    return estimate(replace(book, shown=replace(book.shown, units=None)), folder)


def _missing(book: Book, folder: DataFolder) -> Mapping[str, int]:
    """By layer, the chosen units that have no visualisation."""
    there = {layer: set(folder.numbers(f"visualisations/{book.ids[layer]}")) for layer in book.layers}
    return {layer: len(set(chosen_units(book, layer)) - there[layer]) for layer in book.layers}


def _in_words(seconds: float) -> str:
    """
    >>> _in_words(40), _in_words(300), _in_words(11000), _in_words(400000)
    ('40 seconds', '5 minutes', '3 hours', '5 days')
    """
    for unit, length, least in (("day", 86400, 1.75), ("hour", 3600, 1.75), ("minute", 60, 1.75), ("second", 1, 0)):
        if seconds >= least * length:
            count = max(1, round(seconds / length))
            return f"{count} {unit}{'s' * (count != 1)}"
    raise AssertionError(seconds)
