"""Pictures of shapes in colours and textures, with exact masks: data on which what units stand for is known."""

from .drawing import CLASSES, NAMES, Drawing, draw_shapes
from .files import ShapeArrays, shape_arrays, write_shapes

__all__ = ["CLASSES", "NAMES", "Drawing", "ShapeArrays", "draw_shapes", "shape_arrays", "write_shapes"]
