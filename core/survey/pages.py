"""Who opens a survey as pages: the explorer, a room above this one, says so when crosslens is imported."""

from collections.abc import Callable
from typing import Any

__all__ = ["open_pages", "opened_by"]

_openers: list[Callable[[Any], Any]] = []


def opened_by(opener: Callable[[Any], Any]) -> None:
    """`opener` gives the pages of a survey: an object with `unit(layer, unit)` and a picture for notebooks."""
    _openers[:] = [opener]


def open_pages(survey: Any) -> Any:
    """The pages of a survey.

    Raises:
        CrosslensError: its network or its images cannot be opened again.
    """
    (opener,) = _openers
    return opener(survey)
