"""Receptive fields: the rectangle of input pixels that a unit at a position of a layer can depend on."""

from .dependence import Dependence
from .fields import Fields, NoFieldsError, SupportsFields
from .unit_field import Rectangle, unit_field

__all__ = ["Dependence", "Fields", "NoFieldsError", "Rectangle", "SupportsFields", "unit_field"]
