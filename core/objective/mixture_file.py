"""A mixture of patches in a file or a result: what the method patch_mixture made, checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..limits.regular_file import check_regular_file
from ..reading.array_file import read_npz
from .patch_density import PatchDensity

__all__ = ["MAKE", "read_density"]

Numbers = np.ndarray[Any, Any]
METHOD = "patch_mixture"
MAKE = f"crosslens run {METHOD} MODEL DATA -o patches.npz"
_NAMES = ("weights", "means", "cholesky", "patch_shape", "picture_size")


def read_density(mixture: Any) -> tuple[PatchDensity, tuple[int, int]]:
    """The density of patches, and (H, W) of the pictures that it is of.

    Args:
        mixture: a result of patch_mixture, its .npz, or the store of a sweep with it.

    Raises:
        ParameterError: no such file, or it holds no mixture.
    """
    if isinstance(mixture, str | Path):
        return _density(_arrays(Path(mixture)), f"'{mixture}'")
    if not all(hasattr(mixture, name) for name in _NAMES):
        raise ParameterError(f"mixture is {mixture!r}; give a result of {METHOD}, or its .npz: {MAKE}")
    return _density({name: np.asarray(getattr(mixture, name)) for name in _NAMES}, "the mixture")


def _arrays(path: Path) -> Mapping[str, Numbers]:
    file = path / METHOD / "result.npz" if path.is_dir() else path
    if not file.exists():
        raise ParameterError(f"no mixture of patches at '{file}', which does not exist; make one: {MAKE}")
    check_regular_file(file, ParameterError, "mixture of patches")
    try:
        return read_npz(file, _NAMES)
    except ValueError as error:
        raise ParameterError(f"'{file}' holds no mixture of patches; make one: {MAKE}") from error


def _density(arrays: Mapping[str, Numbers], what: str) -> tuple[PatchDensity, tuple[int, int]]:
    weights, means, cholesky, shape, size = (arrays[name] for name in _NAMES)
    numbers = int(np.prod(shape))
    fits = (
        shape.shape == (3,)
        and size.shape == (2,)
        and means.ndim == 2
        and means.shape[1] in {numbers, numbers - 1}
        and cholesky.shape == (*means.shape, means.shape[1])
        and weights.shape == means.shape[:1]
    )
    values = (weights, means, cholesky)
    usable = fits and all(each.dtype == np.float64 and np.isfinite(each).all() for each in values)
    if not usable or min(weights.min(), np.diagonal(cholesky, axis1=1, axis2=2).min()) <= 0:
        raise ParameterError(f"{what} holds no mixture of patches, or a damaged one; make one: {MAKE}")
    channels, side, _ = (int(n) for n in shape)
    height, width = (int(n) for n in size)
    return PatchDensity(weights, means, cholesky, (channels, side, side)), (height, width)
