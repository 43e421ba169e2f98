"""Training by the loss of Gatys et al. (2016): Johnson et al. (2016), and Dumoulin et al. (2017) for several styles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import array_digest, as_numpy
from ..errors import ParameterError
from ..model.base import INPUT, Model
from ..objective import gram_matrix, match, total_variation
from ..style_network.spec import StyleSpec
from .photographs import Photographs, Pixels
from .plan import Batch, Part, Plan
from .settings import StyleTrainingSettings
from .style_loss import balanced_weight, check_maps, style_layers, style_objective
from .style_pictures import check_field, resize_and_crop

__all__ = ["GatysPlan"]

SAMPLES = 4
"""Photographs whose mean loss at activations of zero decides the weights."""


class GatysPlan(Plan):
    """content_weight * sum (F - P)^2 / 2 + beta * mean over layers of equation 4, as `style_transfer` has it."""

    def __init__(
        self, how: StyleTrainingSettings, model: Model, photographs: Photographs, styles: Sequence[Pixels]
    ) -> None:
        self.how, self.model, self.photographs, self.count = how, model, photographs, len(styles)
        self._batch = how.batch or (4 if how.norm == "batch" else 1)
        width, blocks = how.shape
        self.spec = StyleSpec(norm=how.norm, styles=self.count, width=width, blocks=blocks)
        sample = photographs.middle()
        self.content_layer, self.style_layers = style_layers(model, sample, how.content_layer, how.style_layers)
        check_maps(model, self.style_layers)
        check_field(model, sample, self.style_layers, styles)
        self._look(styles)
        self._weigh()

    def _look(self, styles: Sequence[Pixels]) -> None:
        """The styles' Gram matrices by layer (styles, C, C), and their loss at activations of zero (styles,)."""
        seen = [resize_and_crop(style, self.photographs.size) for style in styles]
        self._digests = [array_digest(style) for style in seen]
        maps = [self.model.forward(style, list(self.style_layers)) for style in seen]
        self._grams = {
            name: np.concatenate([as_numpy(gram_matrix(each[name])) for each in maps]) for name in self.style_layers
        }
        nothing = {name: np.zeros((self.count, *as_numpy(maps[0][name]).shape[1:]), np.float32) for name in self._grams}
        self._style_at_zero = as_numpy(style_objective(self._grams).value(nothing)).astype(np.float64)

    def _weigh(self) -> None:
        """The unit, beta of each style, and the weight of the total variation."""
        how, photographs = self.how, self.photographs
        some = np.concatenate([photographs.middle(n) for n in range(min(SAMPLES, len(photographs.source)))])
        maps = np.concatenate([self._content(some[n : n + 1]) for n in range(len(some))])
        self.unit = float((maps.astype(np.float64) ** 2).sum() / 2 / len(some))
        if how.style_weight is not None:
            self.betas = np.full(self.count, how.style_weight)
        else:
            self.betas = np.asarray([balanced_weight(how.strength, self.unit, each) for each in self._style_at_zero])
        varies = float(np.mean(as_numpy(total_variation().value({INPUT: some}))))
        self.tv = how.tv_weight * self.unit / varies if varies else 0.0
        if not self.unit:
            raise ParameterError(f"the photographs are zero everywhere in layer {self.content_layer!r}; give others")

    def _content(self, images: Pixels) -> Pixels:
        return as_numpy(self.model.forward(images, [self.content_layer])[self.content_layer])

    def batch(self, rng: np.random.Generator) -> Batch:
        """Random crops, each with a random style; what is to be matched is their own content."""
        images = self.photographs.crops(self._batch, rng)
        styles = rng.integers(self.count, size=len(images))
        one_hot = np.eye(self.count, dtype=np.float32)[styles]
        inputs = [images, one_hot] if self.spec.has_style_weights else [images]
        return Batch(inputs, self.parts(images, styles))

    def parts(self, images: Pixels, styles: Sequence[int] | np.ndarray[Any, Any]) -> dict[str, Part]:
        """The parts of the loss of pictures with the content of these, each in the style of this number."""
        content = match(self.content_layer, self._content(images))
        style = style_objective({name: grams[styles] for name, grams in self._grams.items()})
        tv = (np.asarray([self.tv]), total_variation())
        return {
            "content": (np.asarray([self.how.content_weight]), content),
            "style": (self.betas[styles], style),
            "total_variation": tv,
        }

    def sample_inputs(self) -> Sequence[np.ndarray[Any, Any]]:
        shown = min(self.count, 4)
        images = np.repeat(self.photographs.middle(), shown, axis=0)
        return [images, np.eye(self.count, dtype=np.float32)[:shown]] if self.spec.has_style_weights else [images]

    def record(self) -> Mapping[str, Any]:
        return {
            "content_layer": self.content_layer,
            "style_layers": list(self.style_layers),
            "batch": self._batch,
            "size": list(self.photographs.size),
            "model": self.model.digest,
            "photographs": self.photographs.source.digest,
            "styles": self._digests,
        }

    def weights(self) -> Mapping[str, Any]:
        tv = self.tv
        return {"content_weight": self.how.content_weight, "style_weights": self.betas.tolist(), "total_variation": tv}

    def notes(self) -> tuple[str, ...]:
        return self.photographs.notes()
