"""What a comparison can be written as: functions from its view to text, by file suffix or MIME type.

A package that writes another format adds it here when it is imported, as `crosslens.report` does for `.html`.
"""

from collections.abc import Callable

from ..result.strict_json import dumps
from .view import ComparisonView

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[[ComparisonView], str]] = {".json": lambda view: dumps(view.as_json()) + "\n"}
