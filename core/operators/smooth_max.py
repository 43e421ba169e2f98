"""A smooth mask from a coarse one: a convolution with a maximum in place of the sum; not linear."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from ..arrays import Array, like, namespace
from .operator import VJP, Differentiable, Size

__all__ = ["SmoothMax"]


@dataclass(frozen=True)
class SmoothMax(Differentiable):
    """m(u) = smax_i k(|u - u_i| / width) v_i, from a grid v to pixels (Fong et al. 2019, section 3).

    k(z) = exp(-2 max(z - 1/2, 0)^2), and smax f = sum f exp(f / T) / sum exp(f / T) over the grid points around u.
    Unlike a sum, it neither exceeds 1 nor is sharper than k. The constants and the
    reach of k are those of the authors' TorchRay.
    """

    size: Size
    every: int
    """Distance between grid points, in pixels."""
    width: float
    """In pixels."""
    temperature: float = 0.05

    @property
    def grid(self) -> Size:
        """(h, w) of the grid."""
        return ceil(self.size[0] / self.every), ceil(self.size[1] / self.every)

    @property
    def _reach(self) -> int:
        return 1 + ceil(self.width / self.every)

    def _kernel(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """(offsets, offsets, every, every): k from each grid point around a cell to each pixel in it."""
        offsets = np.arange(-self._reach, self._reach + 1) * self.every
        inside = np.arange(self.every) - (self.every - 1) / 2
        along = (inside[None, :] - offsets[:, None]) ** 2
        z = np.sqrt(along[:, None, :, None] + along[None, :, None, :]) / self.width
        return np.asarray(np.exp(-2 * np.maximum(z - 0.5, 0) ** 2))

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """From the grid (h, w) to the mask (H, W), and the gradient's way back."""
        xp, (h, w), every, reach = namespace(x), self.grid, self.every, self._reach
        kernel = like(self._kernel(), x)
        padded = xp.zeros((h + 2 * reach, w + 2 * reach), dtype=x.dtype, device=x.device)
        there = xp.zeros_like(padded)
        padded[reach : reach + h, reach : reach + w] = x
        there[reach : reach + h, reach : reach + w] = 1.0
        top = xp.zeros((h, every, w, every), dtype=x.dtype, device=x.device)
        bottom = xp.zeros_like(top)
        places = [(i, j) for i in range(2 * reach + 1) for j in range(2 * reach + 1)]
        for i, j in places:
            f = kernel[i, j, ...][None, :, None, :] * padded[i : i + h, j : j + w][:, None, :, None]
            e = xp.exp(f / self.temperature) * there[i : i + h, j : j + w][:, None, :, None]
            top, bottom = top + f * e, bottom + e
        mask = top / bottom

        def back(dy: Array) -> Array:
            seed = self._cells(dy) / bottom
            total = xp.zeros_like(padded)
            for i, j in places:
                k = kernel[i, j, ...][None, :, None, :]
                f = k * padded[i : i + h, j : j + w][:, None, :, None]
                slope = seed * k * xp.exp(f / self.temperature) * (1 + (f - mask) / self.temperature)
                total[i : i + h, j : j + w] += xp.sum(slope, axis=(1, 3))
            return total[reach : reach + h, reach : reach + w]

        return xp.reshape(mask, (h * every, w * every))[: self.size[0], : self.size[1]], back

    def _cells(self, dy: Array) -> Array:
        """(H, W) as (h, every, w, every), zero where a cell leaves the picture."""
        (h, w), every = self.grid, self.every
        full = namespace(dy).zeros((h * every, w * every), dtype=dy.dtype, device=dy.device)
        full[: self.size[0], : self.size[1]] = dy
        return namespace(dy).reshape(full, (h, every, w, every))
