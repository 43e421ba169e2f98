"""Sheets: many small pictures with captions, in rows and columns, and the results that are shown so."""

from .grid import sheet, square_rows
from .tile import Tile

__all__ = ["Tile", "sheet", "square_rows"]
