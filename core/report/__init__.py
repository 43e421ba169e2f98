"""A comparison as one self-contained HTML page: no network, no script, opens from disk."""

from .page import page

__all__ = ["page"]
