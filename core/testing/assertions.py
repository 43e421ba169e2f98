"""The assertions that promises use: arrays of any namespace agree, a call raises the right error, a result is whole."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import CrosslensError
from ..plugins.saved_result import load
from ..result import Result
from ..result.formats import saved_content

__all__ = ["comes_back", "refused", "same"]


def same(got: Array, expected: Array, *, rtol: float = 1e-5, exact: bool = False, what: str = "") -> None:
    """Assert that max |got - expected| <= rtol max |expected|, shapes equal; or that each value is equal.

    Element by element would be too strict: a sum's rounding error scales with its terms, not with what is left of them.

    Args:
        got: the values to test.
        expected: what they should be.
        rtol: the largest difference allowed, as a share of the largest absolute value of `expected`.
        exact: allow no difference at all.
        what: what the values are, for the message.

    Raises:
        AssertionError: they differ; the message says by how much and where.
    """
    a, b = (np.asarray(as_numpy(v)) for v in (got, expected))
    assert a.shape == b.shape, f"{what} has shape {a.shape}, not {b.shape}".strip()
    if b.dtype.kind == "U":
        assert (a == b).all(), f"{what} differs: {a[a != b][0]!r}, not {b[a != b][0]!r}".strip()
        return
    scale = 0.0 if exact else float(np.abs(b).max(initial=0.0))
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    worst = float(difference.max(initial=0.0))
    if not worst <= rtol * scale:  # written so that NaN fails
        place = np.unravel_index(int(np.argmax(difference)), difference.shape)
        relative = f", {worst / scale:.2g} of the largest" if scale else ""
        raise AssertionError(
            f"{what} differs by {worst:.3g}{relative} (allowed {rtol * scale:.2g}) at {tuple(map(int, place))}: "
            f"{a[place]:.7g}, not {b[place]:.7g}".strip()
        )


def refused(call: Callable[[], object], kind: type[CrosslensError], *texts: str) -> None:
    """Assert that a call raises this error, with each of these texts in its message.

    Raises:
        AssertionError: it raises nothing, or the message lacks a text. Any other exception passes through.
    """
    try:
        call()
    except kind as error:
        missing = [text for text in texts if text not in str(error)]
        if missing:
            raise AssertionError(f"the message lacks {missing}: {error}") from error
    else:
        raise AssertionError(f"accepted, where {kind.__name__} was due: {' ... '.join(texts)}")


def comes_back(result: Result) -> None:
    """Assert that a saved result is loaded whole, and that the results of its images are its parts.

    Raises:
        AssertionError: a field differs, or the class; the message names it.
    """
    with TemporaryDirectory() as folder:
        loaded = load(result.save(Path(folder) / "result.npz"))
    assert type(loaded) is type(result), f"loaded is a {type(loaded).__name__}, not a {type(result).__name__}"
    (fields, arrays), (got, got_arrays) = saved_content(result), saved_content(loaded)
    for name, value in fields.items():
        assert json.dumps(got[name]) == json.dumps(value), f"{name} as it was loaded is {got[name]}, not {value}"
    for name, values in arrays.items():
        assert got_arrays[name].dtype == values.dtype, f"{name} as it was loaded is {got_arrays[name].dtype}"
        assert got_arrays[name].tobytes() == values.tobytes(), f"{name} as it was loaded has other values"
    parts = list(result)
    assert len(parts) == len(result), f"{len(parts)} results of single items, not {len(result)}"
    assert all(type(part) is type(result) and len(part) == 1 for part in parts), "a part of the result is not one item"
