"""AttnLRP (Achtibat et al., 2024, https://arxiv.org/abs/2402.05602)."""

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
    Composite,
    Epsilon,
    Gamma,
    Propagation,
    Relevance,
    Rule,
    conservation_note,
    refuse_after_softmax,
    refuse_unreached,
)  # fmt: skip

from ._channels import channels_added_up, parse_channels

REASONS = "a softmax, whose outputs do not depend on what all its inputs share, and layers without a rule"


@dataclass(frozen=True, kw_only=True)
class AttnLRP(Method):
    """Share the target out through attention too.

    Layer-wise relevance propagation for transformers: rules for softmax, attention's products and normalisations.

    Linear layers have the epsilon rule, or gamma where it is given, which vision transformers need against noise
    (section 4.1). A softmax passes x (R - s sum R) (proposition 3.1), a product half to each factor (proposition 3.3),
    a normalisation's deviation is a constant (proposition 3.4), and activation functions pass relevance unchanged.
    Convolutional networks are taken too. LRP may be patented where you are; see the README.
    """

    name = "attn_lrp"
    aliases: ClassVar[Mapping[str, str]] = {"attention_lrp": "", "attention_aware_lrp": "", "lxt": ""}
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "lxt": Preset({"per_channel": True}, doc="its rules as published; its examples for ViT detach q and k besides"),
    }
    gamma_convolution: float = param(0.0, "gamma of the rule of convolutions; 0 for the epsilon rule", minimum=0)
    gamma_dense: float = param(0.0, "gamma of the rule of dense layers; 0 for the epsilon rule", minimum=0)
    epsilon: float = param(1e-6, "stabiliser of every rule, by which denominators grow", minimum=0)
    layer: str = param(INPUT, "layer whose relevance is asked for; the image if not given")
    through: tuple[str, ...] = param(
        (), "relevance through these channels alone, LAYER:CHANNEL[,CHANNEL...]; of several layers through each"
    )
    per_channel: bool = param(False, "a value for each channel of each pixel, not their sum")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Relevance:
        """Signed maps (N, H, W), or each channel's own; of a layer of its shape."""
        refuse_after_softmax(model, objective, self.name)
        through = parse_channels(model, self.through)
        refuse_unreached(model, objective, self.layer, through)
        composite = Composite(self._rule(self.gamma_convolution), self._rule(self.gamma_dense))
        propagation = Propagation.of(model, composite, objective, epsilon=self.epsilon, layer=self.layer)
        found = propagation.of_target(images, objective, through)
        values = found.values if self.per_channel else channels_added_up(found.values, self.layer)
        result = Relevance(values, scores=found.scores, start=found.start, absorbed=found.absorbed)
        return replace(result, notes=(*conservation_note(result, REASONS), *found.notes))

    def _rule(self, gamma: float) -> Rule:
        return Gamma(self.epsilon, gamma=gamma) if gamma else Epsilon(self.epsilon)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AttnLRP]
