"""Relevance: rules for linear maps, composites of them, and their propagation (Bach et al. 2015)."""

from .composite import COMPOSITES, RULES, Composite, parse_rule, rules_of
from .linear_map import LinearMap, linear_maps
from .propagation import Propagated, Propagation
from .relevance import Relevance, absorption_note, conservation_note
from .rules import AlphaBeta, Box, Epsilon, ExcitationBackprop, Flat, Gamma, Rule, WSquare, ZPlus
from .targets import refuse_after_softmax, refuse_unreached

__all__ = [
    "COMPOSITES",
    "RULES",
    "AlphaBeta",
    "Box",
    "Composite",
    "Epsilon",
    "ExcitationBackprop",
    "Flat",
    "Gamma",
    "LinearMap",
    "Propagated",
    "Propagation",
    "Relevance",
    "Rule",
    "WSquare",
    "ZPlus",
    "absorption_note",
    "conservation_note",
    "linear_maps",
    "parse_rule",
    "refuse_after_softmax",
    "refuse_unreached",
    "rules_of",
]
