"""The weights of a Keras model, an HDF5 file: refused where it leads to other files or holds more than the memory."""

from collections.abc import Iterator
from typing import Any

import h5py  # type: ignore[import-untyped]
from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory

__all__ = ["refuse_unsafe_weights"]

_MOST_OBJECTS = 1_000_000
_KINDS = frozenset("fiubcSV")
_AGAIN = "save it again with model.save('NAME.keras')"


def refuse_unsafe_weights(file: Any, path: object) -> None:
    """Refuse links, data in other files, and arrays that are not of numbers; nothing is read but the structure.

    Args:
        file: an open `h5py.File`.
        path: for the message.

    Raises:
        ModelError: with the name of the part.
        MemoryLimitError: the arrays together would take more memory than the limit.
    """
    total = 0
    for count, (name, part) in enumerate(_parts(file, path)):
        if count > _MOST_OBJECTS:
            raise ModelError(f"'{path}' holds over {_MOST_OBJECTS:,} parts; {_AGAIN}")
        if isinstance(part, h5py.Dataset):
            if part.external or part.is_virtual:
                raise ModelError(f"'{path}' holds {name[:80]!r}, whose numbers are in another file; {_AGAIN}")
            if part.dtype.kind not in _KINDS or part.dtype.names:
                raise ModelError(f"'{path}' holds {name[:80]!r}, which is not an array of numbers; {_AGAIN}")
            total += part.size * part.dtype.itemsize if part.shape is not None else 0
    check_memory(2 * total, f"the weights in '{path}'", "open it on a machine with more memory")


def _parts(file: Any, path: object) -> Iterator[tuple[str, Any]]:
    """(name, group or dataset) of each part, each once, whatever number of names it has.

    Raises:
        ModelError: a link that could lead elsewhere.
    """
    visited = {h5py.h5o.get_info(file.id).addr}
    ahead = [("", file)]
    while ahead:
        name, group = ahead.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ModelError(f"'{path}' holds {f'{name}/{key}'[:80]!r}, a link to another place; {_AGAIN}")
            part = group[key]
            if (address := h5py.h5o.get_info(part.id).addr) in visited:
                continue
            visited.add(address)
            yield f"{name}/{key}", part
            if isinstance(part, h5py.Group):
                ahead.append((f"{name}/{key}", part))
