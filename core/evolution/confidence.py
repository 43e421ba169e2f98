"""How sure a network is of each class, and the direction in which a picture makes it surer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy, softmax
from ..errors import ModelError
from ..model.base import INPUT, Model
from ..objective.aim import Aim

__all__ = ["Confidence"]

Values: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Confidence:
    """The probabilities of a network's classes, in float64, from its logits where a layer holds these."""

    model: Model

    @classmethod
    def of(cls, model: Model) -> Self:
        """That of a network.

        Raises:
            ModelError: its output has no probabilities of classes.
        """
        spec = model.output
        if spec.has_probabilities:
            return cls(model)
        advice = "choose an output of classes, output=..."
        if spec.is_vector:
            advice = (
                "wrap it with output_kind='logits' if a softmax belongs after it, 'independent_logits' if a sigmoid"
            )
        raise ModelError(f"this network gives {spec}: it is never sure of a class; {advice}")

    def values(self, pictures: Array) -> Values:
        """(N, classes), float64: of pictures (N, C, H, W) that go through the network at once.

        Raises:
            ModelError: the network gives NaN or infinite values.
        """
        aim = self._aim(np.zeros(len(pictures), np.int64))
        return self._probabilities(aim, self.model.forward(pictures, [aim.layer]))

    def ascent(self, pictures: Array, classes: Values) -> tuple[Values, Array]:
        """The probability of one class of each picture, and the direction in which it rises fastest.

        A multiple of the gradient of log(p / (1 - p)), which has the direction of p's own and does not vanish where p
        is near 0 or 1.

        Args:
            pictures: (N, C, H, W), as many as go through the network at once.
            classes: (N,), integers.

        Returns:
            (N,), float64, and (N, C, H, W).
        """
        aim, rows = self._aim(classes), np.arange(len(classes))
        with self.model.linearize(pictures, [aim.layer], wrt=[INPUT]) as at:
            probabilities = self._probabilities(aim, at.activations)
            others = aim.logits(at.activations)
            others[rows, aim.wanted] = -np.inf
            dlogits = -softmax(others)
            dlogits[rows, aim.wanted] = 1
            gradient = at.vjp({aim.layer: aim.cotangent(at.activations, dlogits, scaled=True)})[INPUT]
        return probabilities[rows, classes], gradient

    def _aim(self, classes: Values) -> Aim:
        return Aim(self.model.output, classes, classes)

    def _probabilities(self, aim: Aim, activations: Mapping[Any, Array]) -> Values:
        if not np.isfinite(as_numpy(activations[aim.layer])).all():
            raise ModelError(
                f"the network gives NaN or infinite values at {aim.layer!r} for pictures in [0, 1]: look at its "
                "weights, and at the preprocessing (preprocess=)"
            )
        return aim.probabilities(aim.class_logits(activations))
