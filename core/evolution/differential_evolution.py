"""Differential evolution (Storn and Price, 1997), of a population for each of several problems at once."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

__all__ = ["STRATEGIES", "DifferentialEvolution"]

Values: TypeAlias = np.ndarray[Any, Any]

STRATEGIES = ("rand1", "best1")
"""What a child is made from: another member of the population, or the best one; both without crossover."""


class DifferentialEvolution:
    """N populations of P vectors of D numbers in [0, 1], each member minimised against its own children.

    A child is x_a + F (x_b - x_c), with a, b and c different members, none of them its parent, or with the best member
    as x_a; a number that leaves [0, 1] is drawn anew, as scipy does. Populations are independent of each other.
    """

    def __init__(
        self,
        generators: "Sequence[np.random.Generator]",
        first: Values,
        mutation: tuple[float, float] = (0.5, 0.5),
        strategy: str = "rand1",
    ) -> None:
        """Before anything is known of the first members.

        Args:
            generators: one for each population.
            first: (N, P, D), in [0, 1]; at least 4 members each.
            mutation: the least and the largest F; one is drawn for each generation.
            strategy: one of `STRATEGIES`.
        """
        self._generators, self._mutation, self._strategy = list(generators), mutation, strategy
        self.members = first
        self.values: Values = np.full(first.shape[:2], np.inf)
        """(N, P): of the members; the lower the better."""

    def children(self) -> Values:
        """(N, P, D): one of each member; of the first generation the members themselves."""
        if np.isinf(self.values).all():
            return self.members
        return np.stack([self._children_of(n, rng) for n, rng in enumerate(self._generators)])

    def select(self, children: Values, values: Values) -> None:
        """Each child (N, P, D) takes its parent's place where its value (N, P) is no higher."""
        better = values <= self.values
        self.members = np.where(better[..., None], children, self.members)
        self.values = np.where(better, values, self.values)

    def keep(self, rows: Values) -> None:
        """Go on with these of the populations."""
        self._generators = [self._generators[row] for row in rows]
        self.members, self.values = self.members[rows], self.values[rows]

    def _children_of(self, n: int, rng: "np.random.Generator") -> Values:
        members = self.members[n]
        a, b, c = _others(rng, len(members)).T
        start = members[a] if self._strategy == "rand1" else members[self.values[n].argmin()]
        children = start + rng.uniform(*self._mutation) * (members[b] - members[c])
        outside = (children < 0) | (children > 1)
        children[outside] = rng.random(int(outside.sum()))
        return np.asarray(children)


def _others(rng: "np.random.Generator", count: int) -> Values:
    """(P, 3): for each of P members three others, all different."""
    drawn = np.argsort(rng.random((count, count - 1)), axis=1)[:, :3]
    return drawn + (drawn >= np.arange(count)[:, None])
