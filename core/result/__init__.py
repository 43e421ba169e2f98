"""What comes back: raw values, and all that is needed to repeat them. Making a picture is a separate, named step."""

from .attribution import Attribution
from .base import Result, new_axes
from .synthesis import Synthesis

__all__ = ["Attribution", "Result", "Synthesis", "new_axes"]
