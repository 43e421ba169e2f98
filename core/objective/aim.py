"""What an attack is after: the class that each image is to leave, the one it is to reach, and when it has done so.

Everything is decided by logits in float64, whatever a network ends in (`OutputSpec`): those before a softmax or a
sigmoid, or the logarithms of probabilities where no layer holds the logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import TargetError
from ..model.base import OUTPUT, Model
from ..model.output.output_spec import OutputSpec
from .algebra import Activations, Objective
from .class_score import ClassScore

__all__ = ["Aim", "refuse_no_classes"]

Values = np.ndarray[Any, Any]

_LEAST = 2.0**-149
"""The least probability above 0 in float32: what a probability of 0 is taken for."""


@dataclass(frozen=True, eq=False)
class Aim:
    """The classes that N images are to leave, or to reach.

    Logits are (N, K), one for each class. A binary output z gives (-z / 2, z / 2), whose softmax are the two classes'
    probabilities. Of independent probabilities each class is a question of its own: the logits are those of the class
    in question, (-z / 2, z / 2) again, and an image has left it where z < 0.
    """

    spec: OutputSpec
    leave: Values
    """(N,), integers."""
    reach: Values | None = None
    """(N,), integers; None where any other class will do."""
    layer: str = field(init=False)
    """The layer that logits are read from."""

    def __post_init__(self) -> None:
        refuse_no_classes(self.spec)
        object.__setattr__(self, "layer", self.spec.reading("logit").layer)

    @classmethod
    def of(cls, model: Model, target: Objective, towards: Objective | None, activations: Activations) -> "Aim":
        """The aim of an attack on images with these activations.

        Args:
            model: the network.
            target: a class, or one for each image, to leave; None as a class: the predicted one.
            towards: the class to reach; None for any other.
            activations: of the images, at the layer of the logits.

        Raises:
            TargetError: the target is not a class, or the network has none, or the class named to be left is the one to
                reach. An image that is predicted to be of that class, where none was named, has reached it already.
        """
        refuse_no_classes(model.output)
        leave = _classes(target, activations, model, "target")
        reach = None if towards is None else _classes(towards, activations, model, "towards")
        named = isinstance(target, ClassScore) and target.target is not None
        if named and reach is not None and (same := np.flatnonzero(reach == leave)).size:
            which = f" of image {same[0]}" if len(leave) > 1 else ""
            raise TargetError(
                f"towards is class {reach[same[0]]}, and that is the class{which} that the attack is to leave; "
                "give another class to reach"
            )
        return cls(model.output, leave, reach)

    def __len__(self) -> int:
        return len(self.leave)

    def rows(self, rows: Values | slice) -> "Aim":
        """The aim of these images."""
        return replace(self, leave=self.leave[rows], reach=None if self.reach is None else self.reach[rows])

    @property
    def apart(self) -> bool:
        """Whether each class is a question of its own, as of independent probabilities."""
        return self.spec.kind.startswith("independent") and not self.spec.binary

    @property
    def asked(self) -> Values:
        """The class in question of each image: the one to reach, or the one to leave."""
        return self.leave if self.reach is None else self.reach

    @property
    def own(self) -> Values:
        """(N,): the column of `logits` of the class to leave."""
        return self.leave if not self.apart else np.full(len(self), int(self.reach is None))

    @property
    def wanted(self) -> Values | None:
        """(N,): the column of `logits` of the class to reach."""
        return self.reach if not self.apart or self.reach is None else np.ones(len(self), np.int64)

    def class_logits(self, activations: Activations) -> Values:
        """(N, classes), float64: the logits of all classes; of independent ones, each by itself."""
        z = self._unbounded(self._flat(activations))
        return np.concatenate([-z / 2, z / 2], axis=1) if self.spec.binary else z

    def logits(self, activations: Activations) -> Values:
        """(N, K), float64: the logits that decide."""
        return self.deciding(self.class_logits(activations))

    def deciding(self, class_logits: Values) -> Values:
        """The logits that decide, (N, K), of those of all classes."""
        if not self.apart:
            return class_logits
        half = np.take_along_axis(class_logits, self.asked[:, None], axis=1) / 2
        return np.concatenate([-half, half], axis=1)

    def succeeded(self, logits: Values) -> Values:
        """(N,), booleans: whether the class is left, or reached, at these logits (N, K); never where one is NaN."""
        best = logits.argmax(axis=1)
        reached = best != self.own if self.wanted is None else best == self.wanted
        return np.asarray(reached & ~np.isnan(logits).any(axis=1))

    def probabilities(self, class_logits: Values) -> Values:
        """(N, classes), from the logits of all classes."""
        if self.apart:
            return np.asarray(np.exp(-np.logaddexp(0, -class_logits)))
        e = np.exp(class_logits - class_logits.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    def cotangent(self, activations: Activations, dlogits: Values, *, scaled: bool = False) -> Array:
        """The gradient at the layer, of the shape of its activations, for the gradient (N, K) at the logits.

        Args:
            activations: of the images.
            dlogits: the gradient at the logits that decide.
            scaled: each image's is divided by its largest magnitude, so that float32 keeps its direction.
        """
        da, size = self._at_layer(activations, dlogits)
        return self._as_activations(activations, da if scaled else da * size)

    def scaled_cotangent(self, activations: Activations, dlogits: Values) -> tuple[Array, Values]:
        """The scaled `cotangent`, and what each image's was divided by, (N,): beyond float32 where it is saturated."""
        da, size = self._at_layer(activations, dlogits)
        return self._as_activations(activations, da), size[:, 0]

    def _as_activations(self, activations: Activations, da: Values) -> Array:
        given = activations[self.layer]
        return namespace(given).reshape(like(da, given), given.shape)

    def _at_layer(self, activations: Activations, dlogits: Values) -> tuple[Values, Values]:
        """(N, D) of a largest magnitude of 1, and (N, 1), which it is to be multiplied with."""
        a = self._flat(activations)
        dz = dlogits[:, 1:] / 2 - dlogits[:, :1] / 2 if self.spec.binary or self.apart else dlogits
        if self.apart:
            dz = np.where(np.arange(a.shape[1]) == self.asked[:, None], dz, 0.0)
        da = dz * self._slope(a)
        largest = np.abs(da).max(axis=1, keepdims=True)
        size = np.where(largest > 0, largest, 1.0)
        return da / size, size

    def _flat(self, activations: Activations) -> Values:
        a = as_numpy(activations[self.layer]).astype(np.float64)
        return a.reshape(len(a), -1)

    @property
    def _given(self) -> str:
        """What the layer holds: "logits", or "probabilities" whose logits no layer holds, alone or independent."""
        return self.spec.kind if self.layer == OUTPUT else "logits"

    def _unbounded(self, a: Values) -> Values:
        if self._given == "probabilities":
            return np.asarray(np.log(np.maximum(a, _LEAST)))
        if self._given == "log_probabilities":
            return np.asarray(np.maximum(a, np.log(_LEAST)))
        if self._given == "independent":
            return np.asarray(np.log(np.maximum(a, _LEAST)) - np.log(np.maximum(1 - a, 2.0**-25)))
        return a

    def _slope(self, a: Values) -> Values | float:
        """The derivative of `_unbounded`; 0 where a probability is saturated: nothing moves it there."""
        if self._given == "probabilities":
            return np.where(a > 0, 1 / np.maximum(a, _LEAST), 0.0)
        if self._given == "independent":
            inside = (a > 0) & (a < 1)
            return np.where(inside, 1 / np.where(inside, a * (1 - a), 1.0), 0.0)
        return 1.0

    def texts(self) -> Sequence[str]:
        """For each image what is attempted: "leave 3", "leave 3 for 5"."""
        if self.reach is None:
            return [f"leave {own}" for own in self.leave]
        return [f"leave {own} for {other}" for own, other in zip(self.leave, self.reach, strict=True)]


def refuse_no_classes(spec: OutputSpec) -> None:
    """Refuse a network without classes, whose mind no attack can change.

    Raises:
        TargetError: its output are scores, maps or a tensor.
    """
    if not spec.has_probabilities:
        raise TargetError(
            f"an attack makes a network change its mind about a class, and this network gives {spec}; wrap it with "
            "output_kind='logits' if a sigmoid or a softmax belongs after it, or choose an output of classes, "
            "output=..."
        )


def _classes(target: Objective, activations: Activations, model: Model, name: str) -> Values:
    if not isinstance(target, ClassScore):
        raise TargetError(f"{name} is {target}, and an attack is about a class: give its number or its label")
    found = replace(target, spec=model.output, unit="logit")
    if found.target is None and model.output.binary:
        positive = as_numpy(found.scores(activations))[:, 1] > _even(found)
        return positive.astype(np.int64)
    return as_numpy(found.classes(activations)).astype(np.int64)


def _even(score: ClassScore) -> float:
    """The score of class 1 at which a binary network is undecided."""
    return 0.5 if score.reading.unit == "probability" else 0.0
