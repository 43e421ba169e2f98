"""Networks exported for one batch size: images go in batches of that size, the last one padded."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

from crosslens.arrays import Array, namespace
from crosslens.execution.batching import slices
from crosslens.model import Linearization

__all__ = ["FixedBatch", "concatenate", "padded_batches"]

Name = TypeVar("Name", bound=Hashable)


def padded_batches(x: Array, replace: Mapping[str, Array], size: int) -> Iterator[tuple[int, Array, dict[str, Array]]]:
    """Batches of one size.

    Args:
        x: images (N, C, H, W).
        replace: activations of as many images, by layer.
        size: images in each batch.

    Yields:
        (how many of them are not padding, images, replacements).
    """
    for start, stop in slices(x.shape[0], size):
        padded = {name: _pad(values[start:stop], size) for name, values in replace.items()}
        yield stop - start, _pad(x[start:stop], size), padded


def _pad(values: Array, size: int) -> Array:
    """`values` with its last item repeated up to `size`."""
    xp = namespace(values)
    missing = size - values.shape[0]
    return values if not missing else xp.concat([values, *[values[-1:]] * missing])


def concatenate(parts: Sequence[Mapping[Name, Array]]) -> dict[Name, Array]:
    """Arrays by name, put together along the batch axis."""
    return {name: namespace(parts[0][name]).concat([part[name] for part in parts]) for name in parts[0]}


class FixedBatch(Linearization):
    """Linearisations of padded batches as one, without the padding."""

    def __init__(self, parts: Sequence[tuple[int, Linearization]], size: int) -> None:
        self._parts, self._size = parts, size
        self.activations = concatenate([_without_padding(part.activations, count) for count, part in parts])

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Batch by batch."""
        gradients, start = [], 0
        for count, part in self._parts:
            padded = {name: _pad(values[start : start + count], self._size) for name, values in cotangents.items()}
            gradients.append(_without_padding(part.vjp(padded), count))
            start += count
        return concatenate(gradients)

    def close(self) -> None:
        """Close each batch."""
        for _, part in self._parts:
            part.close()


def _without_padding(values: Mapping[str, Array], count: int) -> dict[str, Array]:
    return {name: array[:count] for name, array in values.items()}
