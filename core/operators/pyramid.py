"""A picture as a sum of pictures at halving resolutions: the Laplacian pyramid (Burt and Adelson 1983)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

from ..arrays import Array, namespace
from .operator import Operator, Size, check_size
from .resize import Resize

__all__ = ["Pyramid"]


@dataclass(frozen=True)
class Pyramid(Operator):
    """Parameters (N, C, P) to pictures (N, C, H, W): bands, finest first, each enlarged to the full size, then added.

    Band k has H / 2^k x W / 2^k pixels, rounded up; P is the number of pixels of all bands.
    """

    size: Size
    levels: int = 4

    @property
    def sizes(self) -> list[Size]:
        """(h, w) of each band."""
        return [(ceil(self.size[0] / 2**k), ceil(self.size[1] / 2**k)) for k in range(self.levels)]

    @property
    def length(self) -> int:
        """P, the number of parameters of one channel."""
        return sum(prod(size) for size in self.sizes)

    def bands(self, x: Array) -> list[Array]:
        """(N, C, P) as one array (N, C, h, w) per band."""
        parts, start = [], 0
        for size in self.sizes:
            stop = start + prod(size)
            parts.append(namespace(x).reshape(x[..., start:stop], (*x.shape[:-1], *size)))
            start = stop
        return parts

    def packed(self, bands: list[Array]) -> Array:
        """The inverse of `bands`."""
        xp = namespace(bands[0])
        return xp.concat([xp.reshape(band, (*band.shape[:-2], -1)) for band in bands], axis=-1)

    def each(self, x: Array, change: Callable[[Array], Array]) -> Array:
        """A picture (N, C, H, W), taken apart, with `change` done to each band, and put together again."""
        return self.apply(self.packed([change(band) for band in self.bands(self.inverse(x))]))

    def apply(self, x: Array) -> Array:
        """(N, C, P) to (N, C, H, W)."""
        first, *rest = (
            Resize(small, self.size).apply(band) for small, band in zip(self.sizes, self.bands(x), strict=True)
        )
        return sum(rest, first)

    def adjoint(self, y: Array) -> Array:
        """(N, C, H, W) to (N, C, P)."""
        check_size(self, y, self.size)
        return self.packed([Resize(small, self.size).adjoint(y) for small in self.sizes])

    def inverse(self, y: Array) -> Array:
        """The bands of a picture: the coarsest is the picture made small, each finer one what is still missing."""
        check_size(self, y, self.size)
        bands: list[Array] = []
        for small in reversed(self.sizes):
            bands.insert(0, Resize(self.size, small).apply(y))
            y = y - Resize(small, self.size).apply(bands[0])
        return self.packed(bands)
