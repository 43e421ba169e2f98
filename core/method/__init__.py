"""The contract of a method, and the parts that methods of several families are made of."""

from .base import Method, makes_pictures, with_preset
from .dataset import AnyMethod, DatasetMethod
from .parameter import param, parameters

__all__ = ["AnyMethod", "DatasetMethod", "Method", "makes_pictures", "param", "parameters", "with_preset"]
