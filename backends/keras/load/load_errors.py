"""One line out of the many that Keras and TensorFlow put around the reason of an error."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from crosslens.errors import CrosslensError, ModelError

__all__ = ["explained", "reason"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_AROUND = ("Exception encountered when calling", "Arguments received by", "in user code:", "Graph execution error")


def reason(error: BaseException) -> str:
    """The first line of an error that says something, without colours and without the full stop."""
    lines = (line.strip() for line in _COLOUR.sub("", str(error)).splitlines())
    said = [line for line in lines if line and not line.startswith(_AROUND)]
    return (said or [type(error).__name__])[0].rstrip(". ")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever fails within the block into a `ModelError`, and rid our own errors of what Keras puts around them.

    Raises:
        ModelError: "{what}: {reason}".
    """
    try:
        yield
    except CrosslensError as error:
        raise type(error)(reason(error)) from error
    except Exception as error:
        raise ModelError(f"{what}: {reason(error)}") from error
