"""`PatchMixture`: a mixture of Gaussians of image patches, as numbers and as a picture of what each component holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..image.false_colour import pixels
from ..objective.mixture_file import read_density
from ..objective.patch_density import PatchDensity
from ..result.base import Result
from ..result.display import counted
from ..result.formats import PICTURES
from .grid import sheet
from .tile import Tile

__all__ = ["PatchMixture"]

Pixels = np.ndarray[Any, Any]
ROWS = 20
"""Components that are pictured, the heaviest first."""
DIRECTIONS, SAMPLES = 5, 4
"""Eigenvectors, and random patches, of each component in the picture."""
EDGE = 48
"""Pixels up to which a patch is enlarged."""


@dataclass(frozen=True)
class PatchMixture(Result):
    """K Gaussians of the patches of pictures with pixels in [0, 1], the heaviest first; all float64.

    Component k has the density of N(means[k], cholesky[k] cholesky[k]^T). Patches are flat, channels first. Without
    their mean they have one coordinate fewer: their numbers times `mean_free_basis` of `crosslens.objective`.
    """

    weights: Array
    """(K,), which add up to 1."""
    means: Array
    """(K, d): d = C * P * P, or one fewer where patches are taken without their mean."""
    cholesky: Array
    """(K, d, d), lower triangular."""
    patch_shape: Array
    """(C, P, P), int64."""
    picture_size: Array
    """(H, W) of the pictures, int64."""
    log_likelihood: float
    """The mean of log p over the patches that it was fitted to, in nats per patch."""
    patches: int
    """How many these are."""
    pictures: int
    """How many pictures they come from."""
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = (
        ".png, .jpg or .webp for a picture, .npz for everything, which patch_mixture:FILE.npz reads"
    )

    @property
    def density(self) -> PatchDensity:
        """Log-likelihoods of patches, and their gradients."""
        return read_density(self)[0]

    def figures(self) -> Mapping[str, Any]:
        """How many components, and how likely the patches are under them."""
        return {
            "components": len(np.asarray(self.weights)),
            "log_likelihood": self.log_likelihood,
            "patches": self.patches,
            "pictures": self.pictures,
        }

    def picture(self) -> Pixels:
        """A row for each component: its mean, the directions in which it varies most, and random patches of it."""
        density = self.density
        rng = np.random.default_rng(0)
        rows = [self._row(density, k, rng) for k in range(min(ROWS, len(density.weights)))]
        more = f", the {ROWS} heaviest of {len(density.weights)}" if len(density.weights) > ROWS else ""
        return sheet(rows, heading=f"patches: mean, directions of most variance, random examples{more}", smallest=EDGE)

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`patches.png`, the picture."""
        return [self.save(folder / "patches.png")]

    def _row(self, density: PatchDensity, k: int, rng: np.random.Generator) -> list[Tile]:
        """The tiles of component k."""
        factor, mean = density.cholesky[k], density.means[k]
        directions, lengths, _ = np.linalg.svd(factor)
        middle = 0.0 if density.keeps_mean else 0.5
        leading = [
            Tile(self._drawn(density, each / np.abs(density.basis @ each).max() / 2, 0.5), f"{length:.2f}")
            for each, length in zip(directions.T[:DIRECTIONS], lengths, strict=False)
        ]
        drawn = mean + rng.standard_normal((SAMPLES, len(mean))) @ factor.T
        samples = [Tile(self._drawn(density, each, middle)) for each in drawn]
        return [Tile(self._drawn(density, mean, middle), f"{density.weights[k]:.1%}"), *leading, *samples]

    def _drawn(self, density: PatchDensity, coordinates: Pixels, middle: float) -> Pixels:
        """Coordinates as a patch about a grey, (P, P, 3)."""
        patch = (middle + density.basis @ coordinates).reshape(density.shape)
        return pixels(patch.clip(0, 1).astype(np.float32), (0.0, 1.0), self.bands)

    def _facts(self) -> Iterator[str]:
        channels, side, _ = (int(n) for n in np.asarray(self.patch_shape))
        yield f"{counted(len(np.asarray(self.weights)), 'component')} of {side} x {side} pixels"
        yield counted(channels, "channel")
        yield f"log-likelihood {self.log_likelihood:.1f} nats per patch"
