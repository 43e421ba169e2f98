"""A network opened like a book: a site of static files, from a survey, that opens from disk without a network.

`crosslens.explore` makes it; `book.Shown` says how much of it is shown.
"""

from typing import Any

from ..survey.pages import opened_by


def _open(survey: Any) -> Any:
    from .explore import explore

    return explore(survey)


opened_by(_open)
