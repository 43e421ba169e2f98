"""Texture synthesis (Gatys, Ecker and Bethge 2015, "Texture synthesis using convolutional neural networks")."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.ascent import Ascent
from crosslens.errors import LayerError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, gram, gram_matrix
from crosslens.operators import Identity
from crosslens.optimise import LBFGS, optimise
from crosslens.parameterise import Parameterisation
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import rectified_scales
from crosslens.views import Unchanged

from .style_loss import together

SCALES = 5
"""The paper's layers: one per resolution of VGG."""


@dataclass(frozen=True, kw_only=True)
class TextureSynthesis(Method):
    """A new picture with an image's texture: from noise, the Gram matrices of the image at several layers.

    loss = mean over layers of sum (G - A)^2 / (4 C^2 M^2), equations 2 to 4 of the paper, by L-BFGS.
    """

    name = "texture_synthesis"
    batched = False
    needs_target = False
    example: ClassVar = {"steps": 3}
    texture_layers: tuple[str, ...] | None = param(
        None, "layers whose Gram matrices to match; if not given, the first rectified of each scale"
    )
    sheet: bool = param(False, "a picture for each depth instead: the first layer, the first two, and so on")
    steps: int = param(100, "steps of L-BFGS")
    seed: int = param(0, "of the noise to start from")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """For each image one picture of its size, or one per depth; history (steps, pictures) is the loss."""
        names = list(self.texture_layers or [s[0] for s in rectified_scales(model, images[:1, ...])[:SCALES]])
        depths = [names[: k + 1] for k in range(len(names))] if self.sheet else [names]
        made, losses = [], []
        for n in range(images.shape[0]):
            for layers in depths:
                picture, history = self._woven(model, images[n : n + 1, ...], layers, progress)
                made.append(picture)
                losses.append(as_numpy(history)[:, 0])
        return Synthesis(images=namespace(*made).concat(made, axis=0), history=together(losses))

    def _woven(self, model: Model, image: Array, layers: Sequence[str], progress: Progress) -> tuple[Array, Array]:
        noise = np.random.default_rng(self.seed).normal(0.5, 0.1, image.shape).clip(0, 1)
        pixels = Parameterisation(Identity(), image.shape[1:], 1.0)
        size = image.shape[-2], image.shape[-1]
        loss = Ascent(model, -_texture_loss(model, image, layers), pixels, Unchanged(), size, self.seed)
        start = like(noise.astype(np.float32), image)
        return optimise(loss, start, self.steps, optimiser=LBFGS(bounds=(0.0, 1.0)), progress=progress)


def _texture_loss(model: Model, image: Array, layers: Sequence[str]) -> Objective:
    """The mean over layers of equation 3.

    Raises:
        LayerError: a layer without maps.
    """
    activations = model.forward(image, layers)
    for name, found in activations.items():
        if found.ndim not in {3, 4}:
            raise LayerError(f"layer {name!r} gives {tuple(found.shape)}; a texture needs maps (N, C, H, W)")
    first, *rest = (gram(name, gram_matrix(activations[name])) for name in layers)
    return (1.0 / len(layers)) * sum(rest, first)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [TextureSynthesis]
