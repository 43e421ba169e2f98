"""The labels of a data set as classes: refused where they cannot be compared, before any image is read if possible."""

from collections import Counter
from collections.abc import Sequence

from crosslens.classes.class_names import chosen_classes, in_order, model_classes
from crosslens.data import Source
from crosslens.errors import ImageError
from crosslens.model import Model

__all__ = ["is_text", "model_names", "refuse_known", "too_few_classes"]


def is_text(label: str) -> bool:
    """Whether a label could be read; bytes that are no text cannot."""
    return not any(each == "\ufffd" or "\ud800" <= each <= "\udfff" for each in label)


def model_names(model: Model, labels: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...], int]:
    """The model's class of each label, -1 for none; its name of each, "" for none; how many classes it has."""
    known: Sequence[str] = ()
    classes = 0
    if model.output.is_vector:
        known, classes = model.output.names(model.labels), model.output.count
    numbers = model_classes(labels, known, classes)
    return numbers, tuple(known[n] if 0 <= n < len(known) else "" for n in numbers), classes


def too_few_classes(data: str, labels: Sequence[str], images: int, unlabelled: int, unreadable: int) -> ImageError:
    """The error of data with fewer than two classes.

    Args:
        data: in words.
        labels: the one, or none.
        images: that have it.
        unlabelled: images without a label.
        unreadable: images with a label that is no text.
    """
    held = f"all {images} labelled images are {labels[0]!r}" if labels else "no image has a label"
    some = unlabelled if labels else 0, unreadable
    said = [f"{n} have {what}" for n, what in zip(some, ("none", "one that is no text"), strict=True) if n]
    without = f" ({', '.join(said)})" * bool(said)
    return ImageError(
        f"{data}: {held}{without}, and at least two classes are compared: make them "
        "sub-folders, or in Python give crosslens.data((images, labels))"
    )


def refuse_known(model: Model, source: Source, pair: Sequence[str]) -> None:
    """Refuse what labels that are known before the images say already.

    Raises:
        ImageError: there are fewer than two classes.
        ParameterError: the data have no class of the pair.
    """
    given = source.known_labels
    if given is None:
        return
    counts = Counter(given)
    unlabelled = counts.pop("", 0)
    unreadable = sum(counts.pop(label) for label in list(counts) if not is_text(label))
    labels = sorted(counts, key=in_order)
    if len(labels) < 2:
        raise too_few_classes(str(source), labels, counts.total(), unlabelled, unreadable)
    if pair:
        chosen_classes(pair, labels, model_names(model, labels)[1])
