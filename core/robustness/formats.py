"""What a transfer matrix can be written as beside tables and pictures; light, since `import crosslens` reads it."""

from collections.abc import Callable
from typing import Any

__all__ = ["TRANSFER_WRITERS"]

TRANSFER_WRITERS: dict[str, Callable[[Any], str]] = {}
"""From the matrix to text, by suffix; `crosslens.report` adds .html when it is imported."""
