"""Errors of Keras and TensorFlow as one line: the reason, out of the many lines around it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from crosslens.errors import CrosslensError, ModelError

__all__ = ["explain_errors", "reason"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_AROUND = ("Exception encountered when calling", "Arguments received by", "in user code:", "Graph execution error")


def reason(error: BaseException) -> str:
    """The first line of an error that says something, without colours and without the full stop."""
    text = str(error.args[0]) if isinstance(error, CrosslensError) and error.args else str(error)
    lines = (line.strip() for line in _COLOUR.sub("", text).splitlines())
    said = [line for line in lines if line and not line.startswith(_AROUND)]
    return (said or [type(error).__name__])[0].rstrip(". ")


@contextmanager
def explain_errors(what: str) -> Iterator[None]:
    """Raise what fails within the block as a `ModelError`, and our own errors without what Keras adds to them.

    Raises:
        ModelError: "{what}: {reason}".
    """
    try:
        yield
    except CrosslensError as error:
        raise type(error)(reason(error)) from error
    except Exception as error:
        raise ModelError(f"{what}: {reason(error)}") from error
