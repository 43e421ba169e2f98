"""What makes values look like an answer without being one, found in the result and said in its notes."""

from .arrays import Array, namespace
from .model import OUTPUT, Model
from .objective import Objective, Value, is_distribution
from .result import Attribution, Result

__all__ = ["doubts"]

SATURATED = 1e-6
"""How near to 1 a probability is one to float precision: a tenth of what is left is rounding."""


def doubts(model: Model, images: Array, objective: Objective, result: Result) -> tuple[str, ...]:
    """Notes on an attribution: values that are zero everywhere, and a softmax that is saturated."""
    if not isinstance(result, Attribution):
        return ()
    return (*_empty(result), *_saturated(model, images, objective, result))


def _empty(result: Attribution) -> tuple[str, ...]:
    xp, values = namespace(result.values), result.values
    largest = xp.max(xp.abs(values), axis=tuple(range(1, values.ndim)))
    count = int(xp.sum(xp.astype(largest == 0, xp.int64)))
    if not count or any("zero everywhere" in note for note in result.notes):
        return ()
    return (f"the values of {count} of {values.shape[0]} images are zero everywhere: the target does not react at all",)


def _saturated(model: Model, images: Array, objective: Objective, result: Attribution) -> tuple[str, ...]:
    if not isinstance(objective, Value) or result.scores is None:
        return ()
    xp, scores = namespace(result.scores), result.scores
    full = xp.abs(scores - 1) < SATURATED
    count = int(xp.sum(xp.astype(full, xp.int64)))
    if not count or not (objective.softmax or is_distribution(model.forward(images)[OUTPUT])):
        return ()
    instead = "explain the logit" if objective.softmax else "wrap the network without its softmax"
    return (
        f"the probability is 1 to float precision for {count} of {scores.shape[0]} images: the softmax is saturated, "
        f"so that hardly anything changes it and gradients are about 0; {instead} instead",
    )
