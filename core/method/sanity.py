"""Sanity checks on results: NaN and infinite values are refused; all-zero maps and saturated outputs become notes."""

from dataclasses import fields

import numpy as np

from ..arrays import Array, namespace
from ..errors import ModelError
from ..model.base import Model
from ..objective import ClassScore, Objective, class_scores
from ..result import Attribution, Result, Synthesis

__all__ = ["refuse_nonfinite", "refuse_nonfinite_target", "sanity_notes"]

SATURATED = 1e-6
"""How near to 1 a probability is one to float precision: a tenth of the difference is rounding."""


def refuse_nonfinite(name: str, result: Result) -> None:
    """Refuse values that are NaN or infinite, or explain a target that is: a rectifier turns NaN into a map of zeros.

    Raises:
        ModelError: with how many images, and whether the network's output or something inside it is the cause.
    """
    if isinstance(result, Attribution):
        refuse_nonfinite_target(name, result.scores)
    for field in fields(result):
        values = getattr(result, field.name)
        if field.name == "images" and not isinstance(result, Synthesis):
            continue  # checked before anything was computed
        if _is_floating(values) and (count := _nonfinite(values)):
            what = name if field.name == "values" else f"{name} ({field.name})"
            raise ModelError(
                f"the values of {what} are NaN or infinite for {count} of {values.shape[0]} images: a layer or a "
                "gradient of this network is; look at its weights, and at the preprocessing (preprocess=)"
            )


def _is_floating(values: object) -> bool:
    """Whether it is an array (N, ...) of floating numbers."""
    if not hasattr(values, "__array_namespace__") and not isinstance(values, np.ndarray):
        return False
    return bool(values.ndim) and bool(namespace(values).isdtype(values.dtype, "real floating"))  # type: ignore[attr-defined]


def refuse_nonfinite_target(name: str, scores: Array) -> None:
    """Refuse a target (N,) that is NaN or infinite; None is none.

    Raises:
        ModelError: with how many images.
    """
    if count := _nonfinite(scores):
        raise ModelError(
            f"the target is NaN or infinite for {count} of {scores.shape[0]} images, so that {name} can say nothing: "
            "look at the network's weights, and at the preprocessing (preprocess=)"
        )


def _nonfinite(values: Array) -> int:
    """The number of items (N, ...) that are not finite throughout."""
    if values is None:
        return 0
    xp = namespace(values)
    good = xp.all(xp.reshape(xp.isfinite(values), (values.shape[0], -1)), axis=1)
    return int(values.shape[0]) - int(xp.sum(xp.astype(good, xp.int64)))


def sanity_notes(model: Model, objective: Objective, result: Result) -> tuple[str, ...]:
    """Notes on a result: values all zero, probabilities that are saturated or explained in place of logits, caveats.

    Args:
        model: the network; what its backend knows to be doubtful is among the notes.
        objective: the target.
        result: raw values, or those of a preset.
    """
    no_logits = _no_logits_note(objective)
    if not isinstance(result, Attribution):
        return no_logits
    return (*_zero_note(result), *_saturation_note(objective, result), *no_logits, *model.caveats())


def _no_logits_note(objective: Objective) -> tuple[str, ...]:
    """A note where a class is explained after the softmax or the sigmoid because no layer holds what comes before."""
    for value in class_scores(objective):
        reading = value.reading
        if value.unit == "logit" and reading.unit in {"probability", "log_probability"} and value.spec is not None:
            return (
                f"the {reading.unit.replace('_', '-')} is explained, not the logit: no layer holds what enters this "
                f"network's {value.spec.activation or 'softmax'}, and where that is saturated gradients are about 0",
            )
    return ()


def _zero_note(result: Attribution) -> tuple[str, ...]:
    xp, values = namespace(result.values), result.values
    largest = xp.max(xp.abs(values), axis=tuple(range(1, values.ndim)))
    count = int(xp.sum(xp.astype(largest == 0, xp.int64)))
    if not count or any("zero everywhere" in note for note in result.notes):
        return ()
    return (f"the values of {count} of {values.shape[0]} images are zero everywhere: the target does not react at all",)


def _saturation_note(objective: Objective, result: Attribution) -> tuple[str, ...]:
    if not isinstance(objective, ClassScore) or result.scores is None or objective.reading.unit == "logit":
        return ()
    xp, scores = namespace(result.scores), result.scores
    full = xp.abs(scores - 1) < SATURATED
    count = int(xp.sum(xp.astype(full, xp.int64)))
    spec = objective.spec
    if not count or spec is None or not spec.has_probabilities or (objective.unit == "output" and not spec.activation):
        return ()
    activation = spec.activation or ("sigmoid" if "independent" in spec.kind else "softmax")
    reachable = objective.in_unit("logit").reading.unit == "logit"
    instead = "explain the logit" if reachable else f"wrap the network without its {activation}"
    return (
        f"the probability is 1 to float precision for {count} of {scores.shape[0]} images: the {activation} is "
        f"saturated, so that hardly anything changes it and gradients are about 0; {instead} instead",
    )
