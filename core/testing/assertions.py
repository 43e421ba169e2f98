"""The two assertions that promises use: arrays of any namespace agree, and a call raises the right error."""

from collections.abc import Callable

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import CrosslensError

__all__ = ["refused", "same"]


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
