"""Style transfer (Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import LayerError, ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.image import load_image
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, gram, gram_matrix, match, pullback
from crosslens.operators import Crop, Resize, Size
from crosslens.optimise import LBFGS, Adam, Evaluate, Optimiser, optimise
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import rectified_scales

SCALES = 5
"""Gatys' style layers: one per resolution of VGG."""


@dataclass(frozen=True, kw_only=True)
class StyleTransfer(Method):
    """A picture with the content of one and the style of another: equations 1, 4, 5 and 7 of the paper.

    loss = content_weight * sum (F - P)^2 / 2 + style_weight * mean over layers of sum (G - A)^2 / (4 C^2 M^2), with
    F the picture's activations and P the content's, G the picture's Gram matrices and A the style's.
    """

    name = "style_transfer"
    batched = False
    needs_target = False
    example: ClassVar = {"style": np.linspace(0, 1, 192, dtype=np.float32).reshape(3, 8, 8), "steps": 3}
    style: Any = param(None, "picture whose style to take: a file, or an array (3, H, W) in [0, 1]")
    content_layer: str | None = param(
        None, "layer to match; if not given, the second rectified one of the last scale but one"
    )
    style_layers: tuple[str, ...] | None = param(
        None, "layers for the style; if not given, the first rectified of each scale"
    )
    content_weight: float = param(1.0, "alpha of the paper's equation 7")
    style_weight: float = param(3000.0, "beta of the paper's equation 7: more for textures, less for photographs")
    steps: int = param(100, "steps of the optimiser")
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    learning_rate: float = param(0.02, "length of Adam's steps, in the unit of pixels")
    start: str = param("content", "picture to start from", choices=("content", "noise"))
    seed: int = param(0, "of the noise to start from")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each of `images`, of its size; history (steps, N) is the loss, the start's first."""
        optimiser = self._optimiser()
        size = images.shape[-2], images.shape[-1]
        style = like(_style(self.style, size, model), images)
        content_layer, style_layers = self._layers(model, images)
        look = _style_loss(model, style, style_layers)
        made, losses = [], []
        for n in range(images.shape[0]):
            content = images[n : n + 1, ...]
            target = model.forward(content, [content_layer])[content_layer]
            loss = self.content_weight * match(content_layer, target) + self.style_weight * look
            start = like(self._start(content), target)
            found, history = optimise(_descent(model, loss), start, self.steps, optimiser=optimiser, progress=progress)
            made.append(found)
            losses.append(as_numpy(history)[:, 0])
        return Synthesis(images=namespace(*made).concat(made, axis=0), history=_together(losses))

    def _optimiser(self) -> Optimiser:
        known: Mapping[str, Optimiser] = {
            "lbfgs": LBFGS(bounds=(0.0, 1.0)),
            "adam": Adam(self.learning_rate, bounds=(0.0, 1.0)),
        }
        if self.optimiser not in known:
            raise ParameterError(f"no optimiser {self.optimiser!r}; there are {', '.join(known)}")
        return known[self.optimiser]

    def _start(self, content: Array) -> Array:
        if self.start not in {"content", "noise"}:
            raise ParameterError(f"no start {self.start!r}; there are content, noise")
        if self.start == "content":
            return content
        noise = np.random.default_rng(self.seed).normal(0.5, 0.1, content.shape)
        return noise.clip(0, 1).astype(np.float32)

    def _layers(self, model: Model, images: Array) -> tuple[str, tuple[str, ...]]:
        """The content layer and the style layers, as named or by Gatys' pattern: conv4_2, and conv1_1 to conv5_1."""
        if self.content_layer and self.style_layers:
            return self.content_layer, tuple(self.style_layers)
        scales = rectified_scales(model, images[:1, ...])[:SCALES]
        deep = scales[-2:][0]
        style = tuple(self.style_layers or [names[0] for names in scales])
        return self.content_layer or deep[min(1, len(deep) - 1)], style


def _style(style: Any, size: Size, model: Model) -> Array:
    """The style picture (1, C, H, W) at the content's size: covered, not stretched, its middle.

    Raises:
        ParameterError: no style, or an array that is no picture.
        ImageError: a file that cannot be read.
    """
    if isinstance(style, str | Path):
        return load_image(style, like=model, size=size, crop=1.0)
    if style is None or not hasattr(style, "ndim"):
        raise ParameterError(
            f"style is {style!r}; style_transfer needs a picture: style='starry_night.jpg', or an array"
        )
    picture = style[None, ...] if style.ndim == 3 else style
    if picture.ndim != 4 or picture.shape[0] != 1:
        raise ParameterError(f"style has shape {tuple(style.shape)}; it must be one picture, (3, H, W) in [0, 1]")
    height, width = picture.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    covering = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    return (Resize((height, width), covering) >> Crop.centre(covering, size)).apply(picture)


def _style_loss(model: Model, style: Array, layers: Sequence[str]) -> Objective:
    """The mean over layers of equation 4.

    Raises:
        LayerError: a layer without maps.
    """
    for name in layers:
        shape = model.layer(name).shape
        if len(shape) not in {3, 4}:
            raise LayerError(
                f"style layer {name!r} gives {shape}; a style needs maps (N, C, H, W), before any pooling to one"
            )
    activations = model.forward(style, layers)
    first, *rest = (gram(name, gram_matrix(activations[name])) for name in layers)
    return (1.0 / len(layers)) * sum(rest, first)


def _descent(model: Model, loss: Objective) -> Evaluate:
    def evaluate(picture: Array, step: int) -> tuple[Array, Array]:
        pull, value = pullback(model, picture, loss)
        return value, like(pull.gradients[INPUT], picture)

    return evaluate


def _together(columns: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """(steps, N) of runs that may have converged at different steps: the last loss stays."""
    steps = max(len(column) for column in columns)
    return np.stack([np.pad(column, (0, steps - len(column)), mode="edge") for column in columns], axis=1)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [StyleTransfer]
