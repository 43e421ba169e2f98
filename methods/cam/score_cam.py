"""Score-CAM (Wang et al., 2020, https://arxiv.org/abs/1910.01279)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu, softmax
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.method.fills import FILL_DOC, Fill, fill_image
from crosslens.method.postprocess import Size, resize, unit_range
from crosslens.method.preset import Preset
from crosslens.method.target_function import TargetFunction, batch_ranges, target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ..evaluation._metric import class_probability
from ._feature_maps import feature_maps, weighted_sum, zero_map_note
from ._map_methods import MapMethod, negated_if

SCALED, WEIGHTS = ("large", "small"), ("softmax", "probability")


@dataclass(frozen=True, kw_only=True)
class ScoreCAM(MapMethod):
    """Maps weighted by the target of what each lets show.

    Weight each channel by the target's value for the image that shows through the channel's own map; no gradient.

    Algorithm 1 of the paper: H_k is A_k enlarged to the image and scaled to [0, 1]; w = softmax over k of S(X H_k);
    L = relu(sum_k w_k A_k). The softmax takes away any baseline's score. One forward pass per channel.
    """

    name = "score_cam"
    nearest_to: ClassVar[Mapping[str, str]] = {
        "ss_cam": "without its smoothing",
        "is_cam": "without its integration",
        "faster_score_cam": "with all channels",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "torchcam": Preset({"scaled": "small", "epsilon": 1e-8}, (unit_range(1e-8),)),
        "pytorch-grad-cam": Preset(
            {"enlargement": "corners", "epsilon": 1e-8}, (unit_range(1e-7), resize("linear"), unit_range(1e-7))
        ),
        "tf-keras-vis": Preset(
            {"enlargement": "corners", "epsilon": 1e-7, "weights": "probability"},
            (resize("corners"), unit_range(1e-7)),
            doc="the class's probability is the weight, without a softmax over channels",
        ),
    }
    fill: Fill = param("black", f"what is shown where a mask is 0: {FILL_DOC}; black is X H_k as the paper writes it")
    enlargement: str = param("linear", "how a map becomes a mask", choices=("linear", "corners"))
    scaled: str = param("large", "a map is scaled to [0, 1] when it is large, or still small", choices=SCALED)
    epsilon: float = param(0.0, "added to a map's range, by which it is divided", minimum=0)
    weights: str = param("softmax", "over channels, or the class's probability as it is", choices=WEIGHTS)
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, nowhere negative; (N, d, h, w) of volumes."""
        layer = self.layer or default_layer(model, objective, images)
        maps = feature_maps(model.forward(images, [layer])[layer], layer, images.shape[2:])
        target = objective if self.weights == "softmax" else class_probability(objective)
        functions, scores = target_functions(model, images, negated_if(target, self.counterfactual))
        xp = namespace(maps)
        values = xp.stack([self._map(function, maps[n, ...], progress) for n, function in enumerate(functions)])
        notes = zero_map_note(values, [layer])
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=notes)

    def _map(self, function: TargetFunction, maps: Array, progress: Progress) -> Array:
        """(h, w) from the maps (C, h, w) of one image; (d, h, w) of a volume's."""
        xp = namespace(maps)
        scores, cover = [], fill_image(self.fill, function.image, function.model, seed=0)
        for start, stop in batch_ranges(function.model, maps.shape[0], progress, "masking"):
            masks = self._masks(maps[start:stop, ...], function.image.shape[2:])[:, None, ...]
            scores.append(function.scores(cover + masks * (function.image - cover)))
        weights = softmax(xp.concat(scores)) if self.weights == "softmax" else xp.concat(scores)
        return relu(weighted_sum(weights, maps))

    def _masks(self, maps: Array, size: Size) -> Array:
        """Maps (C, h, w) of the image's size and from 0 to 1; one without differences becomes 0 everywhere."""
        scale, enlarge = unit_range(self.epsilon), resize(self.enlargement)
        first, second = (scale, enlarge) if self.scaled == "small" else (enlarge, scale)
        return second(first(maps, size), size)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ScoreCAM]
