"""`Leaf`: one file of a site's data that is still to be made, or was made before of the same things."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..execution.progress import Progress
from .data_folder import DataFolder

__all__ = ["Leaf", "write_leaves"]


@dataclass(frozen=True)
class Leaf:
    """A file of data, and how it is made."""

    key: str
    """Such as "units/3/12"; see `DataFolder.path`."""
    stamp: str
    """Of all that the file is made of; see `stamp_of`."""
    make: Callable[[], Mapping[str, Any]]
    """Called only where the file is not there with this stamp. Leaves in a row may share work, done by the first."""
    what: str = ""
    """For the progress: "unit 12 of blocks.3"."""


def write_leaves(
    leaves: Iterable[Leaf], folder: DataFolder, progress: Progress, written: Callable[[], None] = lambda: None
) -> None:
    """Write those that are not there; an interruption loses no more than the one under way.

    Args:
        leaves: in the order in which they are made.
        folder: where they are written.
        progress: told of each.
        written: called after each that was made.
    """
    every = list(leaves)
    for done, leaf in enumerate(every):
        progress(done, len(every), leaf.what)
        if not folder.has(leaf.key, leaf.stamp):
            folder.write(leaf.key, leaf.make(), leaf.stamp)
            written()
    progress(len(every), len(every), "")
