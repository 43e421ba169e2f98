"""`crosslens.method`, as editors see it: method_by_name.pyi has a signature for each name."""

from .registry import method

__all__ = ["method"]
