"""What users have as images, told apart by shape, type and values: which axis is which, and what converts it."""

from .array_layout import Layout, layouts
from .conversion import Wanted, refusal
from .unit import Unit, unit_of

__all__ = ["Layout", "Unit", "Wanted", "layouts", "refusal", "unit_of"]
