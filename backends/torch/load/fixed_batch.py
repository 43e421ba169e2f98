"""Networks exported for one batch size: images go in batches of that size, the last one padded."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from crosslens.arrays import Array, namespace
from crosslens.execution.batching import slices
from crosslens.model import Linearization

__all__ = ["FixedBatch", "Rows", "concatenate", "fixed_batches", "padded_batches"]

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Rows:
    """The rows of all images that make one batch: ranges, each padded to the same size with its last row."""

    ranges: Sequence[tuple[int, int]]
    size: int
    """Of each range with its padding."""

    def take(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Those rows of arrays by name, with the padding."""
        return {name: self.take_array(each) for name, each in values.items()}

    def take_array(self, values: Array) -> Array:
        """Those rows of an array, with the padding."""
        parts = [_pad(values[start:stop, ...], self.size) for start, stop in self.ranges]
        return parts[0] if len(parts) == 1 else namespace(values).concat(parts)

    def pick(self, values: Mapping[Name, Array], part: int) -> dict[Name, Array]:
        """One range of what was computed of a batch, without the padding."""
        start, stop = self.ranges[part]
        first = part * self.size
        return {name: array[first : first + stop - start, ...] for name, array in values.items()}


def fixed_batches(count: int, size: int, *, paired: bool = False) -> list[Rows]:
    """The batches of a number of images.

    Args:
        count: images, references counted.
        size: images in each batch.
        paired: whether the second half of the images are references, which each batch must hold as its second half.
    """
    if not paired:
        return [Rows([each], size) for each in slices(count, size)]
    half = count // 2
    return [Rows([(a, b), (half + a, half + b)], size // 2) for a, b in slices(half, size // 2)]


def padded_batches(x: Array, replace: Mapping[str, Array], size: int) -> Iterator[tuple[int, Array, dict[str, Array]]]:
    """Batches of one size.

    Args:
        x: images (N, C, H, W).
        replace: activations of as many images, by layer.
        size: images in each batch.

    Yields:
        (how many of them are not padding, images, replacements).
    """
    for rows in fixed_batches(x.shape[0], size):
        ((start, stop),) = rows.ranges
        yield stop - start, rows.take_array(x), rows.take(replace)


def _pad(values: Array, size: int) -> Array:
    """`values` with its last item repeated up to `size`."""
    xp = namespace(values)
    missing = size - values.shape[0]
    return values if not missing else xp.concat([values, *[values[-1:, ...]] * missing])


def concatenate(parts: Sequence[Mapping[Name, Array]]) -> dict[Name, Array]:
    """Arrays by name, put together along the batch axis."""
    return {name: namespace(parts[0][name]).concat([part[name] for part in parts]) for name in parts[0]}


class FixedBatch(Linearization):
    """Linearisations of padded batches as one, without the padding."""

    def __init__(self, parts: Sequence[tuple[Rows, Linearization]]) -> None:
        self._parts = parts
        self.activations = _joined([(rows, part.activations) for rows, part in parts])

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Batch by batch."""
        return _joined([(rows, part.vjp(rows.take(cotangents))) for rows, part in self._parts])

    def close(self) -> None:
        """Close each batch."""
        for _, part in self._parts:
            part.close()


def _joined(parts: Sequence[tuple[Rows, Mapping[str, Array]]]) -> dict[str, Array]:
    """What was computed of all batches, in the order of the images."""
    ranges = range(len(parts[0][0].ranges))
    return concatenate([rows.pick(values, n) for n in ranges for rows, values in parts])
