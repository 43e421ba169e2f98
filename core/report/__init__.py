"""A comparison as one self-contained HTML page, and as HTML for a notebook: no network, opens from disk."""

from ..comparison.formats import WRITERS
from .notebook import summary_in_html
from .page import page

__all__ = ["page"]

WRITERS |= {".html": page, "text/html": summary_in_html}
