"""What is dissected of a layer: its units, or as many random orthogonal directions of the same space."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import LayerError, ModelError, ParameterError
from ..limits.whole_numbers import is_whole_number

__all__ = ["BASES", "UNITS", "Basis", "basis_of", "maps_of"]

Numbers = np.ndarray[Any, Any]
BASES = ("units", "random:SEED")


@dataclass(frozen=True)
class Basis:
    """The units, or orthogonal directions from a seed (Bau et al. 2017, section 3.2)."""

    seed: int | None = None

    @property
    def name(self) -> str:
        """What a table calls it: "units" or "directions"."""
        return "units" if self.seed is None else "directions"

    def of(self, maps: Numbers) -> Numbers:
        """Maps (units, h, w) along each direction, of the same shape."""
        if self.seed is None:
            return maps
        found = directions(len(maps), self.seed) @ maps.reshape(len(maps), -1)
        return np.asarray(found).reshape(maps.shape)


UNITS = Basis()


@lru_cache(maxsize=4)
def directions(count: int, seed: int) -> Numbers:
    """(count, count), float32: a random orthogonal matrix, all rotations equally likely (Stewart 1980)."""
    normal = np.random.default_rng(seed).standard_normal((count, count))
    orthogonal, triangle = np.linalg.qr(normal)
    return np.asarray(orthogonal * np.sign(np.diag(triangle))).astype(np.float32)


def basis_of(text: str) -> tuple[Basis, ...]:
    """What `basis=` asks for: units alone, or units and random directions beside them.

    >>> basis_of("units"), basis_of("random:3")
    ((Basis(seed=None),), (Basis(seed=None), Basis(seed=3)))

    Raises:
        ParameterError: neither.
    """
    kind, _, seed = text.partition(":")
    if text == "units":
        return (UNITS,)
    if kind == "random" and is_whole_number(seed):
        return (UNITS, Basis(int(seed)))
    raise ParameterError(f"basis is {text!r}; give units, or random:SEED with a whole number, random:0 for example")


def maps_of(layer: str, activations: Array, ids: tuple[str, ...]) -> Numbers:
    """A batch's activations as maps (N, units, h, w), float32; a vector's numbers are maps of one value.

    Raises:
        LayerError: they are neither maps nor vectors.
        ModelError: some are NaN.
    """
    values = as_numpy(activations).astype(np.float32, copy=False)
    if values.ndim == 2:
        values = values[:, :, None, None]
    if values.ndim != 4:
        raise LayerError(
            f"layer {layer!r} gives {values.shape[1:]} for each picture; dissection takes maps (units, h, w), which "
            "lie in the picture, or vectors (units,): name such a layer"
        )
    if np.isnan(values.max()):
        raise ModelError(
            f"layer {layer!r} gives NaN for some of the images {ids[0]} to {ids[-1]}; look at the network's weights "
            "and at preprocess="
        )
    return values
