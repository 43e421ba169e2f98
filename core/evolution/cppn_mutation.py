"""How CPPNs mutate: connections and nodes come and go, weights and activation functions change.

Rates are those of Nguyen, Yosinski and Clune (2015) and of their program. The draws of a generation do not depend on
the genomes, so that a child that differs between two runs changes no draw of another child.
"""

from typing import Any, TypeAlias

import numpy as np

from .activation_functions import FUNCTIONS
from .cppn import ABSENT, INPUTS, LARGEST_WEIGHT, Cppns
from .polynomial_mutation import polynomial_mutation

__all__ = ["RATES", "choose", "mutated"]

Values: TypeAlias = np.ndarray[Any, Any]

RATES = {"add_connection": 0.5, "delete_connection": 0.3, "add_node": 0.5, "delete_node": 0.2}
"""The share of children that each happens to, once."""
VALUE_RATE = 0.1
"""The share of weights, and of activation functions, that change in a child."""
ETA = 15.0
"""Of the polynomial mutation of weights."""


def mutated(parents: Cppns, rng: np.random.Generator) -> Cppns:
    """One child of each parent."""
    children = Cppns(parents.functions.copy(), parents.places.copy(), parents.weights.copy(), parents.outputs)
    count = len(children)
    for name, change in _CHANGES.items():
        happens, draws = rng.random(count) < RATES[name], rng.random((2, count))
        change(children, happens, draws)
    _mutate_values(children, rng)
    return children


def choose(allowed: Values, draws: Values) -> Values:
    """For each row the column of one True, all with the same probability; -1 for a row without any.

    Args:
        allowed: (B, K), bool.
        draws: (B,), evenly drawn from [0, 1).

    >>> choose(np.array([[True, False, True], [False, False, False]]), np.array([0.7, 0.7]))
    array([ 2, -1])
    """
    counts = np.cumsum(allowed, axis=1)
    nth = np.floor(draws * counts[:, -1]).astype(int) + 1
    chosen = (counts == nth[:, None]).argmax(axis=1)
    return np.where(counts[:, -1] > 0, chosen, -1)


def _picked(allowed: Values, happens: Values, draws: Values) -> tuple[Values, Values, Values]:
    """The children to change, and the place (row, column) in each one's (M, M) that was chosen."""
    flat = choose(allowed.reshape(len(allowed), -1), draws)
    children = np.flatnonzero(happens & (flat >= 0))
    to, source = np.divmod(flat[children], allowed.shape[-1])
    return children, to, source


def _add_connection(c: Cppns, happens: Values, draws: Values) -> None:
    """A connection with an evenly drawn weight, where there is none and the order of computation allows one."""
    allowed = c.places[:, None, :] < c.places[:, :, None]
    allowed &= c.present[:, :, None] & c.present[:, None, :] & (c.weights == 0)
    children, to, source = _picked(allowed, happens, draws[0])
    c.weights[children, to, source] = LARGEST_WEIGHT * (2 * draws[1][children] - 1)


def _delete_connection(c: Cppns, happens: Values, draws: Values) -> None:
    children, to, source = _picked(c.weights != 0, happens, draws[0])
    c.weights[children, to, source] = 0


def _add_node(c: Cppns, happens: Values, draws: Values) -> None:
    """A node in the middle of a connection: what leads to it has weight 1, what leads on the weight there was."""
    room = choose(~c.present, np.zeros(len(c)))
    children, to, source = _picked(c.weights != 0, happens & (room >= 0), draws[0])
    node = room[children]
    c.functions[children, node] = np.floor(len(FUNCTIONS) * draws[1][children])
    c.places[children, node] = (c.places[children, to] + c.places[children, source]) / 2
    c.weights[children, to, node] = c.weights[children, to, source]
    c.weights[children, node, source] = 1.0
    c.weights[children, to, source] = 0


def _delete_node(c: Cppns, happens: Values, draws: Values) -> None:
    """A hidden node goes, and all its connections."""
    node = choose(c.hidden, draws[0])
    children = np.flatnonzero(happens & (node >= 0))
    node = node[children]
    c.functions[children, node], c.places[children, node] = ABSENT, 0
    c.weights[children, node, :] = 0
    c.weights[children, :, node] = 0


def _mutate_values(c: Cppns, rng: np.random.Generator) -> None:
    """Some weights move a little, some nodes take another function."""
    changes, draws = rng.random((2, *c.weights.shape))
    moved = (changes < VALUE_RATE) & (c.weights != 0)
    near = polynomial_mutation(c.weights[moved], draws[moved], -LARGEST_WEIGHT, LARGEST_WEIGHT, ETA)
    c.weights[moved] = np.where(near == 0, c.weights[moved], near)
    changes, draws = rng.random((2, *c.functions.shape))
    other = (changes < VALUE_RATE) & c.present
    other[:, :INPUTS] = False
    c.functions[other] = np.floor(len(FUNCTIONS) * draws[other])


_CHANGES = {
    "delete_connection": _delete_connection,
    "add_connection": _add_connection,
    "delete_node": _delete_node,
    "add_node": _add_node,
}
"""In the order in which they happen."""
