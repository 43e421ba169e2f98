"""Composites: which rule each linear map of a network has, by where it lies and what it is."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from ..arrays import as_numpy
from ..errors import LayerError, ParameterError, unknown_name
from ..model.base import INPUT, Model
from .linear_map import LinearMap
from .rules import AlphaBeta, Box, Epsilon, ExcitationBackprop, Flat, Gamma, Rule, WSquare, ZPlus

__all__ = ["COMPOSITES", "RULES", "Composite", "parse_rule", "rules_of", "two_kernels_note"]


@dataclass(frozen=True)
class Composite:
    """The rules of convolutions, of dense layers, and of those that read the image, where these have another one."""

    convolution: Rule
    dense: Rule
    first: Rule | None = None

    def rule(self, linear: LinearMap) -> Rule:
        """The rule of one linear map."""
        if linear.is_first and self.first is not None:
            return self.first
        return self.convolution if linear.is_convolution else self.dense


COMPOSITES: Mapping[str, Composite] = {
    "epsilon": Composite(Epsilon(), Epsilon()),
    "epsilon_plus": Composite(ZPlus(), Epsilon()),
    "epsilon_plus_flat": Composite(ZPlus(), Epsilon(), Flat()),
    "epsilon_alpha2_beta1": Composite(AlphaBeta(), Epsilon()),
    "epsilon_alpha2_beta1_flat": Composite(AlphaBeta(), Epsilon(), Flat()),
    "epsilon_gamma_box": Composite(Gamma(), Epsilon(), Box()),
    "excitation": Composite(ExcitationBackprop(), ExcitationBackprop()),
}
"""By name, as elsewhere: "epsilon", the rule of dense layers, then that of convolutions, then that of first layers."""


def _epsilon(epsilon: float = 1e-6) -> Rule:
    return Epsilon(epsilon)


def _alpha_beta(alpha: float = 2.0, beta: float = 1.0) -> Rule:
    return AlphaBeta(alpha=alpha, beta=beta)


def _gamma(gamma: float = 0.25) -> Rule:
    return Gamma(gamma=gamma)


RULES: Mapping[str, tuple[Callable[..., Rule], int]] = {
    "epsilon": (_epsilon, 1),
    "gamma": (_gamma, 1),
    "alpha_beta": (_alpha_beta, 2),
    "z_plus": (ZPlus, 0),
    "flat": (Flat, 0),
    "w_square": (WSquare, 0),
    "box": (Box, 0),
    "excitation": (ExcitationBackprop, 0),
}
"""By name, what makes a rule, and how many numbers it takes at most."""


def parse_rule(text: str) -> tuple[str, Rule]:
    """A rule for some layers: (pattern of their names, rule) of "features.*=gamma:0.5".

    Raises:
        ParameterError: no "=", no such rule, or numbers that it does not take.
    """
    pattern, equals, rule = text.rpartition("=")
    name, *numbers = rule.split(":")
    if not equals or not pattern:
        raise ParameterError(
            f"rule {text!r} names no layer; write LAYER=RULE, for example 'conv1=flat' or '*=gamma:0.5'"
        )
    if name not in RULES:
        raise ParameterError(unknown_name("rule", name, list(RULES)))
    make, most = RULES[name]
    if len(numbers) > most or not all(re.fullmatch(r"\d*\.?\d+(e-?\d+)?", each, re.IGNORECASE) for each in numbers):
        takes = ("no number", "one number of 0 or more", "two numbers of 0 or more")[most]
        raise ParameterError(f"rule {text!r}: {name} takes {takes}, as in 'gamma:0.25' or 'alpha_beta:2:1'")
    return pattern, make(*map(float, numbers))


def rules_of(
    maps: Sequence[LinearMap],
    composite: Composite,
    overrides: Sequence[str] = (),
    epsilon: float | None = None,
    *,
    biased: bool = True,
) -> dict[str, Rule]:
    """The rule of each linear map, by layer.

    Args:
        maps: those of one network.
        composite: what holds where no override does.
        overrides: "PATTERN=RULE" texts; of several that fit a layer the last one counts.
        epsilon: the stabiliser of every rule, but of an override that says its own; None keeps each rule's.
        biased: whether biases take their share where a rule adds up contributions of one sign.

    Raises:
        ParameterError: see `parse_rule`.
        LayerError: a pattern fits no layer with a kernel, or a local rule one that does not read the image.
    """
    rules = {each.layer: _stabilised(composite.rule(each), epsilon) for each in maps}
    for text in overrides:
        pattern, rule = parse_rule(text)
        named = [each for each in maps if any(fnmatchcase(name, pattern) or name == pattern for name in _names(each))]
        if not named:
            known = ", ".join(repr(each.layer) for each in maps[:6]) + ", ..." * (len(maps) > 6)
            raise LayerError(f"rule {text!r}: no layer with a kernel is called {pattern!r}; there are {known}")
        own = rule if text.rpartition("=")[2].startswith("epsilon:") else _stabilised(rule, epsilon)
        rules.update({each.layer: own for each in named})
    for each in maps:
        rule = rules[each.layer] = replace(rules[each.layer], biased=biased)
        if rule.is_local and not each.is_first:
            firsts = ", ".join(repr(one.layer) for one in maps if one.is_first)
            instead = f"give it to {firsts}, and {each.layer!r}" if firsts else f"none does here; give {each.layer!r}"
            raise LayerError(
                f"{rule.name} is a rule for layers that read the image, and {each.layer!r} reads other "
                f"layers; {instead} for example z_plus or epsilon"
            )
        if isinstance(rule, Box) and not rule.low:
            low, high = _box(each)
            rules[each.layer] = replace(rule, low=low, high=high)
    return rules


def two_kernels_note(maps: Sequence[LinearMap], rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """What to say of separable convolutions, whose rule is one of their second kernel.

    Args:
        maps: those that relevance goes through.
        rules: by layer; of the epsilon rule nothing is said, for it is a gradient's, all but the stabiliser.
    """
    names = [each.layer for each in maps if each.has_two_kernels and not isinstance(rules[each.layer], Epsilon)]
    if not names:
        return ()
    listed = ", ".join(map(repr, names[:3])) + f" and {len(names) - 3} more" * (len(names) > 3)
    return (
        f"separable convolutions have their rule at the second kernel, and the first one keeps its gradient: {listed}; "
        "the same network with a depthwise convolution before a convolution of 1 x 1 has rules at both",
    )


def _names(linear: LinearMap) -> tuple[str, ...]:
    """What a pattern may fit: names and aliases of the layer, and of the normalisation that counts as part of it."""
    layers = (linear.model.layer(name) for name in dict.fromkeys((linear.layer, linear.end)))
    return tuple(name for layer in layers for name in (layer.name, *layer.aliases))


def _stabilised(rule: Rule, epsilon: float | None) -> Rule:
    return rule if epsilon is None or isinstance(rule, ExcitationBackprop) else replace(rule, epsilon=epsilon)


def _box(linear: LinearMap) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The least and the largest value of each channel that a layer reads, of images within the model's bounds."""
    low, high = _of_black_and_white(linear.model, linear.reads[0] if linear.reads else INPUT)
    ends = np.stack([low, high])
    if ends.shape[1] != linear.channels:  # parts of what another layer holds: of which channels, nobody says
        ends = np.stack([np.full(linear.channels, ends.min()), np.full(linear.channels, ends.max())])
    return tuple(map(float, ends.min(axis=0))), tuple(map(float, ends.max(axis=0)))


def _of_black_and_white(model: Model, layer: str) -> list[np.ndarray]:
    shape = (1, *model.input.example_shape)
    if layer == INPUT:
        gain, offset = model.preprocess.affine(shape[1])
        return [gain * bound + offset for bound in model.input.bounds or (0.0, 1.0)]
    images = [np.full(shape, bound, np.float32) for bound in model.input.bounds or (0.0, 1.0)]
    values = [as_numpy(model.forward(image, [layer])[layer])[0] for image in images]
    values = [each.T if each.ndim == 2 else each for each in values]  # tokens have their channels last
    return [each[(slice(None), *(n // 2 for n in each.shape[1:]))] for each in values]
