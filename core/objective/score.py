"""Class scores: an entry of the network's output, or of its softmax."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from array_api_compat import device

from ..anatomy import classes
from ..arrays import Array, as_numpy, namespace, one_hot, softmax
from ..errors import TargetError
from ..model import OUTPUT, Model
from .algebra import Activations, Objective

__all__ = ["Value", "is_distribution", "logit", "probability"]


@dataclass(frozen=True)
class Value(Objective):
    """The class score: OUTPUT[n, c], or its softmax. `target` None takes each image's own highest class."""

    target: int | tuple[int, ...] | None = None
    softmax: bool = False
    layers = frozenset({OUTPUT})

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.target is not None and not self.softmax

    @property
    def count(self) -> int | None:
        return len(self.target) if isinstance(self.target, tuple) else None

    def classes(self, activations: Activations) -> Array:
        """The class of each image, integers of shape (N,)."""
        output = activations[OUTPUT]
        xp = namespace(output)
        if self.target is None:
            return xp.argmax(output, axis=1)
        targets = self.target if isinstance(self.target, tuple) else (self.target,) * output.shape[0]
        if len(targets) != output.shape[0]:
            raise TargetError(f"{len(targets)} targets for {output.shape[0]} images; give one, or one per image")
        return xp.asarray(targets, dtype=xp.int64, device=device(output))

    def value(self, activations: Activations) -> Array:
        output = activations[OUTPUT]
        score = _probabilities(output) if self.softmax else output
        if isinstance(self.target, int):
            return score[:, self.target]
        return namespace(output).sum(score * one_hot(self.classes(activations), output), axis=1)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        output = activations[OUTPUT]
        chosen = one_hot(self.classes(activations), output)
        if not self.softmax:
            return {OUTPUT: chosen}
        xp, p = namespace(output), _probabilities(output)
        one = xp.sum(p * chosen, axis=1, keepdims=True)
        rest = xp.sum(p * (1 - chosen), axis=1, keepdims=True)  # 1 - one would be 0 where the softmax is saturated
        return {OUTPUT: p * (chosen * rest - (1 - chosen) * one)}

    def select(self, start: int, stop: int) -> Objective:
        if not isinstance(self.target, tuple):
            return self
        return Value(self.target[start] if stop - start == 1 else self.target[start:stop], self.softmax)

    def pinned(self, activations: Activations) -> Objective:
        return Value(tuple(int(c) for c in as_numpy(self.classes(activations))), self.softmax)

    def check(self, model: Model) -> None:
        count = classes(model)
        targets = self.target if isinstance(self.target, tuple) else (self.target,)
        for target in targets:
            if target is not None and not 0 <= target < count:
                raise TargetError(f"target {target} is out of range; this model has {count} classes, 0 to {count - 1}")

    def __str__(self) -> str:
        kind = "probability" if self.softmax else "logit"
        classes = self.target if isinstance(self.target, tuple) else (self.target,)
        return f"{kind}({'predicted class' if self.target is None else ', '.join(map(str, classes))})"


def logit(target: int | Sequence[int] | None = None) -> Objective:
    """Entry `target` of the network's output (N, K); one class, one per image, or None for each image's highest."""
    return Value(_class_ids(target))


def probability(target: int | Sequence[int] | None = None) -> Objective:
    """Entry `target` of the softmax of the network's output, which must be logits.

    A network that ends in a softmax itself is refused at its first values: there `logit` is the probability.
    """
    return Value(_class_ids(target), softmax=True)


def is_distribution(output: Array) -> bool:
    """Whether outputs (N, K) are probabilities already: two or more, none negative, adding up to one to 1e-4."""
    xp = namespace(output)
    if output.ndim != 2 or output.shape[1] < 2 or bool(xp.any(output < 0)):
        return False
    return bool(xp.all(xp.abs(xp.sum(output, axis=1) - 1) < 1e-4))


def _probabilities(output: Array) -> Array:
    if is_distribution(output):
        raise TargetError(
            "probability(...) takes the softmax of the output, but this network ends in a softmax already: its logit "
            "is the probability. Give the class number alone, or wrap the network without its softmax"
        )
    return softmax(output)


def _class_ids(target: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if target is None:
        return None
    return tuple(int(t) for t in np.asarray(target)) if np.ndim(target) else int(target)  # type: ignore[arg-type]
