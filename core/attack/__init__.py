"""Attacks: images changed until a network changes its mind, within a norm's ball and the image's bounds."""

from .adversarial import Adversarial
from .attack_method import AttackMethod, BallOptions, ViewOptions
from .ball import Ball, Region
from .climb import NormedSteps, StepRule, climb
from .problem import Evaluation, Problem
from .randomness import generators

__all__ = [
    "Adversarial",
    "AttackMethod",
    "Ball",
    "BallOptions",
    "Evaluation",
    "NormedSteps",
    "Problem",
    "Region",
    "StepRule",
    "ViewOptions",
    "climb",
    "generators",
]
