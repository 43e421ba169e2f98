"""Compositional pattern-producing networks (Stanley 2007), many at once: a genome is a row of numbers.

A CPPN is a small network from a pixel's position to its colour. Its nodes have slots: x, y, the distance from the
middle and a constant 1 first, then the outputs, then room for `HIDDEN` nodes. Each node has a place in the order of
computation, inputs at 0, outputs at 1, hidden nodes between; a connection leads from a lower place to a higher one, so
that there are no loops. A weight of 0 is no connection.
"""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from .activation_functions import FUNCTIONS

__all__ = ["ABSENT", "HIDDEN", "INPUTS", "LARGEST_WEIGHT", "Cppns"]

Values: TypeAlias = np.ndarray[Any, Any]

INPUTS = 4
"""x, y, the distance from the middle, and 1."""
HIDDEN = 24
"""Hidden nodes of one CPPN, at most."""
LARGEST_WEIGHT = 10.0
"""Weights lie between minus and plus this, as in the authors' program."""
ABSENT = -1.0
"""What `functions` holds for a slot without a node."""


@dataclass(frozen=True, eq=False)
class Cppns:
    """A population of B CPPNs with M slots for nodes."""

    functions: Values
    """(B, M): the number of each node's activation function; `ABSENT` for no node. Those of inputs are not used."""
    places: Values
    """(B, M): where each node stands in the order of computation, from 0 to 1."""
    weights: Values
    """(B, M, M): `weights[b, to, from]`."""
    outputs: int
    """Nodes that give the colour: the slots after those of the inputs."""

    @classmethod
    def first(cls, count: int, outputs: int, rng: np.random.Generator) -> Self:
        """CPPNs without hidden nodes: each output reads all inputs, weights and functions are drawn evenly."""
        slots = INPUTS + outputs + HIDDEN
        ends = slice(INPUTS, INPUTS + outputs)
        functions, places = np.full((count, slots), ABSENT), np.zeros((count, slots))
        weights = np.zeros((count, slots, slots))
        functions[:, :INPUTS] = 0
        functions[:, ends] = rng.integers(len(FUNCTIONS), size=(count, outputs))
        places[:, ends] = 1
        weights[:, ends, :INPUTS] = rng.uniform(-LARGEST_WEIGHT, LARGEST_WEIGHT, (count, outputs, INPUTS))
        return cls(functions, places, weights, outputs)

    @classmethod
    def from_rows(cls, rows: Values, outputs: int) -> Self:
        """The population that gave these `rows`; the arrays are views of them."""
        count, slots = len(rows), INPUTS + outputs + HIDDEN
        functions, places, weights = np.split(rows, [slots, 2 * slots], axis=1)
        return cls(functions, places, weights.reshape(count, slots, slots), outputs)

    def rows(self) -> Values:
        """(B, G), float64: each genome as one row, for an archive and a file."""
        return np.concatenate([self.functions, self.places, self.weights.reshape(len(self), -1)], axis=1)

    def __len__(self) -> int:
        return len(self.functions)

    @property
    def present(self) -> Values:
        """(B, M): which slots hold a node."""
        return np.asarray(self.functions != ABSENT)

    @property
    def hidden(self) -> Values:
        """(B, M): which slots hold a hidden node."""
        hidden = self.present
        hidden[:, : INPUTS + self.outputs] = False
        return hidden

    def live(self) -> Values:
        """(B, M): the nodes that an output is computed from, the outputs among them."""
        reached = np.zeros(self.functions.shape, bool)
        reached[:, INPUTS : INPUTS + self.outputs] = True
        while True:
            before = ((self.weights != 0) & reached[:, :, None]).any(axis=1) | reached
            if (before == reached).all():
                return reached
            reached = before
