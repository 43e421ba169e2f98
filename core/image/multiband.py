"""Reading images with any number of bands, and volumes: TIFF of several samples or pages, RGBA, .npy and .npz."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from lzma import LZMADecompressor
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..input.unit import WHITE
from ..limits.memory import check_memory
from ..limits.regular_file import check_regular_file
from ..model.input_spec import InputSpec
from ..reading.array_file import as_reason, read_any

__all__ = ["ARRAYS", "TIFFS", "as_bands", "read_array", "read_tiff"]

Values = np.ndarray[Any, Any]

ARRAYS = frozenset({".npy", ".npz"})
TIFFS = frozenset({".tif", ".tiff"})
_UNPACKING: Mapping[int, Callable[[], Any]] = {
    **dict.fromkeys((8, 32946, 50013), zlib.decompressobj),
    34925: LZMADecompressor,
}
"""Makes what unpacks a part of a TIFF, by the number of the compression, of those that pack very much into little."""
_AS_FLOATS = 12
"""Bytes for each value of a picture of bands, on the way to a batch."""


def read_array(path: Path) -> Values:
    """The array of a `.npy` file, or the only one of an `.npz`, or the one named "image" in it.

    Raises:
        ImageError: no such file, no array of numbers, or several.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    check_regular_file(path, ImageError, "picture")
    try:
        loaded = read_any(path)
    except ValueError as error:
        raise ImageError(f"'{path}' is not an array of numbers that NumPy can read ({error})") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    names: list[str] = [name for name in ("image", "images", "volume") if name in loaded] or list(loaded)
    if len(names) != 1:
        raise ImageError(f"'{path}' holds {', '.join(loaded) or 'nothing'}; save the image alone, or as image=")
    return loaded[names[0]]


def read_tiff(path: Path) -> Values:
    """All samples and pages of a TIFF file, as they lie in it.

    Raises:
        ImageError: no such file, it is damaged, or tifffile is not installed.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    try:
        from tifffile import TiffFile
    except ImportError as error:
        raise ImageError(
            f"'{path}' may hold more bands than Pillow reads: pip install tifffile, or save it as .npy"
        ) from error
    check_regular_file(path, ImageError, "picture")
    try:
        with as_reason(), TiffFile(path, _multifile=False) as tiff:  # nor what it names of other files
            series = tiff.series[0]
            check_memory(2 * series.nbytes, f"'{path}', {series.dtype} {series.shape},", "give a smaller picture")
            for page in series:
                _refuse_many_parts(page, path.stat().st_size)
                _refuse_larger_parts(page)
            return np.asarray(series.asarray())
    except ValueError as error:
        raise ImageError(f"'{path}' is not a TIFF that tifffile can read ({error})") from error


def _refuse_many_parts(page: Any, size: int) -> None:
    """Refuse a page that declares more strips and tiles than its file has bytes: each takes time.

    Raises:
        ValueError: it declares more.
    """
    count = 0 if page is None else max(prod(getattr(page, "chunked", ())), len(page.dataoffsets))
    if count > size:
        raise ValueError(f"a page of it declares {count} parts, and the file has {size} bytes")


def _refuse_larger_parts(page: Any) -> None:
    """Refuse compressed strips and tiles that hold more than they declare, which tifffile unpacks whole.

    Raises:
        ValueError: a part is larger.
    """
    opener = None if page is None else _UNPACKING.get(int(getattr(page, "compression", 1)))
    if opener is None:
        return
    declared = prod(page.chunks) * page.dtype.itemsize
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        page.parent.filehandle.seek(offset)
        if len(opener().decompress(page.parent.filehandle.read(count), declared + 1)) > declared:
            raise ValueError(f"a part of it holds more than the {declared} bytes that it declares")


def as_bands(values: Values, spec: InputSpec, path: Any) -> Values:
    """An array as an image for this input, (C, ...) float32 in [0, 1].

    Channels are the axis of the right length, the first or the last; one image may have a batch axis of one. Whole
    numbers are divided by the largest value of their type; fractions must lie in the bounds.

    Raises:
        ImageError: another number of channels or sides, channels at either end, or values out of the bounds.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    check_memory(_AS_FLOATS * values.size, f"'{path}', {values.dtype} {values.shape},", "give a smaller picture")
    axes = len(spec.shape)
    if not values.size:
        raise _shape_error(values, spec, path)
    values = values[0] if values.ndim == axes + 1 and values.shape[0] == 1 else values
    values = values[None] if values.ndim == axes - 1 and spec.shape[0] in {1, None} else values
    if values.ndim != axes:
        raise _shape_error(values, spec, path)
    layouts = [each for each in (values, np.moveaxis(values, -1, 0)) if each.shape[0] == (spec.shape[0] or 3)]
    if len(layouts) == 2 and None not in spec.shape:
        layouts = [each for each in layouts if _fits(each.shape[1:], spec.shape[1:])] or layouts
    if not layouts:
        raise _shape_error(values, spec, path)
    if len(layouts) == 2:
        raise ImageError(
            f"'{path}' holds {values.shape}: its channels may be in front or at the back; save it with another number "
            "of pixels, or load it yourself and give the array (N, C, ...)"
        )
    return _in_unit(layouts[0], spec, path)


def _fits(sides: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return all(n in {None, m} for m, n in zip(sides, wanted, strict=True))


def _in_unit(values: Values, spec: InputSpec, path: Any) -> Values:
    full = WHITE.get(values.dtype.name)
    if full is not None:
        _refuse_another_white(values, full, path)
        return np.asarray(values / np.float32(full), np.float32)
    if values.dtype.kind != "f":
        raise ImageError(f"'{path}' holds {values.dtype} numbers; give uint8, uint16, or floats within {spec.bounds}")
    if not np.isfinite(values).all():
        raise ImageError(f"'{path}' holds NaN or infinite values; every value must be finite")
    low, high = spec.bounds or (0.0, 1.0)
    if values.min() < low or values.max() > high:
        seems_normalised = values.min() < low and values.max() - values.min() < 50
        advice = "if they are normalised already give preprocess=None, " if seems_normalised else "give "
        raise ImageError(
            f"'{path}' holds values from {values.min():.4g} to {values.max():.4g}; this model's images lie in "
            f"[{low:g}, {high:g}]: scale them, or {advice}bounds=({values.min():.4g}, {values.max():.4g})"
        )
    return np.asarray(spec.to_unit(values.astype(np.float32)))


def _refuse_another_white(values: Values, white: int, path: Any) -> None:
    """Refuse whole numbers that would come out nearly black, since their type's white is not what was meant by it."""
    high = int(values.max(initial=0))
    in_array = Path(str(path)).suffix.lower() in ARRAYS  # a picture of 8 bits may be that dark
    if white > 255 >= high > 0 or (white == 255 and high == 1 and in_array):
        meant = 255 if white > 255 else 1
        raise ImageError(
            f"'{path}' holds {values.dtype} numbers up to {high}, and {white} is white in this type: save "
            f"values / {meant} as floats if {meant} is white"
        )


def _shape_error(values: Values, spec: InputSpec, path: Any) -> ImageError:
    wanted = ", ".join("any" if n is None else str(n) for n in spec.shape)
    return ImageError(f"'{path}' holds an array {values.shape}; this model takes ({wanted}), channels first or last")
