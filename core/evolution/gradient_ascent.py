"""Gradient ascent to a confidence (Nguyen, Yosinski and Clune 2015, section 3.4), a picture for each class."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..execution.batching import batch_limit, slices
from ..optim.base import State
from ..optim.loop import check_finite
from .confidence import Confidence
from .search import Search

__all__ = ["STARTS", "GradientAscent"]

Values: TypeAlias = np.ndarray[Any, Any]

STARTS = ("grey", "noise", "zero")
DEVIATION = 1 / 255
"""Of the normal noise on grey, which makes pictures of classes differ and their gradients, too."""


@dataclass
class GradientAscent(Search):
    """Steps of one length along the gradient, then a little back towards mid-grey: x <- 0.5 + (1 - decay)(x - 0.5).

    The decay is a step down an L2 penalty on the difference to mid-grey. A picture stops when its class reaches the
    goal; the best one so far is what is kept.
    """

    confidence: Confidence
    classes: Values
    """(K,), integers."""
    picture_shape: tuple[int, int, int]
    """(C, H, W)."""
    begin: str
    """One of `STARTS`."""
    rate: float
    """Length of a step: the root of the mean square change of a pixel, in [0, 1]."""
    decay: float
    seed: int
    goal: float

    def start(self) -> State:
        count = len(self.classes)
        shape, rng = (count, *self.picture_shape), np.random.default_rng(self.seed)
        if self.begin == "zero":
            x = np.zeros(shape, np.float32)
        elif self.begin == "noise":
            x = rng.random(shape, np.float32)
        else:
            x = np.float32(0.5) + np.float32(DEVIATION) * rng.standard_normal(shape, np.float32)
        return State(x, (np.full(count, -1.0), np.zeros(count), x.copy()), 0)

    def advance(self, state: State) -> State:
        """Where a picture is surer than before it is kept; those that are not done take a step."""
        x, (best, made, kept) = state.parameters.copy(), state.moments
        best, made, kept = best.copy(), made.copy(), kept.copy()
        going, self.stuck = np.flatnonzero(best < self.goal), ()
        for start, stop in slices(len(going), batch_limit(self.confidence.model)):
            rows = going[start:stop]
            at = self.confidence.model.placed(x[rows])
            reached, gradient = self.confidence.ascent(at, self.classes[rows])
            check_finite("gradient", gradient, state.step)
            moves = as_numpy(gradient).reshape(len(rows), -1).any(axis=1)
            self.stuck += tuple(int(c) for c in self.classes[rows[~moves & (reached < self.goal)]])
            better = reached > best[rows]
            surer = rows[better]
            kept[surer], best[surer], made[surer] = x[surer], reached[better], state.step + 1
            x[rows] = as_numpy(self._after(at, gradient))
        return State(x, (best, made, kept), state.step + 1)

    def _after(self, x: Array, gradient: Array) -> Array:
        gradient = like(gradient, x)
        xp = namespace(x)
        length = xp.sqrt(xp.mean(gradient * gradient, axis=(1, 2, 3), keepdims=True))
        step = gradient / xp.where(length > 0, length, xp.ones_like(length))
        return xp.clip(0.5 + (1 - self.decay) * (x + self.rate * step - 0.5), 0.0, 1.0)

    def pictures(self, state: State) -> Array:
        return state.moments[2]

    def reached(self, state: State) -> Values:
        return np.asarray(state.moments[0])

    def made(self, state: State) -> Values:
        return np.asarray(state.moments[1], np.int64)
