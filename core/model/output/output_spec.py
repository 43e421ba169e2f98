"""What a network's output means: logits, probabilities, maps, a picture. All that predicts and measures reads this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ModelError
from ..layer import OUTPUT
from .link_functions import columns

__all__ = ["KINDS", "OutputSpec", "Reading"]

KINDS = (
    "logits",
    "probabilities",
    "log_probabilities",
    "independent",
    "independent_logits",
    "score",
    "maps",
    "image",
    "tensor",
)
"""Of outputs (N, K): one number for each class before a softmax, after it, or its logarithm; a probability for each
class by itself (a sigmoid), or its logit; numbers that are not classes (regression). Of (N, K, H, W): a map for each
class, or a picture. Any other shape."""

_LINKS = {"logits": "softmax", "log_probabilities": "exp", "independent_logits": "sigmoid"}
"""The function that makes probabilities of each kind of output; those that are missing are probabilities already."""
_LOG_LINKS = {
    "logits": "log_softmax", "log_probabilities": "identity", "independent_logits": "log_sigmoid",
    "softmax": "log_softmax", "log softmax": "log_softmax", "sigmoid": "log_sigmoid",
}  # fmt: skip
"""The function that makes log-probabilities of each kind of output, and of what enters each activation."""
_ACTIVATIONS = {"probabilities": "softmax", "log_probabilities": "log softmax", "independent": "sigmoid"}


@dataclass(frozen=True)
class Reading:
    """Where a class score is read: the layer, and the function that is applied there."""

    layer: str = OUTPUT
    link: str = "identity"
    """Of `crosslens.model.output.link_functions`."""
    unit: str = "logit"
    """What comes out: "logit", "probability", "log_probability", "score" or "output"."""


@dataclass(frozen=True)
class OutputSpec:
    """What the output of a network is. `Model.output` finds it out; `wrap(output_kind=)` overrides it."""

    kind: str
    """One of `KINDS`."""
    shape: tuple[int | None, ...]
    """Of one image: (K,), (K, H, W), (T, D)."""
    activation: str | None = None
    """What the network ends in: "softmax", "log softmax" or "sigmoid"; None where there is none of them."""
    before: str | None = None
    """The layer that holds what enters that activation, the logits; None where there is no such layer."""
    evidence: str = ""
    """How all this is known."""

    @property
    def is_vector(self) -> bool:
        """Whether each image gets K numbers, (N, K) or (N, K, 1, 1)."""
        return bool(self.shape) and self.shape[0] is not None and set(self.shape[1:]) <= {1}

    @property
    def binary(self) -> bool:
        """Whether one number tells two classes apart: class 1 is the positive one, class 0 the negative one."""
        return self.kind in {"independent", "independent_logits"} and self.shape[0] == 1

    @property
    def has_probabilities(self) -> bool:
        """Whether classes have probabilities."""
        return self.is_vector and self.kind != "score"

    @property
    def count(self) -> int:
        """The number of classes, or of scores.

        Raises:
            ModelError: the output is not a vector.
        """
        if not self.is_vector:
            raise ModelError(
                f"the output has shape {(None, *self.shape)}, not (N, classes): a class is no target here. Give one "
                f"channel of a layer, target='channel:LAYER:11', {self._instead()}or an Objective, or choose an output "
                "of classes, output=..."
            )
        return 2 if self.binary else int(self.shape[0] or 0)

    def _instead(self) -> str:
        if self.kind == "maps":
            return f"one place, 'neuron:{OUTPUT}:CLASS:Y:X', a painted region, 'mask:FILE.png:CLASS', "
        return f"one score, 'neuron:{OUTPUT}:UNIT:POSITION', " * (len(self.shape) == 2)

    def reading(self, unit: str) -> Reading:
        """Where a class is read in this unit: "logit", "probability", its "log_probability" or "output", as it is.

        A logit that cannot be reached is read as what the network gives, and the reading's own unit says so.
        """
        if unit == "output":
            return Reading(unit="output")
        if unit == "probability":
            return Reading(link=_LINKS.get(self.kind, "identity"), unit="probability")
        if unit == "log_probability":
            link = _LOG_LINKS.get((self.before and self.activation) or self.kind, "log")
            return Reading(self.before or OUTPUT, link, unit)
        if self.before is not None:
            return Reading(layer=self.before)
        given = {"independent": "probability", "probabilities": "probability", "log_probabilities": "log_probability"}
        return Reading(unit="score" if self.kind == "score" else given.get(self.kind, "logit"))

    def names(self, labels: Sequence[str] | None) -> tuple[str, ...]:
        """A text for each class, in their order; none where the classes have none.

        One label of a binary output is that of its positive class.
        """
        labels = tuple(labels or ())
        if not self.binary or len(labels) == 2:
            return labels
        return (f"not {labels[0]}", labels[0]) if labels else ("negative", "positive")

    def values(self, output: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Outputs as a person reads them: probabilities (N, classes), or the scores (N, K) where there are none."""
        if not self.has_probabilities:
            return output.reshape(len(output), -1)
        return np.asarray(columns(self.reading("probability").link, output, self.binary, probability=True))

    def __str__(self) -> str:
        what = {
            "logits": f"logits of {self._class_count()}; their softmax gives probabilities",
            "probabilities": f"probabilities of {self._class_count()}",
            "log_probabilities": f"logarithms of the probabilities of {self._class_count()}",
            "independent": f"independent probabilities of {self._class_count()}",
            "independent_logits": f"logits of {self._class_count()}, each with a probability by itself, its sigmoid",
            "score": "one score, not a probability" if self.shape == (1,) else "scores, not probabilities",
            "maps": "maps" + f" after a {self.activation}" * bool(self.activation and not self.before),
            "image": "a picture",
            "tensor": "neither classes nor maps",
        }[self.kind]
        if self.binary:
            what = f"one {'probability' if self.kind == 'independent' else 'logit'} of two classes: negative, positive"
        if self.before and self.kind != "image":
            return f"{what}, the {self.activation} of {self.before!r}, where a class is explained"
        return what + f" ({self.evidence})" * bool(self.evidence)

    def _class_count(self) -> str:
        return f"{self.shape[0]} classes"


def activation_of(kind: str) -> str | None:
    """What a network ends in whose outputs are of this kind."""
    return _ACTIVATIONS.get(kind)
