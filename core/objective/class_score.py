"""Class scores: the logit of a class, its probability or the logarithm of that, or an entry of the output as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from array_api_compat import device

from ..arrays import Array, as_numpy, namespace, one_hot
from ..errors import TargetError
from ..model.base import OUTPUT, Model
from ..model.output.link_functions import columns, link_gradient
from ..model.output.output_spec import OutputSpec, Reading
from .algebra import Activations, Objective

__all__ = ["ClassScore", "is_distribution", "log_probability", "logit", "output", "probability"]

_PLAIN_LINKS = {"probability": "softmax", "log_probability": "log_softmax"}
"""By unit, where it is not known what the output means."""


@dataclass(frozen=True)
class ClassScore(Objective):
    """The score of a class, in one unit. `target` None takes each image's own highest class.

    Before `for_model` has told what the network's output means, the output is read as logits.
    """

    target: int | tuple[int, ...] | None = None
    unit: str = "logit"
    """"logit", "probability", "log_probability", or "output" for what the network gives."""
    spec: OutputSpec | None = field(default=None, compare=False, repr=False)

    @property
    def reading(self) -> Reading:
        """The layer that is read, and the function that makes scores of its values."""
        plain = Reading(link=_PLAIN_LINKS.get(self.unit, "identity"), unit=self.unit)
        return plain if self.spec is None else self.spec.reading(self.unit)

    @property
    def binary(self) -> bool:
        """Whether one number of the network stands for two classes."""
        return self.spec is not None and self.spec.binary

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.reading.layer})

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.target is not None and self.reading.link == "identity"

    @property
    def count(self) -> int | None:
        return len(self.target) if isinstance(self.target, tuple) else None

    def scores(self, activations: Activations) -> Array:
        """The scores of all classes, (N, classes)."""
        reading = self.reading
        a = activations[reading.layer]
        if self.spec is None and self.unit in _PLAIN_LINKS and is_distribution(a):
            raise TargetError(
                f"{self.unit}(...) takes the softmax of the output, and this network ends in a softmax already; "
                "resolve_target(objective, model, count) gives the objective that reads the output as it is"
            )
        return columns(reading.link, a, self.binary, probability=self._gives_probability)

    @property
    def _gives_probability(self) -> bool:
        """Whether the scores are probabilities: in that unit, or because the network ends in a sigmoid."""
        reading = self.reading
        after_sigmoid = self.spec is not None and self.spec.kind == "independent" and reading.layer == OUTPUT
        return reading.unit == "probability" or after_sigmoid

    def classes(self, activations: Activations) -> Array:
        """The class of each image, integers of shape (N,): as given, else the predicted one; if binary, class 1."""
        return self._classes(self.scores(activations))

    def _classes(self, scores: Array) -> Array:
        xp, count = namespace(scores), scores.shape[0]
        if self.target is None and not self.binary:
            return xp.argmax(scores, axis=1)
        target = 1 if self.target is None else self.target
        targets = target if isinstance(target, tuple) else (target,) * count
        if len(targets) != count:
            raise TargetError(f"{len(targets)} targets for {count} images; give one, or one per image")
        return xp.asarray(targets, dtype=xp.int64, device=device(scores))

    def value(self, activations: Activations) -> Array:
        scores = self.scores(activations)
        if isinstance(self.target, int):
            return scores[:, self.target]
        return namespace(scores).sum(scores * one_hot(self._classes(scores), scores), axis=1)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        scores, reading = self.scores(activations), self.reading
        chosen = one_hot(self._classes(scores), scores)
        return {reading.layer: link_gradient(reading.link, activations[reading.layer], chosen, self.binary)}

    def select(self, start: int, stop: int) -> Objective:
        if not isinstance(self.target, tuple):
            return self
        return replace(self, target=self.target[start] if stop - start == 1 else self.target[start:stop])

    def fix_choices(self, activations: Activations) -> Objective:
        return replace(self, target=tuple(int(c) for c in as_numpy(self.classes(activations))))

    def for_model(self, model: Model) -> Objective:
        return replace(self, spec=model.output)

    def in_unit(self, unit: str) -> "ClassScore":
        """The same class in another unit; itself where that is a probability and the network has none."""
        has_unit = unit not in _PLAIN_LINKS or self.spec is None or self.spec.has_probabilities
        return replace(self, unit=unit) if has_unit else self

    def check(self, model: Model) -> None:
        spec = model.output
        count = spec.count
        if self.unit in _PLAIN_LINKS and not spec.has_probabilities:
            raise TargetError(
                f"this network gives {spec}, so it has no probability; explain the number itself, target=0, or wrap it "
                "with output_kind='logits' if a sigmoid or a softmax belongs after it"
            )
        if self.target is None and spec.kind == "score" and count > 1:
            raise TargetError(f"this network gives {count} scores and predicts no class; give target=0 to {count - 1}")
        targets = self.target if isinstance(self.target, tuple) else (self.target,)
        for target in targets:
            if target is not None and not 0 <= target < count:
                raise TargetError(f"target {target} is out of range; this model {_choices(spec, count)}")

    def __str__(self) -> str:
        reading = self.reading
        classes = self.target if isinstance(self.target, tuple) else (self.target,)
        default = "positive class" if self.binary else "predicted class"
        which = default if self.target is None else ", ".join(map(str, classes))
        if reading.unit == "score" and self.target in {None, 0}:
            return "score"
        activation = self.spec.activation if self.spec else None
        where = f" at {reading.layer!r} (before the {activation})" * (reading.layer != OUTPUT)
        return f"{reading.unit}({which}){where}"


def _choices(spec: OutputSpec, count: int) -> str:
    if spec.binary:
        return "has 2 classes, 0 (negative) and 1 (positive)"
    if spec.kind == "score":
        return f"gives {count} score" + (f"s, 0 to {count - 1}" if count > 1 else ", target 0")
    return f"has {count} classes, 0 to {count - 1}"


def logit(target: int | Sequence[int] | None = None) -> Objective:
    """The logit of a class: one class, one per image, or None for each image's predicted class.

    In a network that ends in a softmax or a sigmoid the logit is what enters it; where no layer holds that, the output
    itself is taken, and the result's notes say so. A binary network with one logit z gives class 1 the logit z, class 0
    -z.
    """
    return ClassScore(_class_ids(target))


def probability(target: int | Sequence[int] | None = None) -> Objective:
    """The probability of a class, as `OutputSpec` says: the output itself, its softmax, its sigmoid or its exponential.

    A binary network with one probability p gives class 1 the probability p, class 0 1 - p.
    """
    return ClassScore(_class_ids(target), "probability")


def log_probability(target: int | Sequence[int] | None = None) -> Objective:
    """The logarithm of a class's probability: its logit less log sum_k exp(logit k), or log sigmoid of its own logit.

    The conditional term of `prior="ppgn"` (Nguyen et al. 2017), d log p(y | x) / dx.
    """
    return ClassScore(_class_ids(target), "log_probability")


def output(target: int | Sequence[int] | None = None) -> Objective:
    """Entry `target` of the network's output (N, K), unchanged: what other libraries explain."""
    return ClassScore(_class_ids(target), "output")


def is_distribution(output: Array) -> bool:
    """Whether outputs (N, K) are probabilities already: two or more, none negative, adding up to one to 1e-4."""
    xp = namespace(output)
    if output.ndim != 2 or output.shape[1] < 2 or bool(xp.any(output < 0)):
        return False
    return bool(xp.all(xp.abs(xp.sum(output, axis=1) - 1) < 1e-4))


def _class_ids(target: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if target is None:
        return None
    return tuple(int(t) for t in target) if np.ndim(target) else int(target)  # type: ignore[arg-type, union-attr]
