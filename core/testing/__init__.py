"""The conformance kit: the promises of a backend and of a method, as functions, for outsiders and for us."""

from .tiny import TinyModel

__all__ = ["TinyModel"]
