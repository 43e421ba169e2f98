"""Turns onnxruntime's exceptions into a `ModelError` of one line, and any message into one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from crosslens.errors import ModelError
from onnxruntime.capi import onnxruntime_pybind11_state as state

__all__ = ["in_one_line", "readable_errors"]

MOST_CHARACTERS = 400
"""Of another library's message; what is longer is shortened in the middle."""

_FAILURES = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.NotImplemented,
    state.RuntimeException,
    state.EPFail,
)


@contextmanager
def readable_errors(doing: str) -> Iterator[None]:
    """Turn an exception of onnxruntime inside the `with` block into one line.

    Raises:
        ModelError: "onnxruntime cannot `doing`: " and onnxruntime's reason.
    """
    try:
        yield
    except _FAILURES as error:
        raise ModelError(f"onnxruntime cannot {doing}: {in_one_line(_in_short(str(error)))}") from error


def _in_short(said: str) -> str:
    """onnxruntime's message without its codes and the lines of its source."""
    first = said.strip().partition("\n")[0]
    node = re.search(r"running (\w+) node\. Name:'([^']*)'", first)
    reason = re.split(r"Status Message: |^\[ONNXRuntimeError\] : \d+ : \w+ : ", first)[-1]
    reason = re.sub(r"\S*/onnxruntime/\S+:\d+ .*?\) ?|\S*/onnxruntime/\S+ ", "", reason)
    where = f"it stops at {node[1]} {node[2]!r}: " if node else ""
    return where + reason.removeprefix("Exception during initialization: ").strip()


def in_one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""A text for a message: without line breaks and control characters, and not too long.

    >>> in_one_line("a\nb \x1b[31mred")
    'a b \\x1b[31mred'
    """
    plain = re.sub(r"\s+", " ", text.strip()[: 10 * most])
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in plain)
    return shown if len(shown) <= most else f"{shown[: most // 2]} ... {shown[-most // 2 :]}"
