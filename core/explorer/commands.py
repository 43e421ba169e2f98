"""What a user types to make what a site does not have yet: lines that a shell takes as they stand."""

import shlex
from collections.abc import Mapping, Sequence

from .book import Book

__all__ = ["commands"]

OF_MODELS = (
    "preprocess", "input-shape", "input-range", "output", "output-kind", "hold", "batch-size", "device", "providers",
    "labels", "resize", "crop",
)  # fmt: skip
"""Options of `crosslens explore` that a sweep of the same network and pictures has too, each with a value."""


def commands(book: Book, typed: Sequence[str]) -> Mapping[str, str]:
    """A command for each kind of thing that can be missing, by `Missing` of data.ts.

    Args:
        book: of the site.
        typed: the words of the command that made it; empty in a program, whose user then reads calls of Python.
    """
    if not typed:
        return _in_python()
    data = f"crosslens explore {shlex.quote(_network(book))} PHOTOS/ -o site/"
    swept = _Sweep(book, typed)
    return {
        "units": _again(typed, "units", "all"),
        "layers": swept.adding("unit_statistics:layers=NAME top_examples:layers=NAME,shown=0")
        or _again(typed, "layers", "NAME"),
        "pictures": _again(typed, "pictures", "all"),
        "data": data,
        "points": swept.adding("embedding") or data,
        "atlas": swept.adding("activation_atlas") or data,
        "concepts": f"crosslens shapes -o shapes/ && {shlex.join(_with_data(book, typed))}",
        "beside": _again(typed, "beside", "MODEL"),
    }


def _in_python() -> Mapping[str, str]:
    """The calls, by the same names."""
    more = {"units": 'units="all"', "pictures": 'pictures="all"', "beside": "beside=other"}
    calls = {name: f'crosslens.explore(survey, {given}).save("site/")' for name, given in more.items()}
    swept = {"points": '"embedding"', "atlas": '"activation_atlas"'}
    sweeps = {name: f"crosslens.sweep(model, data, {method}, store=survey.folder)" for name, method in swept.items()}
    made = {"layers": 'layers=["NAME"]', "data": 'store="survey/"'}
    first = {name: f'crosslens.explore(model, data, {given}).save("site/")' for name, given in made.items()}
    return {
        **calls,
        **sweeps,
        **first,
        "concepts": 'crosslens.explore(model, crosslens.concept_data("masks/")).save("site/")',
    }


class _Sweep:
    """The sweep that adds to the survey of a site, and then the command that made the site."""

    def __init__(self, book: Book, typed: Sequence[str]) -> None:
        self._book, self._typed = book, typed

    def adding(self, methods: str) -> str:
        """The command that adds these methods; "" where there is no survey in a folder, or its images had no name."""
        book, source = self._book, self._book.source
        if book.survey.folder is None or source is None or source.named is None:
            return ""
        words = ["crosslens", "sweep", _network(book), source.named[0]]
        kept = shlex.join(_options(self._typed))
        line = f"{shlex.join(words)} {methods} -o {shlex.quote(str(book.survey.folder))} {kept}".rstrip()
        return f"{line} && {_again(self._typed)}"


def _options(typed: Sequence[str]) -> list[str]:
    """The options of the model and the pictures among the words, with their values."""
    kept, names = list[str](), {f"--{name}" for name in OF_MODELS}
    for place, word in enumerate(typed):
        name, equals, _ = word.partition("=")
        if name in names:
            kept += [word] if equals else list(typed[place : place + 2])
        elif word == "--trust":
            kept.append(word)
    return kept


def _with_data(book: Book, typed: Sequence[str]) -> list[str]:
    """The site of the same network over pictures with masks, in a folder of its own."""
    return ["crosslens", "explore", _network(book), "shapes/", "-o", "concepts/", *_options(typed)]


def _again(typed: Sequence[str], option: str = "", value: str = "") -> str:
    """The command once more, with this option instead of the one that it had."""
    kept, skipped = [], False
    for word in typed:
        if skipped or (option and word == f"--{option}"):
            skipped = not skipped
        elif not option or not word.startswith(f"--{option}="):
            kept.append(word)
    return shlex.join([*kept, *([f"--{option}", value] if option else [])])


def _network(book: Book) -> str:
    return "MODEL" if book.model.named is None else book.model.named[0]
