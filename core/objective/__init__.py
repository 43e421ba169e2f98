"""What is explained or maximised: a value per image with the cotangents of that value. One algebra for both.

An objective reads activations by layer name (`INPUT` and `OUTPUT` among them), so it means the same on every backend
and needs no framework's autodiff. Objectives add, subtract and scale: `logit(281) - logit(285)`,
`channel("layer4", 11) - 0.1 * total_variation()`, `(1 + o) / 2`.
"""

from .algebra import Objective
from .class_score import ClassScore, is_distribution, log_probability, logit, output, probability
from .directions import direction, random_direction
from .diversity import diversity
from .function import function
from .gram import gram, gram_matrix
from .likeness import likeness, nearest
from .near import near
from .negative import negative, preactivation
from .patch_mixture import patch_mixture
from .per_image import class_scores, each, interpolate
from .power_sum import layer, match, norm
from .pullback import pullback
from .region import box, region
from .strongest_channel import strongest
from .total_variation import total_variation
from .unit import channel, neuron

Value = ClassScore
"""The former name of `ClassScore`."""

__all__ = [
    "ClassScore",
    "Objective",
    "Value",
    "box",
    "channel",
    "class_scores",
    "direction",
    "diversity",
    "each",
    "function",
    "gram",
    "gram_matrix",
    "interpolate",
    "is_distribution",
    "layer",
    "likeness",
    "log_probability",
    "logit",
    "match",
    "near",
    "nearest",
    "negative",
    "neuron",
    "norm",
    "output",
    "patch_mixture",
    "preactivation",
    "probability",
    "pullback",
    "random_direction",
    "region",
    "strongest",
    "total_variation",
]
