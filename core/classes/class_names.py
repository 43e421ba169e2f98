"""Labels of a data set as classes of a model, and as what somebody types."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ParameterError, did_you_mean

__all__ = ["chosen_classes", "in_order", "matching_notes", "model_classes", "shown_names", "some"]

NAMED = 5
"""Classes that a note names."""
LISTED = 20
"""Classes that an error lists."""
NONE = -1
_DIGITS = frozenset("0123456789")


def in_order(label: str) -> tuple[Any, ...]:
    """A key that sorts labels as people do: by their letters, numbers in them by their value, numbers alone first.

    >>> sorted(["class 10", "10", "9", "class 9"], key=in_order)
    ['9', '10', 'class 9', 'class 10']
    """
    parts = [each for each in re.split(r"([0-9]+)", label) if each]
    return *((0, int(each), "") if each[0] in _DIGITS else (1, 0, each) for each in parts), (2, 0, label)


def _number(label: str) -> int | None:
    return int(label) if label and set(label) <= _DIGITS else None


def model_classes(labels: Sequence[str], names: Sequence[str], count: int) -> tuple[int, ...]:
    """The model's class that each label stands for: by its name, or by its number; -1 for a label that is no class.

    All labels go the same way, the one by which more of them are classes; by name if as many are. Capital letters do
    not matter, "_" is a space, and one of several names, "tabby, tabby cat", is enough. A class that two labels would
    stand for, and a name that two classes have, count for none.

    >>> model_classes(["tabby_cat", "dog", "cow"], ["Dog", "tabby, tabby cat"], 2)
    (1, 0, -1)
    >>> model_classes(["1", "0"], ["cat", "dog"], 2)
    (1, 0)
    """
    named = _by_name(names)
    by_name = _only_once([named.get(_folded(label), NONE) for label in labels])
    numbers = [_number(label) for label in labels]
    by_number = _only_once([NONE if n is None or n >= count else n for n in numbers])
    return by_number if _found(by_number) > _found(by_name) else by_name


def _by_name(names: Sequence[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for number, name in enumerate(names):
        for each in {_folded(name), *map(_folded, name.split(", "))}:
            found[each] = NONE if each in found else number
    return found


def _folded(name: str) -> str:
    return name.replace("_", " ").strip().casefold()


def _only_once(numbers: Sequence[int]) -> tuple[int, ...]:
    times = Counter(numbers)
    return tuple(NONE if times[number] > 1 else number for number in numbers)


def _found(numbers: Sequence[int]) -> int:
    return sum(number != NONE for number in numbers)


def matching_notes(labels: Sequence[str], numbers: Sequence[int], names: Sequence[str], count: int) -> tuple[str, ...]:
    """What a reader must know of how labels became classes of the model; nothing where none did.

    Args:
        labels: of the data.
        numbers: the model's class of each, -1 for none.
        names: the model's name of each, "" for none.
        count: classes of the model.

    >>> matching_notes(["1", "2"], [1, -1], ["dog", ""], 2)[1]
    "labels are taken as numbers of the network's classes: '1' is 'dog'"
    """
    notes, own = [], list(zip(labels, numbers, names, strict=True))
    if not _found(numbers):
        return ()
    if unknown := [label for label, number, _ in own if number == NONE]:
        notes.append(f"labels that stand for no class of the network: {some(unknown)}")
    for label, number, name in own:
        if name and _number(label) == number and _folded(label) not in {_folded(each) for each in name.split(", ")}:
            notes.append(f"labels are taken as numbers of the network's classes: {label!r} is {name!r}")
            break
    if str(count) in labels and "0" not in labels:
        notes.append(
            f"there is a label '{count}' and none '0', while the network's classes are 0 to {count - 1}: if labels "
            "count from 1, the confusion matrix is wrong"
        )
    return tuple(notes)


def some(labels: Sequence[str]) -> str:
    """The first of them, quoted.

    >>> some(["cat", "dog"])
    "'cat', 'dog'"
    """
    return ", ".join(map(repr, labels[:NAMED])) + ", ..." * (len(labels) > NAMED)


def shown_names(labels: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """What pictures call each class: the label, and behind a number the name that the model has for it, "" for none.

    >>> shown_names(["0", "1", "cat"], ["dog", "", "Cat"])
    ('0 dog', '1', 'cat')
    """
    return tuple(
        f"{label} {name}" if name not in ("", label) and _number(label) is not None else label
        for label, name in zip(labels, names, strict=True)
    )


def chosen_classes(asked: Sequence[str], labels: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """The places of one or two classes that somebody asked for.

    Args:
        asked: one or two classes; as text divided at commas, of which a label may hold some too.
        labels: of all classes.
        names: the model's name for each, "" where it has none; it is as good as the label.

    >>> chosen_classes(("tabby", " tabby cat", "dog"), ["tabby, tabby cat", "dog"], ["", ""])
    (0, 1)

    Raises:
        ParameterError: no class is called so, with the nearest that are; the same one twice; more than two.
    """
    known = _places(labels, names)
    words = tuple(each.strip() for each in asked)
    if len(words) < 3 and all(word in known for word in words):
        return _different(tuple(known[word] for word in words), words)
    text = ",".join(asked)
    parts = text.split(",")
    ways = [tuple(",".join(each).strip() for each in (parts[:n], parts[n:]) if each) for n in range(1, len(parts) + 1)]
    right = {tuple(known[word] for word in way): way for way in ways if all(word in known for word in way)}
    if len(right) > 1:
        raise ParameterError(f"pair {text!r} can be read in {len(right)} ways; in Python give the labels one by one")
    for places, way in right.items():
        return _different(places, way)
    raise ParameterError(_unknown(words if len(words) < 3 else (text,), known, labels))


def _places(labels: Sequence[str], names: Sequence[str]) -> Mapping[str, int]:
    """The place of each class by its label; by the model's names for it where these are no labels."""
    known = {label: place for place, label in enumerate(labels)}
    for place, name in enumerate(names):
        for each in filter(None, (name, *name.split(", "))):
            known.setdefault(each, place)
    return known


def _different(places: tuple[int, ...], words: Sequence[str]) -> tuple[int, ...]:
    if len(set(places)) < len(places):
        raise ParameterError(f"pair names one class twice, {' and '.join(map(repr, words))}; give two, or one alone")
    return places


def _unknown(words: Sequence[str], known: Mapping[str, int], labels: Sequence[str]) -> str:
    wrong = next(word for word in words if word not in known)
    some = f": {', '.join(map(repr, labels))}" if len(labels) <= LISTED else ""
    hint = did_you_mean(wrong, known)
    said = f"pair: no class {wrong!r} among the {len(labels)} of the data{some}{'.' if hint and some else ''}{hint}"
    return said + "; a pair is one class or two" * (wrong.count(",") > 1)
