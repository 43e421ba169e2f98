"""L-BFGS (Liu and Nocedal 1989) in the arrays' own namespace, within bounds, with a memory that can be saved.

SciPy's agrees with this one (tests/core/optim/test_lbfgs.py). It is not used because it keeps the pairs of changes to
itself: a run that is resumed from a file would begin with an empty memory and end at another picture than one that was
never stopped. And it takes NumPy's float64 only, so that each step of a network on a GPU would go through the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from ..arrays import Array, as_numpy, namespace
from ..errors import ParameterError
from .base import Amend, Evaluate, Optimiser, Report, State

__all__ = ["LBFGS"]

ENOUGH = 1e-4
"""The share of the fall that the slope promises that a step must bring (Nocedal and Wright 2006, equation 3.6a)."""
FLATTER = 0.9
"""How much of the slope may be left after a step (equation 3.6b)."""
TRIES = 20
"""Evaluations of one line search at most."""


@dataclass(frozen=True)
class _Point:
    """Where a line search looked: how far, what is there, and the slope along the way."""

    length: float
    x: Array
    loss: float
    gradient: Array
    slope: float


@dataclass(frozen=True)
class LBFGS(Optimiser):
    """For a loss that is the same function at every step: quasi-Newton steps from the last `memory` changes.

    Nocedal and Wright 2006, algorithm 7.4, with a line search for the Wolfe conditions: one step is one iteration, of
    one evaluation and sometimes more. `bounds` (low, high) hold for every parameter, exactly: those that a bound holds
    back stay, the others take the step and are clipped (Bertsekas 1982, two-metric projection). Nothing but losses and
    slopes leaves the arrays' device.
    """

    memory: int = 10
    bounds: tuple[float, float] | None = None

    def minimise(
        self, evaluate: Evaluate, start: State, steps: int, report: Report, amend: Amend | None = None
    ) -> Array:
        """As `Optimiser.minimise`; ends early where the line search finds nothing lower."""
        if amend is not None:
            raise ParameterError("L-BFGS takes no rules between steps: its memory is of one function; take Adam")
        state, half = start, len(start.moments) // 2
        changes, bends = list(start.moments[:half]), list(start.moments[half:])
        x = self._within(start.parameters)
        losses, gradient = evaluate(x, start.step)
        here = _Point(0.0, x, _total(losses), gradient, 0.0)
        if start.step == 0:
            report(start, _one(here.loss, x))
        while state.step < steps:
            point = self._search(evaluate, here, changes, bends, state.step)
            if point is None:
                break
            s, y = point.x - here.x, point.gradient - here.gradient
            if _dot(s, y) > 1e-10 * _dot(y, y):
                changes, bends = [*changes, s][-self.memory :], [*bends, y][-self.memory :]
            here = point
            state = State(here.x, (*changes, *bends), state.step + 1)
            report(state, _one(here.loss, here.x))
        return here.x

    def _search(
        self, evaluate: Evaluate, here: _Point, changes: Sequence[Array], bends: Sequence[Array], step: int
    ) -> _Point | None:
        """A point that keeps the Wolfe conditions, or the lowest below `here` that was met; None if there is none."""
        free = self._free(here.x, here.gradient)
        way = -free * _newton(free * here.gradient, changes, bends)
        slope = _dot(way, here.gradient)
        if not slope < 0:
            return None
        low, high = _Point(0.0, here.x, here.loss, here.gradient, slope), None
        length = 1.0 if changes else 1.0 / _dot(way, way) ** 0.5
        for _ in range(TRIES):
            point = self._at(evaluate, here.x, way, length, step)
            if not point.loss <= here.loss + ENOUGH * _dot(here.gradient, point.x - here.x):
                high = point
            elif point.slope < FLATTER * slope:
                low = point
            else:
                return point
            length = 4.0 * length if high is None else _cubic_minimum(low, high)
        return low if low.length else None

    def _at(self, evaluate: Evaluate, x: Array, way: Array, length: float, step: int) -> _Point:
        there = x + length * way
        inside = self._within(there)
        losses, gradient = evaluate(inside, step)
        moving = namespace(x).where(inside == there, way, namespace(x).zeros_like(way))
        return _Point(length, inside, _total(losses), gradient, _dot(moving, gradient))

    def _within(self, x: Array) -> Array:
        return x if self.bounds is None else namespace(x).clip(x, *self.bounds)

    def _free(self, x: Array, gradient: Array) -> Array:
        """1 where a parameter can move downhill, 0 where a bound is in its way."""
        xp = namespace(x)
        if self.bounds is None:
            return xp.ones_like(x)
        low, high = self.bounds
        blocked = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        return xp.where(blocked, xp.zeros_like(x), xp.ones_like(x))


def _newton(gradient: Array, changes: Sequence[Array], bends: Sequence[Array]) -> Array:
    """The inverse Hessian that the pairs stand for, times a gradient: algorithm 7.4's two loops."""
    q, pairs, shares = gradient, list(zip(changes, bends, strict=True)), []
    for s, y in reversed(pairs):
        share = _dot(s, q) / _dot(s, y)
        shares.append(share)
        q = q - share * y
    if pairs:
        s, y = pairs[-1]
        q = q * (_dot(s, y) / _dot(y, y))
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q = q + (share - _dot(y, q) / _dot(s, y)) * s
    return q


def _cubic_minimum(low: _Point, high: _Point) -> float:
    """Where the cubic through both points is least, not too near to either (Nocedal and Wright 2006, equation 3.59)."""
    width = high.length - low.length
    bend = low.slope + high.slope - 3 * (high.loss - low.loss) / width
    square = bend * bend - low.slope * high.slope
    share = 0.5
    if isfinite(square) and square >= 0:
        root = square**0.5
        bottom = high.slope - low.slope + 2 * root
        share = 1 - (high.slope + root - bend) / bottom if bottom else 0.5
    return low.length + min(max(share, 0.1), 0.9) * width


def _dot(a: Array, b: Array) -> float:
    xp = namespace(a)
    return float(xp.vecdot(xp.reshape(a, (-1,)), xp.reshape(b, (-1,))))


def _total(losses: Array) -> float:
    return float(as_numpy(losses).sum(dtype="float64"))


def _one(loss: float, x: Array) -> Array:
    xp = namespace(x)
    return xp.asarray([loss], dtype=x.dtype, device=x.device)
