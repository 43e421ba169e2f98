"""DeepLIFT (Shrikumar et al., 2017, https://arxiv.org/abs/1704.02685)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import Relevance, refuse_unreached

from ._differences import Multipliers, difference_shares, references_of
from ._pairs import secant_of, through_pairs
from ._reveal_cancel import RevealCancel


@dataclass(frozen=True, kw_only=True)
class DeepLIFT(Method):
    """What pixels change from a reference, times secants.

    Multipliers times differences, (x - x') m, in one pass through the network at the image and at a reference x'.

    A multiplier is a gradient with (f(z) - f(z')) / (z - z') in place of f'(z) at each nonlinearity (the rescale rule,
    section 3.5.1), so that the values add up to S(x) - S(x'), where f is flat too. Products, softmax, normalisations
    and maxima have secants of their own. Values are averaged over several references. "reveal_cancel" (section 3.5.2)
    takes positive and negative contributions to a dense layer apart, which shows inputs that cancel each other out.
    """

    name = "deep_lift"
    aliases: ClassVar[Mapping[str, str]] = {"rescale_rule": "", "deep_lift_rescale": ""}
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(doc="its DeepLift; of a network with softmax layers its values add up to less"),
    }
    baseline: str | tuple[str, ...] | Any = param(
        "black", "the reference: black, white, grey, blurred, noise, a picture's file or an array; or several"
    )
    rule: str = param(
        "rescale",
        "the secant of each nonlinearity; or, where a dense layer with a rectifier is the only way, positive and "
        "negative contributions apart",
        choices=("rescale", "reveal_cancel"),
    )
    layer: str = param(INPUT, "layer to attribute to, against its values at the reference; the image if not given")
    seed: int = param(0, "of the reference 'noise'", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Relevance:
        """Signed values of the shape of the image, or of the layer, that add up to S(x) - S(x')."""
        refuse_unreached(model, objective, self.layer)
        references = references_of(self.baseline, images, model, self.seed)
        if self.rule == "rescale":
            multipliers: Multipliers = partial(through_pairs, secant_of(model))
            return difference_shares(model, images, references, objective, self.layer, multipliers, progress)
        by_sign = RevealCancel.of(model, objective, self.layer)
        found = difference_shares(model, images, references, objective, self.layer, by_sign, progress)
        return replace(found, notes=(*found.notes, by_sign.note))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [DeepLIFT]
