"""Style transfer (Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, match
from crosslens.operators import Size
from crosslens.optimise import LBFGS, Adam, Optimiser, Run, long_run
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import rectified_scales

from .style_loss import descent, interrupted, style_loss, together
from .style_picture import (
    COLOURS,
    check_colours,
    check_field,
    check_maps,
    covering,
    in_grey,
    matched,
    repainted,
    sized,
    style_pictures,
)

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
    example: ClassVar = {"style": np.linspace(0, 1, 1728, dtype=np.float32).reshape(3, 24, 24), "steps": 3}
    style: Any = param(None, "picture whose style to take: a file, or an array (3, H, W) in [0, 1]; or several")
    blend: tuple[float, ...] | None = param(None, "share of each of several styles; equal ones if not given")
    content_layer: str | None = param(
        None, "layer to match; if not given, the second rectified one of the last scale but one"
    )
    style_layers: tuple[str, ...] | None = param(
        None, "layers for the style; if not given, the first rectified of each scale"
    )
    layer_weights: tuple[float, ...] | None = param(None, "w of equation 5, one per style layer; equal if not given")
    content_weight: float = param(1.0, "alpha of the paper's equation 7")
    style_weight: float = param(3000.0, "beta of the paper's equation 7: more for textures, less for photographs")
    colours: str = param("style", "whose colours the result has; two ways to keep the content's", choices=COLOURS)
    steps: int = param(100, "steps of the optimiser at each scale")
    scales: int = param(1, "from coarse to fine: the first is smaller than the picture by 2^(scales - 1)")
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    learning_rate: float = param(0.02, "length of Adam's steps, in the unit of pixels")
    start: str = param("content", "picture to start from", choices=("content", "noise"))
    seed: int = param(0, "of the noise to start from")
    every: int | None = param(None, "keep a snapshot after every so many steps of the last scale")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each of `images`, of its size; history (steps, N) is the loss, the start's first."""
        optimiser, sizes = self._optimiser(), self._sizes(model, images)
        check_colours(self.colours, images)
        styles = [like(style, images) for style in style_pictures(self.style, model)]
        layers = self._layers(model, images)
        check_maps(model, layers[1])
        check_field(model, images[:1, ...], layers[1], styles)
        runs: list[Run] = []
        for n in range(images.shape[0]):
            runs.append(self._one(model, images[n : n + 1, ...], styles, layers, sizes, optimiser, progress))
            if runs[-1].interrupted:
                break
        xp = namespace(runs[0].parameters)
        whole = set.intersection(*({step for step, _ in run.snapshots} for run in runs))
        return Synthesis(
            images=xp.concat([run.parameters for run in runs], axis=0),
            history=together([as_numpy(run.history)[:, 0] for run in runs]),
            snapshots={step: xp.concat([dict(run.snapshots)[step] for run in runs], axis=0) for step in sorted(whole)},
            notes=interrupted(runs, images.shape[0], self.steps),
        )

    def _one(
        self,
        model: Model,
        content: Array,
        styles: Sequence[Array],
        layers: tuple[str, tuple[str, ...]],
        sizes: Sequence[Size],
        optimiser: Optimiser,
        progress: Progress,
    ) -> Run:
        """One picture, from the coarsest scale to its own; histories of the scales one after the other."""
        seen = in_grey(content) if self.colours == "luminance" else content
        if self.colours != "style":
            styles = [in_grey(s) if self.colours == "luminance" else matched(s, content) for s in styles]
        picture, run = self._start(seen), None
        past: list[Array] = []
        for size in sizes:
            here = covering(seen, size)
            target = model.forward(here, [layers[0]])[layers[0]]
            look = style_loss(model, [covering(s, size) for s in styles], layers[1], self.blend, self.layer_weights)
            loss = self.content_weight * match(layers[0], target) + self.style_weight * look
            start, lower = like(covering(like(picture, here), size), target), descent(model, loss)
            run = long_run(lower, start, self.steps, optimiser=optimiser, progress=progress, every=self.every)
            picture, past = run.parameters, [*past, run.history]
            if run.interrupted:
                break
        assert run is not None
        run = replace(run, parameters=sized(run.parameters, sizes[-1]), history=namespace(*past).concat(past, axis=0))
        return repainted(run, content) if self.colours == "luminance" else run

    def _sizes(self, model: Model, images: Array) -> list[Size]:
        height, width = images.shape[-2:]
        if isinstance(self.scales, bool) or not isinstance(self.scales, int) or self.scales < 1:
            raise ParameterError(f"scales is {self.scales!r}; it must be a whole number, at least 1")
        if self.scales > 1 and None not in model.input.shape[1:]:
            raise ParameterError(f"scales is {self.scales}, but this model takes pictures {model.input.shape[1:]} only")
        return [(max(1, height >> n), max(1, width >> n)) for n in reversed(range(self.scales))]

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


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [StyleTransfer]
