"""MAP-Elites (Mouret and Clune 2015, https://arxiv.org/abs/1504.04909): the best genome of each class."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array
from ..execution.batching import forward_limit, slices
from ..optim.base import State
from .confidence import Confidence
from .genomes import Genomes
from .search import Search

__all__ = ["MapElites", "keep_best"]

Values: TypeAlias = np.ndarray[Any, Any]

AT_ONCE = 64
"""Genomes painted at once, so that their pictures take little memory."""


CLEARLY = 1e-4
"""By how much log(p / (1 - p)) must rise to count."""
ROUNDING = 1e-3
"""1 - p is taken to be this much larger there: float32 probabilities near 1 are rounded."""


def keep_best(elites: Values, best: Values, children: Values, fitness: Values) -> tuple[Values, Values, Values]:
    """The archive after a generation: in each cell the child that is best there, if it is better than what is there.

    Better means clearly better: many mutations change nothing in the picture, and the rounding of a network must not
    decide between equals. The first of equal children is taken.

    Args:
        elites: (K, G), the genome of each cell.
        best: (K,), its fitness; -1 for an empty cell.
        children: (B, G).
        fitness: (B, K), of each child in each cell: probabilities.

    Returns:
        Genomes (K, G), fitness (K,), and (K,) whether the cell has a new genome.
    """
    most = fitness.max(axis=0)
    winner = (fitness >= most - _tolerance(most)).argmax(axis=0)
    reached = fitness[winner, np.arange(len(best))]
    better = reached > best + _tolerance(best)
    elites, cells = elites.copy(), np.flatnonzero(better)
    elites[cells] = children[winner[cells]]
    return elites, np.where(better, reached, best), better


def _tolerance(p: Values) -> Values:
    """What probabilities must differ by to differ clearly, none for a negative one."""
    return np.asarray(CLEARLY * np.clip(p, 0, 1) * (1 - p + ROUNDING))


@dataclass
class MapElites(Search):
    """Evolution of pictures of K classes.

    Each generation draws `population` parents from the archive and makes one child of each; a child may become the best
    of several classes. The first generation is random. The draws depend on seed and generation alone.
    """

    confidence: Confidence
    genomes: Genomes
    classes: Values
    """(K,), integers: the classes whose pictures are wanted."""
    cells: Values
    """(M,), integers: the classes that the archive has a cell for, those of `classes` among them.

    Where there are more than wanted, half of the parents come from the wanted cells, the others from all: what is best
    for one class is often a step on the way to another one.
    """
    population: int
    seed: int
    goal: float

    def __post_init__(self) -> None:
        self.picture_shape = self.genomes.channels, *self.genomes.size
        places = {int(c): n for n, c in enumerate(self.cells)}
        self._wanted = np.asarray([places[int(c)] for c in self.classes])

    def start(self) -> State:
        example, count = self.genomes.first(1, np.random.default_rng(0)), len(self.cells)
        return State(np.zeros((count, example.shape[1]), example.dtype), (np.full(count, -1.0), np.zeros(count)), 0)

    def advance(self, state: State) -> State:
        rng = np.random.default_rng([self.seed, state.step])
        elites, (best, made) = state.parameters, state.moments
        if state.step == 0:
            children = self.genomes.first(self.population, rng)
        else:
            children = self.genomes.children(elites[self._parents(rng)], state.step, rng)
        elites, best, better = keep_best(elites, best, children, self.fitness(children))
        return State(elites, (best, np.where(better, state.step + 1.0, made)), state.step + 1)

    def _parents(self, rng: np.random.Generator) -> Values:
        """The cells that they come from, (population,)."""
        wanted = self._wanted[rng.integers(len(self._wanted), size=self.population)]
        other = rng.integers(len(self.cells), size=self.population)
        return np.where(rng.random(self.population) < 0.5, wanted, other)

    def fitness(self, genomes: Values) -> Values:
        """(B, M), float64: the confidence of each cell's class in each genome's picture."""
        model = self.confidence.model
        limit = forward_limit(model)
        parts = []
        for start, stop in slices(len(genomes), max(limit, AT_ONCE // limit * limit)):
            pictures = self.genomes.pictures(genomes[start:stop])
            parts += [
                self.confidence.values(model.placed(pictures[first:last]))[:, self.cells]
                for first, last in slices(len(pictures), limit)
            ]
        return np.concatenate(parts)

    def wanted_genomes(self, state: State) -> Values:
        """(K, G): the best genome of each class."""
        return np.asarray(state.parameters[self._wanted])

    def pictures(self, state: State) -> Array:
        genomes = self.wanted_genomes(state)
        parts = [self.genomes.pictures(genomes[start:stop]) for start, stop in slices(len(genomes), AT_ONCE)]
        return np.concatenate(parts)

    def reached(self, state: State) -> Values:
        return np.asarray(state.moments[0][self._wanted])

    def made(self, state: State) -> Values:
        return np.asarray(state.moments[1][self._wanted], np.int64)
