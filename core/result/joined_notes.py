"""The notes of results that are joined to one."""

import re
from collections.abc import Sequence

__all__ = ["joined_notes", "kind_of"]

_COUNT = re.compile(r"\b(\d+) of (\d+) images\b")
_WORST = re.compile(r"\bat most by (\d[\d.e+-]*)")


def joined_notes(parts: Sequence[tuple[Sequence[str], int]]) -> tuple[str, ...]:
    """Each note once: counts of images are added up, and of largest errors the largest stays.

    Args:
        parts: the notes and the number of images of each result.

    >>> joined_notes([(["3 of 5 images miss (at most by 7.5)"], 5), (["1 of 4 images miss (at most by 10.9)"], 4)])
    ('4 of 9 images miss (at most by 10.9)',)
    """
    alike: dict[str, list[str]] = {}
    for notes, count in parts:
        for note in notes:
            alike.setdefault(kind_of(note, count), []).append(note)
    total = sum(count for _, count in parts)
    return tuple(same[0] if kind == same[0] else _added_up(same, total) for kind, same in alike.items())


def kind_of(note: str, count: int) -> str:
    """What notes on different images have in common: the note without its figures, where it counts these images."""
    found = _COUNT.search(note)
    if found is None or int(found[2]) != count:
        return note
    return _WORST.sub("at most by #", _COUNT.sub("# of # images", note, count=1))


def _added_up(notes: Sequence[str], total: int) -> str:
    """Notes that differ in their figures only, as one on `total` images."""
    images = sum(int(found[1]) for note in notes if (found := _COUNT.search(note)))
    worst = max((found[1] for note in notes if (found := _WORST.search(note))), key=float, default="")
    return _WORST.sub(f"at most by {worst}", _COUNT.sub(f"{images} of {total} images", notes[0], count=1))
