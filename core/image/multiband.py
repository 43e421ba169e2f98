"""Reading images with any number of bands, and volumes: TIFF of several samples or pages, RGBA, .npy and .npz."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from ..input.unit import WHITE
from ..model.input_spec import InputSpec

__all__ = ["ARRAYS", "TIFFS", "as_bands", "read_array", "read_tiff"]

Values = np.ndarray[Any, Any]

ARRAYS = frozenset({".npy", ".npz"})
TIFFS = frozenset({".tif", ".tiff"})


def read_array(path: Path) -> Values:
    """The array of a `.npy` file, or the only one of an `.npz`, or the one named "image" in it.

    Raises:
        ImageError: no such file, no array of numbers, or several.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = [name for name in ("image", "images", "volume") if name in loaded.files] or loaded.files
            if len(names) != 1:
                raise ImageError(f"'{path}' holds {', '.join(loaded.files)}; save the image alone, or as image=")
            return np.asarray(loaded[names[0]])
    except FileNotFoundError as error:
        raise ImageError(f"no picture at '{path}': the file does not exist") from error
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise ImageError(f"'{path}' is not an array of numbers that NumPy can read ({error})") from error


def read_tiff(path: Path) -> Values:
    """All samples and pages of a TIFF file, as they lie in it.

    Raises:
        ImageError: no such file, it is damaged, or tifffile is not installed.
    """
    try:
        from tifffile import TiffFileError, imread
    except ImportError as error:
        raise ImageError(
            f"'{path}' may hold more bands than Pillow reads: pip install tifffile, or save it as .npy"
        ) from error
    try:
        return np.asarray(imread(path))
    except FileNotFoundError as error:
        raise ImageError(f"no picture at '{path}': the file does not exist") from error
    except (OSError, ValueError, TiffFileError) as error:
        raise ImageError(f"'{path}' is not a TIFF that tifffile can read ({error})") from error


def as_bands(values: Values, spec: InputSpec, path: Any) -> Values:
    """An array as an image for this input, (C, ...) float32 in [0, 1].

    Channels are the axis of the right length, the first or the last; one image may have a batch axis of one. Whole
    numbers are divided by the largest value of their type; fractions must lie in the bounds.

    Raises:
        ImageError: another number of channels or sides, channels at either end, or values out of the bounds.
    """
    axes = len(spec.shape)
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
