"""The few array helpers beyond the array API standard. They take any array that follows it and return the same kind."""

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

__all__ = [
    "Array", "array_bytes", "array_digest", "as_numpy", "interpolation", "like", "multiply_sides", "namespace",
    "one_hot", "relu", "resample", "softmax", "upsample",
]  # fmt: skip

Array: TypeAlias = Any
"""An array that follows the Python array API standard: NumPy's, or torch's on its GPU."""


def namespace(*arrays: Array) -> Any:
    """The array API namespace of these arrays."""
    if all(type(x) is np.ndarray for x in arrays):  # the common case, at a tenth of the cost
        return _numpy_namespace()
    return array_namespace(*arrays)


@cache
def _numpy_namespace() -> Any:
    """Imported when it is first used: with it come numpy's own tests and compilers, half the time of `import numpy`."""
    import array_api_compat.numpy

    return array_api_compat.numpy


def as_numpy(x: Array) -> np.ndarray[Any, Any]:
    """The same values as a NumPy array on the CPU; no copy where none is needed."""
    if is_torch_array(x):
        x = x.detach().cpu()
    return np.asarray(x) if isinstance(x, np.ndarray) else np.from_dlpack(x)


def array_bytes(x: Array) -> bytes:
    """The values in C order, as a digest reads them, whatever the array's memory layout and namespace."""
    return np.ascontiguousarray(as_numpy(x)).tobytes()


def array_digest(x: Array) -> str:
    """A hash of the values (`array_bytes`), 32 hexadecimal digits; it does not tell shapes and types apart."""
    return blake2b(array_bytes(x), digest_size=16).hexdigest()


def like(values: Any, x: Array) -> Array:
    """`values` as an array of the namespace, data type and device of `x`."""
    xp = namespace(x)
    if hasattr(values, "__array_namespace__") or isinstance(values, np.ndarray):
        values = as_numpy(values) if namespace(values) is not xp else values
    return xp.asarray(values, dtype=x.dtype, device=device(x))


def relu(x: Array) -> Array:
    """The positive part, element by element."""
    xp = namespace(x)
    return xp.where(x > 0, x, xp.zeros_like(x))


def softmax(x: Array) -> Array:
    """exp(x) over its sum along the last axis, without overflow."""
    xp = namespace(x)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def one_hot(index: Array, x: Array) -> Array:
    """Zeros of the shape (N, K) of `x` with a one in column index[n] of row n."""
    xp = namespace(x)
    columns = xp.arange(x.shape[1], device=device(x))
    return xp.astype(columns[None, :] == index[:, None], x.dtype)


def interpolation(n: int, m: int) -> np.ndarray[Any, Any]:
    """The (m, n) matrix that resamples n pixels to m linearly, with pixel centres at half-integers.

    Shrinking widens the kernel by n / m, so that every pixel counts (an antialiased triangle filter); each row sums
    to one. This is `torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True)` in 1-D.
    """
    stretch = max(n / m, 1.0)
    centres = (np.arange(m) + 0.5) * (n / m) - 0.5
    if stretch == 1.0:
        centres = centres.clip(0, n - 1)
    weights: np.ndarray[Any, Any] = np.clip(1 - np.abs(np.arange(n)[None, :] - centres[:, None]) / stretch, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def upsample(maps: Array, size: tuple[int, ...]) -> Array:
    """Enlarge maps to image size, bilinearly, with pixel centres at half-integers; trilinearly to a volume's.

    Args:
        maps: values of shape (..., h, w); any unit, kept.
        size: (H, W) in pixels, each at least as large as (h, w); (D, H, W) for maps (..., d, h, w).

    Returns:
        Shape (..., *size), same unit and dtype; minimum and maximum never leave those of `maps`.

    Raises:
        ValueError: `size` is smaller than the maps (that needs an average: see `crosslens.operators.Resize`).

    Agrees with torch.nn.functional.interpolate(mode="bilinear", align_corners=False) to 1e-6
    (tests/core/test_arrays.py).
    """
    own = tuple(maps.shape[-len(size) :])
    if any(m < n for n, m in zip(own, size, strict=True)):
        raise ValueError(f"upsample enlarges: maps are {own}, the size asked for is {tuple(size)}")
    return resample(maps, size)


def resample(maps: Array, size: tuple[int, ...]) -> Array:
    """Maps (..., h, w) at another size, (..., H, W), each axis by `interpolation`: enlarged or made smaller.

    A `size` of three is that of volumes, (D, H, W) for (..., d, h, w).
    """
    own = tuple(maps.shape[-len(size) :])
    return multiply_sides(maps, [interpolation(n, m) for n, m in zip(own, size, strict=True)])


def multiply_sides(maps: Array, matrices: Sequence[np.ndarray[Any, Any]]) -> Array:
    """Maps (..., h, w) with a matrix (H, h) applied to the rows and (W, w) to the columns: (..., H, W).

    Three `matrices` are those of volumes, (..., d, h, w) to (..., D, H, W).
    """
    xp = namespace(maps)
    *depth, rows, columns = (like(matrix, maps) for matrix in matrices)
    planes = rows @ maps @ xp.matrix_transpose(columns)
    for matrix in depth:
        planes = xp.moveaxis(xp.moveaxis(planes, -3, -1) @ xp.matrix_transpose(matrix), -1, -3)
    return planes
