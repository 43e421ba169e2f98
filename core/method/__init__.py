"""The contract of a method, and the parts that methods of several families are made of."""

from .base import Method, makes_pictures
from .dataset import AnyMethod, DatasetMethod
from .parameter import param, parameters
from .preset import with_preset

__all__ = ["AnyMethod", "DatasetMethod", "Method", "makes_pictures", "param", "parameters", "with_preset"]
