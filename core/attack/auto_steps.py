"""Steps whose length follows the loss: auto-PGD's (Croce and Hein, 2020), and its sparse ones for L1 (2021).

https://arxiv.org/abs/2003.01690, https://arxiv.org/abs/2103.01208
"""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from array_api_compat import device

from ..arrays import Array, as_numpy, like, namespace
from .ball import Region, take_rows
from .climb import StepRule
from .problem import Evaluation

__all__ = ["BestPointSteps", "HalvingSteps", "SparseSteps", "checkpoints", "sparse_checkpoints"]

Values = np.ndarray[Any, Any]

MOMENTUM = 0.75
"""alpha: the share of a new step; 1 - alpha is that of the one before."""
FIRST_SHARE = 0.2
"""Of its numbers an L1 step changes so many at first."""
REDUCTION = 1.5
"""By which an L1 step's length is divided, and the share of the changed numbers that the next steps change."""
LEAST_LENGTH = 0.1
"""Of an L1 step, in radii."""
SPARSER = 0.95
"""Share of the changed numbers below which the best picture of an L1 ball counts as sparser than before."""


def checkpoints(steps: int) -> tuple[int, ...]:
    """The steps w_j = ceil(p_j steps) at which the length is looked at: p_0 = 0, p_1 = .22, then closer and closer.

    p_(j+1) = p_j + max(p_j - p_(j-1) - .03, .06) (2020, section 3), in whole hundredths.

    >>> checkpoints(100)
    (22, 41, 57, 70, 80, 87, 93, 99)
    """
    shares = [0, 22]
    while shares[-1] < 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    return tuple(dict.fromkeys(-(-share * steps // 100) for share in shares[1:] if share < 100))


def sparse_checkpoints(steps: int) -> tuple[int, ...]:
    """Those of L1 steps: one every 4 % of the steps (2021, algorithm 1).

    >>> sparse_checkpoints(30)
    (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28)
    """
    every = -(-4 * steps // 100)
    return tuple(range(every, steps, every))


@dataclass(frozen=True, eq=False)
class _Memory:
    """Of each of n images: pictures (n, C, H, W) and numbers (n,)."""

    last: Array
    """The picture before this one."""
    best: Array
    """That of the largest loss so far."""
    best_gradient: Array
    best_loss: Values
    loss: Values
    """At the picture before this one."""
    length: Values
    """Of a step, in the norm."""

    def rows(self, rows: Values) -> Self:
        return replace(self, **{f.name: take_rows(getattr(self, f.name), rows) for f in fields(self)})


@dataclass(frozen=True, eq=False)
class _HalvingMemory(_Memory):
    rises: Values
    """Since the last checkpoint."""
    checked: Values
    """The best loss at the last checkpoint."""
    halved: Values
    """Booleans: whether the length was halved there."""


@dataclass(frozen=True, eq=False)
class _SparseMemory(_Memory):
    share: Values
    """Of the numbers of a picture that a step changes."""
    changed: Values
    """The numbers in which the best picture differed from the image at the last checkpoint."""


class BestPointSteps(StepRule):
    """Steps that go back to the best picture at checkpoints, and then go on with another length.

    At checkpoint w_j the picture x(w_j) is judged with all before it, as the authors' program does; algorithm 1 of 2020
    takes one step more and throws it away.
    """

    def __init__(self, checkpoints: Collection[int]) -> None:
        self._checkpoints = frozenset(checkpoints)
        self._since = 0
        self._memory: Any = None

    @property
    def best(self) -> Array:
        """(n, C, H, W): the picture of the largest loss of each image that is still attacked."""
        return self._memory.best

    @property
    def best_loss(self) -> Values:
        """(n,): the losses there."""
        return np.asarray(self._memory.best_loss)

    @property
    def length(self) -> Values:
        """(n,): of the step taken last."""
        return np.asarray(self._memory.length)

    def step(self, region: Region, x: Array, at: Evaluation, number: int) -> Array:
        gradient = like(at.gradient, x)
        if number == 0:
            first = _Memory(x, x, gradient, at.losses, at.losses, np.array(region.eps, np.float64))
            self._memory = self._begun(region, first)
        else:
            self._memory = self._seen(x, gradient, at.losses)
        if number in self._checkpoints:
            again = self._check(region, number - self._since)
            self._since, memory = number, self._memory
            x, gradient = _where(again, memory.best, x), _where(again, memory.best_gradient, gradient)
            self._memory = replace(memory, loss=np.where(again, memory.best_loss, memory.loss))
        moved = self._moved(region, x, gradient, number)
        self._memory = replace(self._memory, last=x)
        return moved

    def _seen(self, x: Array, gradient: Array, losses: Values) -> Any:
        memory = self._memory
        better = losses > memory.best_loss
        return replace(
            memory,
            best=_where(better, x, memory.best),
            best_gradient=_where(better, gradient, memory.best_gradient),
            best_loss=np.where(better, losses, memory.best_loss),
            loss=losses,
        )

    def keep(self, rows: Values) -> None:
        if self._memory is not None:
            self._memory = self._memory.rows(rows)

    @abstractmethod
    def _begun(self, region: Region, first: _Memory) -> _Memory:
        """What is remembered before the first step."""

    @abstractmethod
    def _check(self, region: Region, steps: int) -> Values:
        """Set the next length; booleans (n,): which images go on from their best picture.

        Args:
            region: where the pictures stay.
            steps: since the last checkpoint.
        """

    @abstractmethod
    def _moved(self, region: Region, x: Array, gradient: Array, number: int) -> Array:
        """The pictures after step `number`."""


class HalvingSteps(BestPointSteps):
    """Steps with momentum of 2 eps at first, halved where the loss does not rise often enough (2020, algorithm 1).

    z = project(x(k) + length d(x(k))), x(k+1) = project(x(k) + alpha (z - x(k)) + (1 - alpha) (x(k) - x(k-1))), d the
    steepest direction in the norm. The length is halved at a checkpoint, and the best picture taken up again, where
    the loss rose in fewer than `rho` of the steps since the last one, or where neither the length nor the largest loss
    has changed between both.
    """

    def __init__(self, steps: int, rho: float = 0.75) -> None:
        super().__init__(checkpoints(steps))
        self._rho = rho

    def _begun(self, region: Region, first: _Memory) -> _Memory:
        none = np.zeros(len(first.loss))
        first = replace(first, length=2 * first.length)
        return _HalvingMemory(**vars(first), rises=none, checked=first.loss, halved=none > 0)

    def _seen(self, x: Array, gradient: Array, losses: Values) -> Any:
        rose = losses > self._memory.loss
        return replace(super()._seen(x, gradient, losses), rises=self._memory.rises + rose)

    def _check(self, region: Region, steps: int) -> Values:
        memory = self._memory
        too_few = memory.rises < self._rho * steps
        unchanged = ~memory.halved & (memory.best_loss == memory.checked)
        halved = np.asarray(too_few | unchanged)
        self._memory = replace(
            memory,
            length=np.where(halved, memory.length / 2, memory.length),
            rises=np.zeros(len(halved)),
            checked=memory.best_loss,
            halved=halved,
        )
        return halved

    def _moved(self, region: Region, x: Array, gradient: Array, number: int) -> Array:
        z = region.step(x, gradient, self._memory.length)
        if number == 0:
            return z
        return region.project(x + MOMENTUM * (z - x) + (1 - MOMENTUM) * (x - self._memory.last))


class SparseSteps(BestPointSteps):
    """Steps along the signs of the largest numbers of the gradient, ever fewer of them (2021, algorithm 1).

    At a checkpoint 2/3 of the numbers in which the best picture differs from the image are how many the next steps
    change. Where these became fewer than 95 % of those before, steps of eps start again from the best picture; else
    their length is divided by 1.5, down to eps / 10.
    """

    def __init__(self, steps: int, *, goes_on: bool = False) -> None:
        """For so many steps.

        Args:
            steps: how many.
            goes_on: whether the start is a picture whose changed numbers say how many the first steps change; else
                these change a fifth of all.
        """
        super().__init__(sparse_checkpoints(steps))
        self._goes_on = goes_on

    def _begun(self, region: Region, first: _Memory) -> _Memory:
        count = _numbers(first.best)
        changed = _changed(first.best, region) if self._goes_on else np.full(len(first.loss), float(count))
        share = changed / count / REDUCTION if self._goes_on else np.full(len(first.loss), FIRST_SHARE)
        return _SparseMemory(**vars(first), share=share, changed=changed)

    def _check(self, region: Region, steps: int) -> Values:
        memory, eps = self._memory, region.eps
        changed = _changed(memory.best, region)
        sparser = np.asarray(changed < SPARSER * memory.changed)
        length = np.where(sparser, eps, np.maximum(memory.length / REDUCTION, LEAST_LENGTH * eps))
        share = changed / _numbers(memory.best) / REDUCTION
        self._memory = replace(memory, length=length, share=share, changed=changed)
        return sparser

    def _moved(self, region: Region, x: Array, gradient: Array, number: int) -> Array:
        direction = _largest(gradient, self._memory.share)
        return region.project(x + _column(self._memory.length, x) * direction)


def _largest(gradient: Array, share: Values) -> Array:
    """The signs of the largest numbers, at least one of each item, divided by how many there are."""
    xp, count = namespace(gradient), _numbers(gradient)
    size = xp.reshape(xp.abs(gradient), (-1, count))
    kept = np.clip(np.ceil(share * count - 1e-9), 1, count).astype(np.int64)
    place = xp.asarray(kept[:, None] - 1, device=device(gradient))
    least = xp.take_along_axis(xp.sort(size, axis=1, descending=True), place, axis=1)
    signs = xp.where(size >= least, xp.reshape(xp.sign(gradient), size.shape), xp.zeros_like(size))
    total = xp.sum(xp.abs(signs), axis=1, keepdims=True)
    return xp.reshape(signs / xp.where(total > 0, total, xp.ones_like(total)), gradient.shape)


def _changed(x: Array, region: Region) -> Values:
    """(n,): the numbers in which pictures differ from the centres."""
    xp = namespace(x)
    return as_numpy(xp.sum(xp.astype(x != region.centres, xp.float64), axis=tuple(range(1, x.ndim))))


def _numbers(x: Array) -> int:
    return int(np.prod(x.shape[1:]))


def _column(values: Values, x: Array) -> Array:
    """Values (n,) as (n, 1, 1, 1), of the kind of x."""
    return namespace(x).reshape(like(values, x), (-1, *[1] * (x.ndim - 1)))


def _where(chosen: Values, first: Array, second: Array) -> Array:
    """The items of `first` where booleans (n,) are true, else those of `second`."""
    xp = namespace(first)
    mask = xp.reshape(xp.asarray(chosen, device=device(first)), (-1, *[1] * (first.ndim - 1)))
    return xp.where(mask, first, second)
