"""One method on many models of one network: the maps side by side, and how far they are apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from .anatomy import classes
from .arrays import Array, as_numpy, softmax
from .errors import ComparisonError
from .method import Method
from .model import OUTPUT, Model
from .objective import is_distribution
from .progress import Progress, silent, track
from .result import Attribution, Result, Synthesis
from .scores import Scores
from .strict_json import dumps

__all__ = ["Comparison", "Prediction", "agreement", "compare", "probabilities"]

Values = np.ndarray[Any, Any]


def agreement(a: Values, b: Values) -> dict[str, float]:
    """How far two arrays of values are apart.

    Returns:
        max_relative_difference: max |a - b| / max |a|; relative_l2: |a - b| / |a|; rank_correlation: Spearman's, 1 if
        both order their values alike. All zeros in both count as equal.

    Raises:
        ComparisonError: the shapes differ.
    """
    if a.shape != b.shape:
        raise ComparisonError(
            f"values of shape {a.shape} and {b.shape} cannot be compared; were the same layers explained?"
        )
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    largest, length = float(np.abs(a).max()), float(np.linalg.norm(a))
    difference = a - b
    return {
        "max_relative_difference": _ratio(float(np.abs(difference).max()), largest),
        "relative_l2": _ratio(float(np.linalg.norm(difference)), length),
        "rank_correlation": _rank_correlation(a, b),
    }


def _ratio(difference: float, scale: float) -> float:
    return 0.0 if difference == 0 else difference / scale if scale else float("inf")


def _rank_correlation(a: Values, b: Values) -> float:
    from scipy.stats import rankdata

    x, y = (rankdata(v) - (v.size + 1) / 2 for v in (a, b))
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale else float(np.array_equal(a, b))


@dataclass(frozen=True)
class Prediction:
    """What one model says of each image."""

    model: str
    classes: tuple[int, ...]
    probabilities: tuple[float, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Results of methods on several models, with the figures of each pair."""

    models: tuple[str, ...]
    """A name for each model, "torch" or "onnx 2"."""
    methods: tuple[str, ...]
    results: Mapping[tuple[str, str], Result]
    """By (method, model)."""
    predictions: tuple[Prediction, ...] = ()
    titles: tuple[str, ...] = field(default=())
    """A name for each image."""

    def figures(self) -> Iterator[dict[str, Any]]:
        """One row per method and pair of models: the keys of `agreement`, with `method` and `models`."""
        for method in self.methods:
            for a, b in combinations(self.models, 2):
                first, second = (_values(self.results[method, model]) for model in (a, b))
                yield {"method": method, "models": [a, b], **agreement(first, second)}

    def as_json(self) -> dict[str, Any]:
        """Figures, predictions and provenance, as `comparison.json` holds them."""
        return {
            "models": list(self.models),
            "predictions": [
                {
                    "model": p.model,
                    "class": list(p.classes),
                    "label": list(p.labels),
                    "probability": list(p.probabilities),
                }
                for p in self.predictions
            ],
            "figures": list(self.figures()),
            "provenance": {model: dict(self.results[self.methods[0], model].provenance) for model in self.models},
        }

    def save(self, path: str | Path) -> Path:
        """Write the comparison: `.html` a self-contained report, `.json` the figures.

        Raises:
            ComparisonError: another suffix.
        """
        path = Path(path)
        if path.suffix == ".html":
            from .report import page

            path.write_text(page(self), encoding="utf-8")
        elif path.suffix == ".json":
            path.write_text(dumps(self.as_json()) + "\n", encoding="utf-8")
        else:
            raise ComparisonError(
                f"cannot save a comparison as '{path.name}'; use .html for a report, .json for figures"
            )
        return path


def compare(
    models: Sequence[Model] | Mapping[str, Model],
    methods: Method | Sequence[Method],
    images: Array = None,
    target: Any = None,
    *,
    titles: Sequence[str] = (),
    progress: Progress = silent,
) -> Comparison:
    """Run one or more methods on two or more models with the same images and the same target.

    Args:
        models: what `crosslens.wrap` gave, in a list or by a name to show.
        methods: what `crosslens.method` gave, one or several.
        images: (N, C, H, W), float32 in [0, 1].
        target: as for a method; None means the class that the first model predicts, for all of them.
        titles: a name for each image, for the report.
        progress: called after each result with (done, total, what).

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes.
    """
    named = dict(models) if isinstance(models, Mapping) else dict(zip(_names(models), models, strict=True))
    chosen = [methods] if isinstance(methods, Method) else list(methods)
    _comparable(named)
    predictions = tuple(_prediction(name, model, images) for name, model in named.items()) if images is not None else ()
    if target is None and predictions:
        target = list(predictions[0].classes)
    work = [(method, name) for method in chosen for name in named]
    results = {
        (method.name, name): method(named[name], images, target if method.needs_target else None)
        for method, name in track(work, progress, "comparing")
    }
    kinds = tuple(method.name for method in chosen)
    return Comparison(tuple(named), kinds, results, predictions, tuple(titles))


def _names(models: Sequence[Model]) -> list[str]:
    counts: dict[str, int] = {}
    names = []
    for model in models:
        counts[model.backend] = counts.get(model.backend, 0) + 1
        names.append(model.backend if counts[model.backend] == 1 else f"{model.backend} {counts[model.backend]}")
    return names


def _comparable(models: Mapping[str, Model]) -> None:
    if len(models) < 2:
        raise ComparisonError(f"comparing takes two models or more; there is {len(models)}")
    counts = {name: classes(model) for name, model in models.items()}
    if len(set(counts.values())) > 1:
        raise ComparisonError(
            f"the models have different numbers of classes: {_listed(counts)}; they are not one network"
        )
    shapes = {name: model.input.example_shape for name, model in models.items()}
    if len(set(shapes.values())) > 1:
        raise ComparisonError(
            f"the models take different images: {_listed(shapes)}; give each input_shape= of one size"
        )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _prediction(name: str, model: Model, images: Array) -> Prediction:
    output = as_numpy(model.forward(images)[OUTPUT])
    shares = probabilities(output)
    best = output.argmax(axis=1)
    labels = tuple(model.labels[c] if model.labels else str(c) for c in best)
    rows = range(len(best))
    return Prediction(name, tuple(map(int, best)), tuple(float(shares[r, best[r]]) for r in rows), labels)


def probabilities(output: Values) -> Values:
    """Outputs (N, K) as probabilities: their softmax, or they themselves where the network ends in one."""
    return output if is_distribution(output) else np.asarray(softmax(output))


def _values(result: Result) -> Values:
    if isinstance(result, Attribution | Scores):
        return as_numpy(result.values)
    if isinstance(result, Synthesis):
        return as_numpy(result.images)
    raise ComparisonError(f"a {type(result).__name__} has no values to compare")
