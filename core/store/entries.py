"""The methods of a survey as its manifest lists them: name, parameters, the words that tell two of a name apart."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..method.dataset import DatasetMethod
from ..method.method_words import method_in_words
from ..method.parameter import parameters
from ..method.provenance import json_value

__all__ = ["Entry", "entries_with", "labels"]


@dataclass(frozen=True)
class Entry:
    """A method and the folder of its result."""

    name: str
    parameters: dict[str, Any]
    words: str
    """Such as "top_examples count=9": the name, and the parameters that are not the default."""
    folder: str


def entries_with(known: Sequence[Entry], methods: Iterable[DatasetMethod]) -> tuple[list[Entry], list[Entry]]:
    """All entries, those known first, and the entry of each of these methods.

    The first of a name has a folder of that name, others one of their words, whatever was asked for later.
    """
    every, own = list(known), list[Entry]()
    for method in methods:
        values = {f.name: json_value(getattr(method, f.name)) for f in parameters(method)}
        entry = next((each for each in every if (each.name, each.parameters) == (method.name, values)), None)
        if entry is None:
            words = _words(method)
            entry = Entry(method.name, values, words, _folder(method.name, words, {each.folder for each in every}))
            every.append(entry)
        own.append(entry)
    return every, own


def _words(method: DatasetMethod) -> str:
    call = method_in_words(method).partition("(")[2][:-1]
    given = call.partition(", ")[2]
    return f"{method.name} {re.sub(r', (?=[a-z_]+=)', ' ', given)}".strip().replace("'", "")


def _folder(name: str, words: str, taken: set[str]) -> str:
    bare = re.sub(r",?[()\[\]]|(?<=,) ", "", words)  # pair=(4, 9) as pair=4,9, (4,) as 4
    plain = re.sub(r"[^\w.=,-]+", "-", bare)[:80].strip("-.")
    choices = [name, plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3))]
    return next(each for each in choices if each not in taken)


def labels(entries: Sequence[Entry]) -> dict[str, Entry]:
    """By the name of a method, or by its words where there are several of the name."""
    names = [each.name for each in entries]
    return {each.name if names.count(each.name) == 1 else each.words: each for each in entries}
