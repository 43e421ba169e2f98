"""The contract of a backend, and what a model says about itself."""

from .backward_rules import BACKWARD_RULES, BackwardRules, no_rectifier
from .base import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model, Pullback
from .kernel_rules import Branch, KernelRule
from .layer import ABSORBED, Layers
from .reduction import Reduction

__all__ = [
    "ABSORBED",
    "BACKWARD_RULES",
    "INPUT",
    "OUTPUT",
    "BackwardRules",
    "Branch",
    "InputSpec",
    "KernelRule",
    "Layer",
    "Layers",
    "Linearization",
    "Model",
    "Pullback",
    "Reduction",
    "no_rectifier",
]
