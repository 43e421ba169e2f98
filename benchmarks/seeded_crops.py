"""A source of any length: seeded crops of the photographs that scikit-image ships, made as they are read."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import crosslens
import numpy as np
from crosslens.data import Samples
from skimage import data

__all__ = ["SeededCrops"]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


@cache
def _photograph(name: str) -> Any:
    """(3, H, W), uint8."""
    return np.ascontiguousarray(getattr(data, name)().transpose(2, 0, 1))


class SeededCrops(crosslens.Source):
    """`count` squares of `side` pixels, each at a place that its number decides, mirrored or not."""

    def __init__(self, count: int, side: int = 224) -> None:
        self.count, self.side = count, side

    def __len__(self) -> int:
        return self.count

    @property
    def ids(self) -> Sequence[str]:
        return _Numbers(self.count)

    @property
    def digest(self) -> str:
        return f"seeded-crops-{self.count}-{self.side}"

    def read(self, start: int, stop: int, model: crosslens.Model) -> Samples:
        numbers = tuple(range(start, stop))
        images = np.stack([self._crop(number) for number in numbers]).astype(np.float32) / 255
        names = tuple({"label": PHOTOGRAPHS[number % len(PHOTOGRAPHS)]} for number in numbers)
        return Samples(numbers, tuple(map(str, numbers)), images, names)

    def _crop(self, number: int) -> Any:
        picture = _photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])
        rng = np.random.default_rng(number)
        top, left = (int(rng.integers(0, size - self.side + 1)) for size in picture.shape[1:])
        return picture[:, top : top + self.side, left : left + self.side][:, :, :: 1 - 2 * int(rng.integers(0, 2))]


class _Numbers(Sequence[str]):
    """ "0", "1", ... as long as the source, and nothing held."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(map(str, range(*index.indices(self.count))))
        return str(range(self.count)[index])


def thousand() -> SeededCrops:
    """For commands: `crosslens explore demo:lite0_onnx benchmarks.seeded_crops:thousand -o site/`."""
    return SeededCrops(1000)
