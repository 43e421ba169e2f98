"""Fooling images (Nguyen, Yosinski and Clune 2015, https://arxiv.org/abs/1412.1897)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ParameterError, TargetError
from crosslens.evolution.confidence import Confidence
from crosslens.evolution.fooling_images import FoolingImages
from crosslens.evolution.fooling_run import run_fooling
from crosslens.evolution.genomes import CppnGenomes, PixelGenomes
from crosslens.evolution.gradient_ascent import GradientAscent
from crosslens.evolution.map_elites import MapElites
from crosslens.evolution.search import Search
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import ClassScore, Objective
from crosslens.objective.per_image import Each
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result.display import counted
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.starting_point import picture_size

from ._fooling_parameters import AscentOptions, EvolutionOptions

GENOMES = {"cppn": CppnGenomes, "direct": PixelGenomes}


@dataclass(frozen=True, kw_only=True)
class FoolingImage(EvolutionOptions, AscentOptions, PictureMethod):
    """Pictures of nothing that a network is sure of.

    Pictures of nothing that a network is sure of, one for each class: all classes, or those of the target.

    Evolved by MAP-Elites, which keeps the best picture of each class: patterns painted by small networks (cppn), or
    pixels (direct). Or made by gradient ascent on the class (gradient). No image is given. The more classes a network
    has, the more generations it takes: the paper took 5,000 for ImageNet's 1,000; a few named classes take fewer.
    """

    name = "fooling_image"
    aliases: ClassVar[Mapping[str, str]] = {"fooling_images": ""}
    needs_images = False
    example: ClassVar = {"steps": 3, "population": 8}
    encoding: str = param("cppn", "how pictures are written", choices=(*GENOMES, "gradient"))
    confidence: float = param(0.9999, "stop where every picture has this", above=0, maximum=1)
    size: int | None = param(None, "height and width of the pictures in pixels; the network's own if not given")
    steps: int = param(200, "generations, or steps of gradient ascent, at most", minimum=1)
    seed: int = param(0, "of the random numbers", minimum=0)

    def check_parameters(self) -> None:
        """Refuse parameters of another encoding than the one chosen.

        Raises:
            ParameterError: with what they belong to.
        """
        super().check_parameters()
        unused = EvolutionOptions if self.encoding == "gradient" else AscentOptions
        given = [f.name for f in fields(unused) if getattr(self, f.name) != f.default]
        if given:
            raise ParameterError(
                f"encoding is {self.encoding!r}, which has no use for {' and '.join(given)}; that is for {unused.title}"
            )

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> FoolingImages:
        """A picture for each class; history (generations, classes) is the confidence after each generation."""
        if images is not None:
            raise ParameterError("fooling_image makes its pictures from the network alone; leave the images out")
        return run_fooling(self, model, self._search(model, objective), progress)

    def _search(self, model: Model, objective: Objective) -> Search:
        confidence = Confidence.of(model)
        classes, size = _classes(objective, model.output.count), picture_size(model, None, self.size)
        channels = model.input.shape[0] or 3
        if self.encoding == "gradient":
            picture = (channels, *size), self.start
            return GradientAscent(
                confidence, classes, *picture, self.learning_rate, self.decay, self.seed, self.confidence
            )
        if self.colour == "hsv" and channels != 3:
            raise ParameterError(
                f"colour is 'hsv', and these pictures have {counted(channels, 'channel')}, not 3; leave colour out"
            )
        genomes = GENOMES[self.encoding](channels, size, channels == 3 and self.colour != "rgb")
        cells = np.arange(model.output.count) if self.encoding == "cppn" else classes
        return MapElites(confidence, genomes, classes, cells, self.population, self.seed, self.confidence)


def _classes(objective: Objective, count: int) -> np.ndarray[Any, Any]:
    """The classes that a target names, one picture each; all where none is given.

    Raises:
        TargetError: it is not classes, or names one of them twice.
    """
    parts = objective.parts if isinstance(objective, Each) else (objective,)
    if objective == ClassScore():
        return np.arange(count)
    targets = [part.target for part in parts if isinstance(part, ClassScore) and part.target is not None]
    if len(targets) < len(parts):
        raise TargetError(
            f"fooling_image makes pictures of classes, not of {objective}; give target=281, or several as '281 | 282'"
        )
    classes = np.concatenate([np.atleast_1d(target) for target in targets])
    named, times = np.unique(classes, return_counts=True)
    if (times > 1).any():
        raise TargetError(f"target names class {named[times > 1][0]} twice; fooling_image makes one picture a class")
    return classes


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FoolingImage]
