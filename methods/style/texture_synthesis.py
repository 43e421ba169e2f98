"""Texture synthesis (Gatys, Ecker and Bethge 2015, "Texture synthesis using convolutional neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array, like
from crosslens.errors import LayerError
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import rectified_scales
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, gram, gram_matrix
from crosslens.optim.base import Evaluate
from crosslens.optim.lbfgs import LBFGS
from crosslens.optim.loop import Run
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.jobs import Jobs, make_pictures
from crosslens.synthesis.parameterisation import Parameterisation
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.transforms import NoTransform

from ._parameterisation import COORDINATES, choose_coordinates, coordinates, noise

SCALES = 5
"""The paper's layers: one per resolution of VGG."""


@dataclass(frozen=True, kw_only=True)
class TextureSynthesis(PictureMethod):
    """A new picture with an image's texture.

    A new picture with an image's texture: from noise, the Gram matrices of the image at several layers.

    loss = mean over layers of sum (G - A)^2 / (4 C^2 M^2), equations 2 to 4 of the paper, by L-BFGS.
    """

    name = "texture_synthesis"
    aliases: ClassVar[Mapping[str, str]] = {
        "neural_texture_synthesis": "",
    }
    needs_target = False
    example: ClassVar = {"steps": 3}
    texture_layers: tuple[str, ...] | None = param(
        None, "layers whose Gram matrices to match; if not given, the first rectified of each scale"
    )
    sheet: bool = param(False, "a picture for each depth instead: the first layer, the first two, and so on")
    parameterisation: str | None = param(
        None,
        "coordinates of the picture; if not given, the paper's pixels, or frequencies where the first layer strides",
        choices=COORDINATES,
    )
    steps: int = param(100, "steps of L-BFGS", minimum=1)
    seed: int = param(0, "of the noise to start from", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.texture_layers else {"texture_layers": _default_layers(model, images)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """For each image one picture of its size, or one per depth; history (steps, pictures) is the loss."""
        names = list(self.texture_layers or _default_layers(model, images))
        depths = [names[: k + 1] for k in range(len(names))] if self.sheet else [names]
        pixels = coordinates(choose_coordinates(self.parameterisation, model, images[:1, ...]), images.shape[1:])
        tasks = [(images[n : n + 1, ...], layers) for n in range(images.shape[0]) for layers in depths]
        jobs = _Textures(self, model, pixels, tasks)
        return make_pictures(self, model, objective, jobs, images, progress)


class _Textures(Jobs):
    """Textures one after the other, each of an image and the layers whose Gram matrices to match."""

    def __init__(
        self,
        how: TextureSynthesis,
        model: Model,
        pixels: Parameterisation,
        tasks: Sequence[tuple[Array, Sequence[str]]],
    ) -> None:
        self._how, self._model, self._pixels, self._tasks = how, model, pixels, tasks
        self.count, self.steps, self.example = len(tasks), how.steps, tasks[0][0]
        self.optimiser = LBFGS(bounds=pixels.bounds)

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        (image, layers), seed = self._tasks[n], self._how.seed
        size = image.shape[-2], image.shape[-1]
        loss = _texture_loss(self._model, image, layers)
        return Ascent(self._model, -loss, self._pixels, NoTransform(), size, seed), like(
            noise(self._pixels, seed), image
        )

    def pictures(self, parameters: Array, n: int) -> Array:
        return self._pixels.image.apply(parameters)


def _default_layers(model: Model, images: Array) -> tuple[str, ...]:
    return tuple(names[0] for names in rectified_scales(model, images[:1, ...])[:SCALES])


def _texture_loss(model: Model, image: Array, layers: Sequence[str]) -> Objective:
    """The mean over layers of equation 3.

    Raises:
        LayerError: a layer without maps.
    """
    activations = model.forward(image, layers)
    for name, maps in activations.items():
        if maps.ndim not in {3, 4}:
            raise LayerError(f"layer {name!r} gives {tuple(maps.shape)}; a texture needs maps (N, C, H, W)")
    first, *rest = (gram(name, gram_matrix(activations[name])) for name in layers)
    return (1.0 / len(layers)) * sum(rest, first)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [TextureSynthesis]
