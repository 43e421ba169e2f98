"""Where the codes of a generator start, and the range that they keep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy, like, namespace
from ...data.sources.adapters import data
from ...errors import ParameterError
from ...limits.regular_file import check_regular_file
from ...reading.array_file import read_any
from .encoder import Encoder

__all__ = ["RECTIFIED", "USUAL_BOUND", "CodeRange", "code_range", "interval", "measured_range", "noise_range"]

Values = np.ndarray[Any, Any]
DATA = "data:"
RECTIFIED = (0.0, 30.0)
"""Of codes that a rectifier lets pass (Nguyen et al. 2017, the code of the paper)."""
USUAL_BOUND = 3.0
"""Deviations, where none are asked for."""
PORTION = 64
"""Pictures that are read at once."""


@dataclass(frozen=True)
class CodeRange:
    """Normal noise of a mean and a deviation to start from, and the least and largest value of each unit.

    All four are float32, of the code's shape or of one that broadcasts to it.
    """

    mean: Values
    deviation: Values
    low: Values
    high: Values

    def noise(self, count: int, shape: tuple[int, ...], rng: "np.random.Generator") -> Values:
        """Codes (count, *shape) to start from, within the range; the same on every backend."""
        drawn = self.mean + self.deviation * rng.standard_normal((count, *shape)).astype(np.float32)
        return np.asarray(np.clip(drawn, self.low, self.high), np.float32)

    def clip(self, codes: Array) -> Array:
        """Codes moved into the range."""
        return namespace(codes).clip(codes, like(self.low, codes), like(self.high, codes))


def noise_range(bound: float) -> CodeRange:
    """Standard normal codes, each number within so many deviations."""
    return _range(0.0, 1.0, -bound, bound)


def interval(low: float, high: float) -> CodeRange:
    """Standard normal codes, moved into the interval.

    Raises:
        ParameterError: the lower end is not below the upper one.
    """
    if not low < high:
        raise ParameterError(f"code_range is {low:g},{high:g}; the lower end must be below the upper one")
    return _range(0.0, 1.0, low, high)


def measured_range(codes: Values, bound: float) -> CodeRange:
    """Each unit within so many deviations of its mean over known codes (N, *shape), and not below 0 if none of them is.

    Raises:
        ParameterError: fewer than two codes, or NaN among them.
    """
    if len(codes) < 2 or not np.isfinite(codes).all():
        raise ParameterError(f"a range is measured on two codes or more, all finite; these are {codes.shape}")
    mean, deviation = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    low = mean - bound * deviation
    return _range(mean, deviation, np.maximum(low, 0.0) if codes.min() >= 0 else low, mean + bound * deviation)


def _range(*values: Any) -> CodeRange:
    return CodeRange(*(np.asarray(each, np.float32) for each in values))


def code_range(given: Any, bound: float, shape: tuple[int, ...], encoder: Encoder | None) -> CodeRange:
    """The range that a parameter `code_range` means.

    Args:
        given: "noise"; "LOW,HIGH" or two numbers; "data:" and an .npy or .npz of codes (N, *shape), or whatever
            `crosslens.data` opens: the pictures' codes; codes as an array. None: 0,30 where the encoder's layer is
            rectified, else noise.
        bound: so many deviations, of noise and of measured codes.
        shape: of one code.
        encoder: makes codes of pictures; None without one.

    Raises:
        ParameterError: none of these, pictures without an encoder, or codes of another shape.
    """
    if not bound > 0:
        raise ParameterError(f"code_bound is {bound}; it must be more than 0")
    if given is None and encoder is not None and encoder.rectified:
        return _unmeasured(RECTIFIED, bound)
    if given is None or (isinstance(given, str) and given == "noise"):
        return noise_range(bound)
    if isinstance(given, str) and given.startswith(DATA):
        given = _read_codes(given.removeprefix(DATA), shape, encoder)
    elif isinstance(given, str) or np.ndim(given) == 1:
        return _unmeasured(_two_numbers(given), bound)
    codes = as_numpy(given)
    if tuple(codes.shape[1:]) != shape:
        raise ParameterError(f"code_range holds codes {codes.shape[1:]}; the generator's are {shape}")
    return measured_range(codes, bound)


def _unmeasured(ends: tuple[float, float], bound: float) -> CodeRange:
    """An interval, which no deviation bounds.

    Raises:
        ParameterError: a bound was given.
    """
    if bound != USUAL_BOUND:
        raise ParameterError(
            f"code_bound is {bound:g} deviations, and codes keep {ends[0]:g},{ends[1]:g} here: leave one out, or "
            f"give code_range={DATA}FILE, on which deviations are measured, or noise"
        )
    return interval(*ends)


def _two_numbers(given: Any) -> tuple[float, float]:
    words = given.split(",") if isinstance(given, str) else given
    try:
        low, high = (float(word) for word in words)
    except ValueError as error:
        raise ParameterError(
            f"code_range is {given!r}; it must be noise, LOW,HIGH or {DATA}FILE (an .npz of codes, or pictures)"
        ) from error
    return low, high


def _arrays(path: Path) -> list[Values]:
    check_regular_file(path, ParameterError, "file of codes")
    try:
        found = read_any(path)
    except ValueError as error:
        raise ParameterError(f"'{path}' holds no codes that can be read: {error}") from error
    return [found] if isinstance(found, np.ndarray) else list(found.values())


def _read_codes(name: str, shape: tuple[int, ...], encoder: Encoder | None) -> Values:
    """Codes (N, *shape) in a file, or those of the pictures there."""
    path = Path(name)
    if path.suffix in {".npy", ".npz"} and path.exists():
        arrays = _arrays(path)
        fitting = [each for each in arrays if each.ndim == 1 + len(shape) and each.shape[1:] == shape]
        if fitting:
            return np.asarray(fitting[0], np.float32)
    if encoder is None:
        raise ParameterError(
            f"'{name}' holds no codes (N, {', '.join(map(str, shape))}) as .npy or .npz; give encoder and code_layer "
            "to make codes of its pictures"
        )
    source, codes = data(name), []
    source.check(encoder.model)
    for start in range(0, len(source), PORTION):
        images = source.read(start, min(start + PORTION, len(source)), encoder.model).images
        if images is not None:
            codes.append(as_numpy(encoder.codes(encoder.model.placed(encoder.model.input.to_unit(images)))))
    return np.concatenate(codes)
