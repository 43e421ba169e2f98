"""LRP, layer-wise relevance propagation (Bach et al., 2015, https://doi.org/10.1371/journal.pone.0130140)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import (
    COMPOSITES,
    Propagation,
    Relevance,
    absorption_note,
    conservation_note,
    parse_rule,
    refuse_after_softmax,
    refuse_unreached,
)

from ._channels import channels_added_up, parse_channels

REASONS = (
    "a sum with a constant that no layer shows, an activation function that is not 0 at 0, a maximum, a standard "
    "deviation or a root, which is a constant to these rules"
)


@dataclass(frozen=True, kw_only=True)
class LRP(Method):
    """Share the target out among pixels, layer by layer.

    Each layer passes the relevance of its outputs to its inputs by a rule (R_i = sum_j x_i w_ij / z_j R_j and its
    variants), so that the sum stays what it is: the map adds up to the target, less what biases and the stabiliser
    took, which `result.figures()` says. Normalisations are folded into the layer before them; activation functions pass
    relevance unchanged, maxima to the largest input, sums and means by contribution.

    Composites choose rules by kind of layer: "epsilon_plus" has z+ for convolutions and epsilon for dense layers;
    "flat", "box" in their names is the rule of the layer that reads the image (Kohlbrenner et al. 2020, Montavon et al.
    2019). LRP may be patented where you are; see the README.
    """

    name = "lrp"
    aliases: ClassVar[Mapping[str, str]] = {
        "layer_wise_relevance_propagation": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "zennit": Preset({"per_channel": True}),
        "captum": Preset({"per_channel": True, "composite": "epsilon", "epsilon": 1e-9}),
        "innvestigate": Preset({"per_channel": True, "composite": "epsilon", "epsilon": 1e-7}),
    }
    composite: str = param("epsilon_plus_flat", "rules by kind of layer", choices=tuple(COMPOSITES))
    rules: tuple[str, ...] = param(
        (), "rules by layer, LAYER=RULE: 'conv1=flat', '*=gamma:0.5' (epsilon, gamma, alpha_beta, z_plus, flat, ...)"
    )
    epsilon: float = param(1e-6, "stabiliser of every rule, by which denominators grow", minimum=0)
    biases: str = param(
        "absorb",
        "'absorb': biases take their share; 'ignore': under z_plus and alpha_beta inputs share that too",
        choices=("absorb", "ignore"),
    )
    layer: str = param(INPUT, "layer whose relevance is asked for; the image if not given")
    through: tuple[str, ...] = param(
        (), "relevance through these channels alone, LAYER:CHANNEL[,CHANNEL...]; of several layers through each"
    )
    per_channel: bool = param(False, "a value for each channel of each pixel, not their sum")

    def check_parameters(self) -> None:
        """The rules must be rules."""
        super().check_parameters()
        for text in self.rules:
            parse_rule(text)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Relevance:
        """Signed maps (N, H, W) that add up to the target, or each channel's own; of a layer of its shape."""
        refuse_after_softmax(model, objective, self.name)
        through = parse_channels(model, self.through)
        refuse_unreached(model, objective, self.layer, through)
        propagation = Propagation.of(
            model, COMPOSITES[self.composite], objective,
            overrides=self.rules, epsilon=self.epsilon,
            biased=self.biases == "absorb", layer=self.layer,
        )  # fmt: skip
        found = propagation.of_target(images, objective, through)
        values = found.values if self.per_channel else channels_added_up(found.values, self.layer)
        result = Relevance(values, scores=found.scores, start=found.start, absorbed=found.absorbed)
        return replace(result, notes=(*conservation_note(result, REASONS), *absorption_note(result), *found.notes))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [LRP]
