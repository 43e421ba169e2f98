"""Deep SHAP: DeepLIFT over many references (Lundberg and Lee, 2017, https://arxiv.org/abs/1705.07874)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.baselines import NAMES, made_up_note
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.relevance import Relevance, refuse_unreached

from ._differences import difference_shares, references_of
from ._pairs import secant_of, through_pairs


@dataclass(frozen=True, kw_only=True)
class DeepLIFTSHAP(Method):
    """DeepLIFT averaged over a background of images.

    The mean of DeepLIFT's values over references from a background, an approximation of Shapley values.

    Section 4.2, "Deep SHAP": the values add up to S(x) less the mean of S over the references, exactly, as each
    reference's values do. The paper's background is the data: give images (M, C, H, W).
    """

    name = "deep_lift_shap"
    aliases: ClassVar[Mapping[str, str]] = {"deep_shap": "", "deep_explainer": ""}
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(doc="its DeepLiftShap; it has no default background"),
    }
    example: ClassVar[Mapping[str, Any]] = {"background": ("black", "blurred")}
    background: str | tuple[str, ...] | Any = param(NAMES, "references: images (M, C, H, W), names or pictures' files")
    samples: int = param(100, "references at most; of a larger background as many are drawn", minimum=1)
    layer: str = param(INPUT, "layer to attribute to; the image if not given")
    seed: int = param(0, "of the draws; each image gets the same", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Relevance:
        """Signed values of the shape of the image, or of the layer, in the target's unit."""
        refuse_unreached(model, objective, self.layer)
        references = references_of(self.background, images, model, self.seed, self.samples)
        multipliers = partial(through_pairs, secant_of(model))
        found = difference_shares(model, images, references, objective, self.layer, multipliers, progress)
        return replace(found, notes=(*found.notes, *made_up_note(self.background)))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [DeepLIFTSHAP]
