"""A comparison as plain data, without networks or results: what pages, notebooks, JSON and explorers are made from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..alignment.divergence import Divergence
from ..result.display import one_line
from .attacks import AttackView
from .pictures import ImagePictures, Pixels
from .predictions import Prediction
from .rounding_noise import Noise
from .runs import Skipped
from .verdict import Judgement, Verdict

__all__ = ["ComparisonView", "ImageView", "PairView", "RunView"]

Figures = Mapping[str, float]
"""By name, see `crosslens.comparison.figures`."""


@dataclass(frozen=True)
class PairView:
    """How far one method's explanations on two models agree."""

    method: str
    models: tuple[str, str]
    images: tuple[Figures, ...]
    """The figures of each image."""
    worst: Figures
    """The least good value of each figure over the images."""
    quantiles: Mapping[str, Figures]
    """Of each figure "median", "90 %", "worst" and "mean" over the images."""
    judgement: Judgement
    """Of the worst figures."""
    limit: float
    """The relative L2 difference below which this method's maps agree."""

    @property
    def row(self) -> dict[str, Any]:
        """The names by which JSON tells pairs apart."""
        return {"method": self.method, "models": list(self.models)}


@dataclass(frozen=True)
class RunView:
    """One method on one model: with what, at which layers, and what it noted."""

    method: str
    model: str
    parameters: Mapping[str, Any]
    layers: tuple[str, ...]
    """The layers explained; none where a method reads no layer."""
    default_layer: bool
    """Whether they are the default."""
    notes: tuple[str, ...]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class ImageView:
    """What is said of one image."""

    title: str
    same_prediction: bool
    """Whether all models predict the same."""
    prediction_spread: float
    """The largest difference of the probabilities (scores) that they give the first model's class; NaN if unknown."""
    distances: Figures
    """By method: the largest relative L2 difference of two models' maps."""
    judgements: Mapping[str, Judgement]
    """By method: of the two maps that differ most."""


@dataclass(frozen=True)
class ComparisonView:
    """Numbers, texts and pictures of a comparison."""

    models: tuple[str, ...]
    methods: tuple[str, ...]
    verdict: Verdict
    predictions: tuple[Prediction, ...]
    """By model; none where the methods make their own images."""
    predicted: tuple[Mapping[str, Any], ...]
    """For each pair of models: `models`, and how far their predictions agree."""
    pairs: tuple[PairView, ...]
    """For each method and pair of models."""
    runs: tuple[RunView, ...]
    """For each method and model."""
    images: tuple[ImageView, ...]
    noise: Mapping[str, Noise]
    """By method: what rounding alone does to its maps."""
    divergences: tuple[Divergence, ...]
    skipped: tuple[Skipped, ...]
    """What was left out, with its reason."""
    attacks: tuple[AttackView, ...]
    """One for each attack among the methods."""
    pictures: Callable[[int], ImagePictures]
    """Makes the pictures of an image; called when they are drawn, since those of many images are large."""
    previews: Callable[[int], Mapping[tuple[str, str], Pixels]]
    """Makes a preview of an image by (method, model): its map laid over it, (H, W, 3) uint8."""

    def __repr__(self) -> str:
        return one_line(f"ComparisonView of {', '.join(self.methods)}", [", ".join(self.models), self.verdict.text])

    def as_json(self) -> dict[str, Any]:
        """Figures, noise, predictions, divergence and provenance, as `comparison.json` holds them."""
        first = [run for run in self.runs if run.method == self.methods[0]]
        return {
            "models": list(self.models),
            "predictions": [_prediction(each) for each in self.predictions],
            "predicted": list(self.predicted),
            "layers": [
                {"method": run.method, "model": run.model, "layers": list(run.layers), "default": run.default_layer}
                for run in self.runs
                if run.layers
            ],
            "figures": [pair.row | dict(pair.worst) for pair in self.pairs],
            "quantiles": [pair.row | dict(pair.quantiles) for pair in self.pairs],
            "noise": {method: {"how": noise.text, **noise.figures} for method, noise in self.noise.items()},
            "images": [
                pair.row | {"image": self.images[n].title} | dict(figures)
                for pair in self.pairs
                for n, figures in enumerate(pair.images)
            ],
            **({"attacks": [each.as_json() for each in self.attacks]} if self.attacks else {}),
            "skipped": [each.as_json() for each in self.skipped],
            "divergence": [divergence.as_json() for divergence in self.divergences],
            "provenance": {run.model: dict(run.provenance) for run in first},
        }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "model": prediction.model,
        "class": list(prediction.classes),
        "label": list(prediction.labels),
        prediction.unit: list(prediction.probabilities),
    }
