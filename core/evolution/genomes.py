"""The two encodings of evolved pictures: CPPNs, and pixels directly; a genome is a row of numbers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..operators import Size
from .cppn import INPUTS, Cppns
from .cppn_mutation import mutated
from .cppn_pictures import cppn_outputs
from .hsv import rgb_of_hsv
from .polynomial_mutation import polynomial_mutation

__all__ = ["CppnGenomes", "Genomes", "PixelGenomes"]

Values: TypeAlias = np.ndarray[Any, Any]

PIXEL_RATE = 0.1
"""The share of a picture's numbers that change in a child, at first."""
HALVED_EVERY = 1000
"""Generations after which that share is halved."""
ETA = 15.0
"""Of the polynomial mutation of pixels."""


@dataclass(frozen=True)
class Genomes(ABC):
    """How pictures are written as genomes."""

    channels: int
    """Of the pictures."""
    size: Size
    """(H, W) in pixels."""
    hsv: bool
    """Whether the three numbers of a pixel are hue, saturation and value; else they are the channels."""

    @abstractmethod
    def first(self, count: int, rng: np.random.Generator) -> Values:
        """Random genomes, (count, G)."""

    @abstractmethod
    def children(self, parents: Values, generation: int, rng: np.random.Generator) -> Values:
        """One child of each parent, (B, G)."""

    @abstractmethod
    def numbers(self, genomes: Values) -> Values:
        """What the genomes (B, G) give each pixel, (B, C, H, W), in [0, 1]."""

    def pictures(self, genomes: Values) -> Values:
        """The pictures of genomes (B, G): (B, C, H, W), float32, in [0, 1]."""
        numbers = self.numbers(genomes)
        return np.asarray(rgb_of_hsv(numbers) if self.hsv else numbers, np.float32)

    def figures(self, genome: Values) -> dict[str, int]:
        """How large one genome is, by name; empty where all are equally large."""
        return {}


@dataclass(frozen=True)
class CppnGenomes(Genomes):
    """A small network from a pixel's position to its numbers; the size of an output is the number."""

    def first(self, count: int, rng: np.random.Generator) -> Values:
        return Cppns.first(count, self.channels, rng).rows()

    def children(self, parents: Values, generation: int, rng: np.random.Generator) -> Values:
        return mutated(Cppns.from_rows(parents, self.channels), rng).rows()

    def numbers(self, genomes: Values) -> Values:
        return np.abs(cppn_outputs(Cppns.from_rows(genomes, self.channels), self.size))

    def figures(self, genome: Values) -> dict[str, int]:
        """Nodes and connections that the picture is computed from."""
        one = Cppns.from_rows(genome[None], self.channels)
        live = one.live()[0]
        inner = live.copy()
        inner[:INPUTS] = False
        return {"nodes": int(live.sum()), "connections": int((one.weights[0][inner] != 0).sum())}


@dataclass(frozen=True)
class PixelGenomes(Genomes):
    """The numbers of all pixels themselves."""

    def first(self, count: int, rng: np.random.Generator) -> Values:
        return rng.random((count, self.channels * self.size[0] * self.size[1]), np.float32)

    def children(self, parents: Values, generation: int, rng: np.random.Generator) -> Values:
        changed = rng.random(parents.shape, np.float32) < PIXEL_RATE * 0.5 ** (generation // HALVED_EVERY)
        draws = rng.random(np.count_nonzero(changed), np.float32)
        children = parents.copy()
        children[changed] = polynomial_mutation(parents[changed], draws, 0.0, 1.0, ETA)
        return children

    def numbers(self, genomes: Values) -> Values:
        return genomes.reshape(len(genomes), self.channels, *self.size)
