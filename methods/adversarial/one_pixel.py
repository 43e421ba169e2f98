"""The one-pixel attack (Su et al., 2019, https://arxiv.org/abs/1710.08864)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy, like
from crosslens.attack import AttackMethod, Problem
from crosslens.attack.randomness import generators
from crosslens.errors import ParameterError
from crosslens.evolution.differential_evolution import STRATEGIES, DifferentialEvolution
from crosslens.execution.batching import forward_limit, slices
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import CrossEntropy
from crosslens.plugins.hookspecs import hookimpl

from ._pixels import first_pixels, with_pixels


@dataclass(frozen=True, kw_only=True)
class OnePixel(AttackMethod):
    """Fool a network by changing a few pixels.

    Differential evolution over the places and the values of `pixels` pixels, to lower the probability of the class to
    leave, or to raise that of the class to reach; an image is done with its first picture that succeeds. The values are
    whole 255ths of the bounds, which an 8-bit file holds.
    """

    name = "one_pixel"
    aliases: ClassVar[Mapping[str, str]] = {"pixel_attack": "ART's, pixels=1 or more", "one_pixel_attack": ""}
    example: ClassVar = {"pixels": 2, "population": 8, "generations": 2}
    pixels: int = param(1, "pixels to change", minimum=1)
    population: int = param(400, "candidates of each generation, for each image", minimum=4)
    generations: int = param(100, "generations after the first", minimum=0)
    mutation: float | tuple[float, float] = param(
        0.5, "F, the share of the difference of two candidates that a third one moves by; two numbers are a range",
        minimum=0, maximum=2,
    )  # fmt: skip
    strategy: str = param("rand1", "which candidates are moved, any or the best", choices=STRATEGIES)
    seed: int = param(0, "of the candidates", minimum=0)
    presets: ClassVar = {
        "art": Preset(
            {"mutation": (0.5, 1.0), "strategy": "best1"},
            doc="PixelAttack(es=1, th=1); its first candidates are a Latin hypercube, and it stops at the best alone",
        ),
    }

    @property
    def distance_norm(self) -> str:
        return "l0"

    def check_parameters(self) -> None:
        super().check_parameters()
        low, high = self._mutation
        if low > high:
            raise ParameterError(f"mutation is {self.mutation}; the first number must not be above the second")

    @property
    def _mutation(self) -> tuple[float, float]:
        return self.mutation if isinstance(self.mutation, tuple | list) else (self.mutation, self.mutation)

    def search(self, problem: Problem, progress: Progress) -> Any:
        rows = problem.unfinished
        if not len(rows):
            return
        x = problem.of(rows)
        shape = tuple(int(n) for n in x.shape[1:])
        if self.pixels > shape[1] * shape[2]:
            raise ParameterError(f"pixels is {self.pixels}; these images have {shape[1] * shape[2]}")
        drawn = generators(x, self.seed)
        first = np.stack([first_pixels(rng, self.population, self.pixels, shape[0]) for rng in drawn])
        evolution = DifferentialEvolution(drawn, first, self._mutation, self.strategy)
        for generation in range(self.generations + 1):
            children = evolution.children()
            values = self._generation(problem, rows, children)
            evolution.select(children, values)
            left = np.flatnonzero(np.isinf(problem.distance[rows]))
            rows = rows[left]
            evolution.keep(left)
            done = len(problem.aim) - len(rows)
            progress(generation + 1, self.generations + 1, f"{done} of {len(problem.aim)} fooled")
            if not len(rows):
                break

    def _generation(self, problem: Problem, rows: "np.ndarray[Any, Any]", children: "np.ndarray[Any, Any]") -> Any:
        """The values (n, P) of candidates; the best of each image is offered."""
        owners = np.repeat(rows, self.population)
        genomes = children.reshape(len(owners), *children.shape[2:])
        images, ranges = as_numpy(problem.images), problem.ranges()
        losses, success, parts = [], [], []
        for start, stop in slices(len(owners), forward_limit(problem.model)):
            part = owners[start:stop]
            pictures = with_pixels(images[part], genomes[start:stop], self.pixels, ranges[part])
            logits = problem.logits(like(pictures, problem.images), part)
            loss = CrossEntropy(problem.aim.rows(part)).at_logits(logits)[0]
            losses.append(np.where(np.isnan(loss), -np.inf, loss))
            success.append(problem.succeeded(logits, part))
            parts.append(logits)
        values = -np.concatenate(losses)
        order = np.where(np.concatenate(success), -np.inf, values).reshape(len(rows), -1)
        best = order.argmin(axis=1) + np.arange(len(rows)) * self.population
        pictures = with_pixels(images[rows], genomes[best], self.pixels, ranges[rows])
        problem.offer(like(pictures, problem.images), rows, np.concatenate(parts)[best])
        return values.reshape(len(rows), -1)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [OnePixel]
