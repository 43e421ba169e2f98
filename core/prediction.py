"""What models say of the same images, and whether they say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array, as_numpy, softmax
from .batching import batch_limit, slices
from .model import OUTPUT, Model
from .objective import is_distribution

__all__ = ["Prediction", "predict", "prediction_agreement", "probabilities"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prediction:
    """What one model says of each image."""

    model: str
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    labels: tuple[str, ...]
    of_first: tuple[float, ...] = ()
    """The probability that this model gives the class which the first model of a comparison predicts."""


def predict(name: str, model: Model, images: Array, first: Prediction | None = None) -> Prediction:
    """A model's classes of images (N, C, H, W), and the probability of the classes that `first` predicts."""
    parts = slices(images.shape[0], batch_limit(model))
    output = np.concatenate([as_numpy(model.forward(images[start:stop, ...])[OUTPUT]) for start, stop in parts])
    shares, best, rows = probabilities(output), output.argmax(axis=1), range(len(output))
    labels = tuple(model.labels[c] if model.labels else str(c) for c in best)
    classes = tuple(map(int, best))
    asked = classes if first is None else first.classes
    own, of_first = (tuple(float(shares[r, c[r]]) for r in rows) for c in (classes, asked))
    return Prediction(name, classes, own, labels, of_first)


def probabilities(output: Values) -> Values:
    """Outputs (N, K) as probabilities: their softmax, or they themselves where the network ends in one."""
    return output if is_distribution(output) else np.asarray(softmax(output))


def prediction_agreement(a: Prediction, b: Prediction, images: Sequence[int]) -> dict[str, float]:
    """Whether two models say the same of these images.

    Returns:
        same_class: the share of images of which both predict one class; probability_difference: the largest difference
        of the probabilities that they give the class which the first model of the comparison predicts.
    """
    same = [a.classes[n] == b.classes[n] for n in images]
    apart = [abs(a.of_first[n] - b.of_first[n]) for n in images if a.of_first and b.of_first]
    return {"same_class": sum(same) / len(same), **({"probability_difference": max(apart)} if apart else {})}
