"""Results of methods: raw values, with all that is needed to repeat them. Drawing a picture is a separate step."""

from .attribution import Attribution
from .base import Result, new_axes
from .synthesis import Synthesis

__all__ = ["Attribution", "Result", "Synthesis", "new_axes"]
