"""The contract of a method, and the parts that methods of several families are made of."""

from .base import Method, as_in, makes_pictures
from .dataset import AnyMethod, DatasetMethod
from .parameter import param, parameters

__all__ = ["AnyMethod", "DatasetMethod", "Method", "as_in", "makes_pictures", "param", "parameters"]
