"""Training of a decoder for adaptive instance normalisation (Huang and Belongie 2017, equations 11 to 13)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import LayerError, ParameterError
from ..introspection.layer_scales import rectified_scales
from ..model.base import INPUT, Model
from ..objective import Objective, match, total_variation
from ..restyle.adain import adain, moments
from ..style_network.spec import StyleSpec
from .moment_loss import moment_loss
from .photographs import Photographs, Pixels
from .plan import Batch, Plan
from .settings import StyleTrainingSettings
from .style_loss import balanced_weight, check_maps

__all__ = ["AdainPlan"]

BALANCE = 10.0
"""lambda of the paper: `strength` 1 for each layer whose moments count."""
SCALES = 4
"""The paper's layers: relu1_1, relu2_1, relu3_1, relu4_1, the last one also the decoder's code."""
SAMPLES = 4
"""Photographs, and styles, whose mean losses at activations of zero decide the weights."""


class AdainPlan(Plan):
    """content_weight * sum (f(g(t)) - t)^2 / 2 + beta * sum over layers of equation 13's terms, t = AdaIN(f(c), f(s)).

    The paper's content loss is a mean, here it is a sum as in the other plans: the weights make up for it, since both
    losses count relative to what they are at activations of zero.
    """

    def __init__(self, how: StyleTrainingSettings, model: Model, photographs: Photographs, styles: Photographs) -> None:
        self.how, self.model, self.photographs, self.styles = how, model, photographs, styles
        self._batch = how.batch or 1
        sample = photographs.middle()
        self.code_layer, self.style_layers = _layers(model, sample, how)
        check_maps(model, [self.code_layer, *self.style_layers])
        self.spec = self._spec(sample)
        self._weigh()

    def _spec(self, sample: Pixels) -> StyleSpec:
        """The decoder of the code's layer.

        Raises:
            LayerError: its positions do not stand for 2, 4, 8 ... pixels each.
        """
        _, channels, height, width = self._code(sample).shape
        strides = {sample.shape[2] / height, sample.shape[3] / width}
        stride = int(max(strides))
        if strides != {stride} or stride & (stride - 1):
            raise LayerError(
                f"layer {self.code_layer!r} gives {height} x {width} positions for {sample.shape[2]} x "
                f"{sample.shape[3]} pixels; a decoder needs 2, 4, 8 or 16 times as many pixels: choose another "
                "content_layer, or another size"
            )
        width, blocks = self.how.shape
        code = (channels, stride)
        return StyleSpec("decoder", "none", width=width, blocks=blocks, code=code, layer=self.code_layer)

    def _weigh(self) -> None:
        """The unit, beta, and the weight of the total variation, from a few photographs and styles."""
        how = self.how
        some, looks = (
            np.concatenate([each.middle(n) for n in range(min(SAMPLES, len(each.source)))])
            for each in (self.photographs, self.styles)
        )
        code = self._code(some)
        self.unit = float((code.astype(np.float64) ** 2).sum() / 2 / len(some))
        maps = self.model.forward(looks, list(self.style_layers))
        nothing = {name: np.zeros_like(as_numpy(each)) for name, each in maps.items()}
        at_zero = float(np.mean(as_numpy(self._style(maps).value(nothing))))
        balance = BALANCE * len(self.style_layers)
        self.beta = (
            balanced_weight(how.strength, self.unit, at_zero, balance) if how.style_weight is None else how.style_weight
        )
        if not self.unit:
            raise ParameterError(f"the photographs are zero everywhere in layer {self.code_layer!r}; give others")
        varies = float(np.mean(as_numpy(total_variation().value({INPUT: some}))))
        self.tv = how.tv_weight * self.unit / varies if varies else 0.0

    def _code(self, images: Pixels) -> Pixels:
        return as_numpy(self.model.forward(images, [self.code_layer])[self.code_layer])

    def _style(self, maps: Mapping[str, Any]) -> Objective:
        """The sum over layers of equation 13's terms, aimed at these activations."""
        terms = [moment_loss(name, moments(maps[name])) for name in self.style_layers]
        return sum(terms[1:], terms[0])

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops of photographs, each with a random crop of a style; the decoder is given AdaIN's output t."""
        images, looks = self.photographs.crops(self._batch, rng), self.styles.crops(self._batch, rng)
        return self._aimed_at(images, looks)

    def _aimed_at(self, images: Pixels, looks: Pixels) -> Batch:
        maps = self.model.forward(looks, [*self.style_layers, self.code_layer])
        target = as_numpy(adain(self._code(images), moments(as_numpy(maps[self.code_layer]))))
        return Batch(
            [target],
            {
                "content": (np.asarray([self.how.content_weight]), match(self.code_layer, target)),
                "style": (np.asarray([self.beta]), self._style(maps)),
                "total_variation": (np.asarray([self.tv]), total_variation()),
            },
        )

    def sample_inputs(self) -> Sequence[Pixels]:
        shown = min(len(self.styles.source), SAMPLES)
        looks = np.concatenate([self.styles.middle(n) for n in range(shown)])
        return self._aimed_at(np.repeat(self.photographs.middle(), shown, axis=0), looks).inputs

    def record(self) -> Mapping[str, Any]:
        return {
            "content_layer": self.code_layer,
            "style_layers": list(self.style_layers),
            "batch": self._batch,
            "size": list(self.photographs.size),
            "model": self.model.digest,
            "photographs": self.photographs.source.digest,
            "styles": self.styles.source.digest,
        }

    def weights(self) -> Mapping[str, Any]:
        return {"content_weight": self.how.content_weight, "style_weights": [self.beta], "total_variation": self.tv}

    def notes(self) -> tuple[str, ...]:
        notes = [note for note in self.styles.notes() if "photographs only" not in note]
        return (*self.photographs.notes(), *notes)


def _layers(model: Model, image: Pixels, how: StyleTrainingSettings) -> tuple[str, tuple[str, ...]]:
    """The code's layer and those whose moments count: relu4_1, and relu1_1 to relu4_1, or as named."""
    if how.content_layer and how.style_layers:
        return how.content_layer, tuple(how.style_layers)
    scales = rectified_scales(model, image)[:SCALES]
    return how.content_layer or scales[-1][0], tuple(how.style_layers or [names[0] for names in scales])
