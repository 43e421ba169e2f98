"""What models predict for the same images, and whether they predict the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, softmax
from ..execution.batching import batch_limit, slices
from ..model.base import OUTPUT, Model
from ..model.output.output_spec import OutputSpec
from ..objective import is_distribution
from ..result.selection import items_at

__all__ = ["Prediction", "predict", "prediction_agreement", "predictions_agree", "probabilities"]

Values = np.ndarray[Any, Any]

SAME_SCORE = 1e-2
"""Two scores are the same if they differ by no more than this share of the larger one."""


@dataclass(frozen=True)
class Prediction:
    """What one model predicts for each image."""

    model: str
    classes: tuple[int, ...]
    """The predicted class; 0 where the output is one score."""
    probabilities: tuple[float, ...]
    """Of the predicted class; the score itself where the output is one score."""
    labels: tuple[str, ...]
    of_first: tuple[float, ...] = ()
    """The probability that this model gives the class which the first model of a comparison predicts."""
    unit: str = "probability"
    """"probability", or "score" where there are no classes."""

    def of_images(self, places: Sequence[int]) -> "Prediction":
        """Of the images at these places."""
        names = ("classes", "probabilities", "labels", "of_first")
        return replace(self, **{name: items_at(getattr(self, name), places) for name in names if getattr(self, name)})


def predict(name: str, model: Model, images: Array, first: Prediction | None = None) -> Prediction:
    """What a model predicts for images, and the probability it gives the classes that `first` predicts.

    Args:
        name: the model's name in the comparison.
        model: what predicts.
        images: (N, C, H, W), in the model's bounds.
        first: the prediction of the comparison's first model; None if this is it.
    """
    parts = slices(images.shape[0], batch_limit(model))
    output = np.concatenate([as_numpy(model.forward(images[start:stop, ...])[OUTPUT]) for start, stop in parts])
    spec, rows = model.output, range(len(output))
    shares = spec.values(output)
    best = (shares if spec.binary else output.reshape(shares.shape)).argmax(axis=1)
    names = spec.names(model.labels)
    labels = tuple(names[c] if names else str(c) if spec.has_probabilities else "score" for c in best)
    classes = tuple(map(int, best))
    of_classes, of_first = (
        tuple(float(shares[r, c[r]]) for r in rows) for c in (classes, classes if first is None else first.classes)
    )
    return Prediction(name, classes, of_classes, labels, of_first, "probability" if spec.has_probabilities else "score")


def probabilities(output: Values, spec: OutputSpec | None = None) -> Values:
    """Outputs (N, K) as probabilities (N, classes), as `Model.output` says; the scores where there are none.

    Without a spec: their softmax, or they themselves where they add up to one.
    """
    if spec is not None:
        return spec.values(output)
    return output if is_distribution(output) else np.asarray(softmax(output))


def prediction_agreement(a: Prediction, b: Prediction, images: Sequence[int]) -> dict[str, float]:
    """Whether two models predict the same for these images.

    Returns:
        same_class: the share of images of which both predict one class (of scores: the same score, to 1 %);
        probability_difference: the largest difference of the probabilities that they give the class which the first
        model of the comparison predicts; score_difference, of scores.
    """
    apart = [abs(a.of_first[n] - b.of_first[n]) for n in images if a.of_first and b.of_first]
    if "score" in {a.unit, b.unit}:
        same = [_same_score(a.of_first[n], b.of_first[n]) for n in images]
    else:
        same = [a.classes[n] == b.classes[n] for n in images]
    return {"same_class": sum(same) / len(same), **({f"{a.unit}_difference": max(apart)} if apart else {})}


def predictions_agree(predictions: Sequence[Prediction], n: int) -> bool:
    """Whether all models predict the same for image `n`: one class, or one score to 1 %."""
    first, *others = predictions
    return all(prediction_agreement(first, other, [n])["same_class"] == 1 for other in others)


def _same_score(a: float, b: float) -> bool:
    return abs(a - b) <= SAME_SCORE * max(abs(a), abs(b))
