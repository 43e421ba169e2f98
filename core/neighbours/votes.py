"""What neighbours' labels say of a label, which images hold the same pixels, and which stand in one group."""

from typing import Any

import numpy as np

__all__ = ["first_alike", "groups_of", "votes"]

Numbers = np.ndarray[Any, Any]


def votes(labels: Numbers, near: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """How neighbours vote.

    Args:
        labels: (m,) text, "" for none.
        near: (m, count) text, the neighbours' labels.

    Returns:
        (m,) each: how many neighbours have the own label, -1 without one; how many the most frequent other label; and
        that label, "" where there is none. Of equally frequent ones that of the nearest neighbour.
    """
    _, codes = np.unique(np.concatenate([[""], labels, near.ravel()]), return_inverse=True)
    own, others = codes[1 : len(labels) + 1], codes[len(labels) + 1 :].reshape(near.shape)
    agreeing = np.where(own == codes[0], -1, (others == own[:, None]).sum(axis=1))
    most, label = np.zeros(len(labels), int), np.full(len(labels), "", near.dtype)
    for column in range(near.shape[1]):
        one = others[:, column]
        counts = np.where((one == own) | (one == codes[0]), 0, (others == one[:, None]).sum(axis=1))
        label = np.where(counts > most, near[:, column], label)
        most = np.maximum(most, counts)
    return agreeing, most, label


def first_alike(digests: Numbers, among: Numbers, own: Numbers) -> Numbers:
    """The first place in `among` (n, bytes) of the same digest as each of `digests` (m, bytes), -1 where none is.

    `own` (m,) is each one's own place in `among`, which does not count; -1 for none.
    """
    asked, known = (np.ascontiguousarray(each).view(f"V{each.shape[1]}").ravel() for each in (digests, among))
    order = np.argsort(known, kind="stable")
    ordered = known[order]
    at = np.searchsorted(ordered, asked)
    first = _at(order, at)
    at = np.where((first == own) & (own >= 0), at + 1, at)
    same = np.array([_at(ordered, at)]).ravel() == asked
    return np.where(same & (at < len(known)), _at(order, at), -1)


def _at(values: Numbers, places: Numbers) -> Numbers:
    return np.asarray(values[np.minimum(places, len(values) - 1)])


def groups_of(count: int, a: Numbers, b: Numbers) -> list[list[int]]:
    """Groups of numbers below `count` that pairs (a[i], b[i]) join, each ascending, by their first member."""
    group = np.arange(count)
    while True:
        least = np.minimum(group[a], group[b])
        joined = group.copy()
        np.minimum.at(joined, group[a], least)
        np.minimum.at(joined, group[b], least)
        joined = joined[joined]
        if (joined == group).all():
            break
        group = joined
    members = np.unique(np.concatenate([a, b]).astype(int))
    order = members[np.argsort(group[members], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    return [part.tolist() for part in np.split(order, cuts)] if len(order) else []
