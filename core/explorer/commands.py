"""What a user types to make what a site does not have yet."""

import shlex
from collections.abc import Mapping, Sequence

from .book import Book

__all__ = ["commands"]


def commands(book: Book, typed: Sequence[str]) -> Mapping[str, str]:
    """A command for each kind of thing that can be missing, by `Missing` of data.ts.

    Args:
        book: of the site.
        typed: the words of the command that made it; empty in a program, whose user then reads calls of Python.
    """
    network, store = _network(book), str(book.survey.folder or "STORE")
    sweep = f"crosslens sweep {shlex.quote(network)} DATA"
    return {
        "units": _again(typed, "units", "all"),
        "layers": _layers(typed, sweep, store),
        "pictures": _again(typed, "pictures", "all"),
        "data": f"crosslens explore {shlex.quote(network)} PHOTOS/ -o site/",
        "points": f"{sweep} embedding -o {shlex.quote(store)}, then {_again(typed)}",
        "atlas": f"{sweep} activation_atlas -o {shlex.quote(store)}, then {_again(typed)}",
        "concepts": f"{sweep} dissect -o {shlex.quote(store)} (DATA with masks, `crosslens shapes` makes some), then "
        f"{_again(typed)}",
        "beside": _again(typed, "beside", "MODEL"),
    }


def _layers(typed: Sequence[str], sweep: str, store: str) -> str:
    """A survey that was made before is swept into again; else the command makes another."""
    if typed and store not in typed:
        return _again(typed, "layers", "NAME,...")
    more = f"{sweep} unit_statistics:layers=NAME top_examples:layers=NAME,shown=0 -o {shlex.quote(store)}"
    return f"{more}, then {_again(typed)}"


def _again(typed: Sequence[str], option: str = "", value: str = "") -> str:
    """The command once more, with this option instead of the one that it had."""
    if not typed:
        given = f', {option}="{value}"' if option else ""
        return f'crosslens.explore(survey{given}).save("site/")'
    kept, skipped = [], False
    for word in typed:
        if skipped or word == f"--{option}":
            skipped = not skipped
        elif not word.startswith(f"--{option}=") or not option:
            kept.append(word)
    return shlex.join([*kept, *([f"--{option}", value] if option else [])])


def _network(book: Book) -> str:
    return "MODEL" if book.model.named is None else book.model.named[0]
