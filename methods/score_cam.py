"""Score-CAM (Wang et al., 2020, https://arxiv.org/abs/1910.01279)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.arrays import Array, namespace, relu, softmax, upsample
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.progress import Progress
from crosslens.result import Attribution

from .cam_family import as_maps, chosen_layer, empty_note, facing
from .case import Case, cases, portions


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(Method):
    """Weight each channel by the target's value for the image that shows through the channel's own map; no gradient.

    Algorithm 1 of the paper: H_k is A_k enlarged to the image and scaled to [0, 1]; w = softmax over k of S(X H_k);
    L = relu(sum_k w_k A_k). The softmax takes away any baseline's score. One forward pass per channel.
    """

    name = "score_cam"
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")
    fill: float = param(0.0, "what stands where a mask is 0, in the image's unit; 0 is X H_k as the paper writes it")
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, nowhere negative."""
        layer = chosen_layer(model, self.layer)
        maps = as_maps(model.forward(images, [layer])[layer], layer, images.shape[2:])
        found, scores = cases(model, images, facing(objective, self.counterfactual))
        xp = namespace(maps)
        values = xp.stack([self._map(case, maps[n, ...], progress) for n, case in enumerate(found)])
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=empty_note(values, [layer]))

    def _map(self, case: Case, maps: Array, progress: Progress) -> Array:
        """(h, w) from the maps (C, h, w) of one image."""
        xp = namespace(maps)
        shown = []
        for start, stop in portions(case.model, maps.shape[0], progress, "masking"):
            masks = _unit(upsample(maps[start:stop, ...], case.image.shape[2:]))[:, None, :, :]
            shown.append(case.scores(case.image * masks + self.fill * (1 - masks)))
        weights = softmax(xp.concat(shown))
        return relu(xp.sum(weights[:, None, None] * maps, axis=0))


def _unit(maps: Array) -> Array:
    """Each map scaled to reach from 0 to 1; one that is the same everywhere, which says nothing about places, to 0."""
    xp = namespace(maps)
    low, high = xp.min(maps, axis=(1, 2), keepdims=True), xp.max(maps, axis=(1, 2), keepdims=True)
    return (maps - low) / xp.where(high > low, high - low, xp.ones_like(high))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ScoreCAM]
