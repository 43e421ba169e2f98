"""The contract of a backend, and what a model says about itself."""

from .base import BACKWARD_RULES, INPUT, OUTPUT, InputSpec, Layer, Linearization, Model, Pullback

__all__ = ["BACKWARD_RULES", "INPUT", "OUTPUT", "InputSpec", "Layer", "Linearization", "Model", "Pullback"]
