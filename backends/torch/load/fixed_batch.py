"""Networks exported for one batch size: any number of images in pieces of that size, the last one filled up."""

from collections.abc import Iterator, Mapping, Sequence

from crosslens.arrays import Array, namespace
from crosslens.execution.batching import slices
from crosslens.model import Linearization

__all__ = ["FixedBatch", "concatenate", "padded_batches"]


def padded_batches(x: Array, replace: Mapping[str, Array], size: int) -> Iterator[tuple[int, Array, dict[str, Array]]]:
    """(images that count, `size` images, their replacements) one after another."""
    for start, stop in slices(x.shape[0], size):
        given = {name: _filled(values[start:stop], size) for name, values in replace.items()}
        yield stop - start, _filled(x[start:stop], size), given


def _filled(values: Array, size: int) -> Array:
    """`values` with its last item repeated up to `size`."""
    xp = namespace(values)
    missing = size - values.shape[0]
    return values if not missing else xp.concat([values, *[values[-1:]] * missing])


def concatenate(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Pieces of arrays by name, put together along the batch axis."""
    return {name: namespace(parts[0][name]).concat([part[name] for part in parts]) for name in parts[0]}


class FixedBatch(Linearization):
    """Linearisations of pieces as one; what fills up the last piece is never seen."""

    def __init__(self, parts: Sequence[tuple[int, Linearization]], size: int) -> None:
        self._parts, self._size = parts, size
        self.activations = concatenate([_cut(part.activations, count) for count, part in parts])

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Piece by piece."""
        found, start = [], 0
        for count, part in self._parts:
            given = {name: _filled(values[start : start + count], self._size) for name, values in cotangents.items()}
            found.append(_cut(part.vjp(given), count))
            start += count
        return concatenate(found)

    def close(self) -> None:
        """Close each piece."""
        for _, part in self._parts:
            part.close()


def _cut(values: Mapping[str, Array], count: int) -> dict[str, Array]:
    return {name: array[:count] for name, array in values.items()}
