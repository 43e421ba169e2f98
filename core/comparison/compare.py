"""Methods on many models of one network: the maps side by side, how far they are apart, and what rounding explains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..alignment.compatibility import each_once, numbered, same_input, same_output
from ..arrays import Array, as_numpy
from ..errors import ComparisonError
from ..execution.progress import Progress, silent, track
from ..introspection.default_layer import classes
from ..method.base import Method
from ..model.base import Model
from ..result import Attribution, Result, Synthesis
from ..result.display import counted, one_line
from ..result.scores import Scores
from ..result.strict_json import dumps
from .aggregate import FIGURES, Limit, quantiles, worst
from .layer_translation import Counterparts
from .metrics import agreement, map_agreement
from .predictions import Prediction, predict, prediction_agreement, probabilities
from .rounding_noise import Noise, again, chosen

if TYPE_CHECKING:
    from ..alignment.divergence import Divergence

__all__ = ["Comparison", "Prediction", "agreement", "compare", "probabilities"]

Row = dict[str, Any]
_WALKED = 2
"""So many of the images take the walk through the layers."""


@dataclass(frozen=True)
class Comparison:
    """Results of methods on several models, with the figures of each pair."""

    models: tuple[str, ...]
    """A name for each model, "torch" or "onnx 2"."""
    methods: tuple[str, ...]
    results: Mapping[tuple[str, str], Result]
    """By (method, model)."""
    predictions: tuple[Prediction, ...] = ()
    titles: tuple[str, ...] = ()
    """A name for each image."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """By method: what rounding alone does to its maps on the model that took the least time (see `rounding_noise`)."""
    divergences: tuple["Divergence", ...] = ()
    """The walk through the layers of the first model and of each other one."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each two models, by name."""
        return list(combinations(self.models, 2))

    @cached_property
    def images(self) -> tuple[Row, ...]:
        """One row per method, pair of models and image: `method`, `models`, `image` (its place), and the figures.

        The figures are those of `crosslens.comparison.metrics`; for values that are no maps, the ones that fit.
        """
        views = {key: _view(result) for key, result in self.results.items()}
        return tuple(
            {"method": method, "models": [a, b], "image": n, **_apart(views[method, a], views[method, b], n, n)}
            for method in self.methods
            for a, b in self.pairs
            for n in range(len(views[method, a][0]))
        )

    def rows(self) -> list[Row]:
        """One row per method and pair of models: `method`, `models`, and of each figure the worst over the images."""
        return [{**who, **worst(rows)} for who, rows in self._grouped()]

    def figures(self) -> dict[str, list[Any]]:
        """The same by column, as `pandas.DataFrame` takes it; None where a method has no such figure."""
        rows = self.rows()
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}

    def __repr__(self) -> str:
        count = max((len(result.images) for result in self.results.values() if result.images is not None), default=0)
        facts = [", ".join(self.models), counted(count, "image")]
        return one_line(f"Comparison of {', '.join(self.methods)}", facts)

    def _repr_html_(self) -> str:
        from ..report.notebook import summary_in_html

        return summary_in_html(self)

    def quantiles(self) -> list[Row]:
        """One row per method and pair of models: of each figure its median, "90 %" and worst over the images."""
        return [{**who, **quantiles(rows)} for who, rows in self._grouped()]

    def _grouped(self) -> Iterator[tuple[Row, list[Mapping[str, float]]]]:
        for method in self.methods:
            for pair in self.pairs:
                who = {"method": method, "models": list(pair)}
                yield (
                    who,
                    [_figures(row) for row in self.images if row["method"] == method and row["models"] == [*pair]],
                )

    @property
    def layers(self) -> tuple[Row, ...]:
        """One row per method and model that explains layers: `method`, `model`, `layers`, and whether by `default`."""
        return tuple(
            {"method": method, "model": model, "layers": layers, "default": result.provenance["default_layer"]}
            for (method, model), result in self.results.items()
            if (layers := list(result.provenance.get("layers", ())))
        )

    @cached_property
    def predicted(self) -> tuple[Row, ...]:
        """One row per pair of models: `models`, and how far what they say of the images agrees."""
        said = {p.model: p for p in self.predictions}
        return tuple(
            {"models": [a, b], **prediction_agreement(said[a], said[b], range(len(said[a].classes)))}
            for a, b in self.pairs
            if said
        )

    def passed(self, limits: Sequence[Limit]) -> list[str]:
        """What does not keep its limit, in words; nothing if all is well."""
        rows = [(" and ".join(row["models"]), row) for row in self.predicted]
        rows += [(f"{row['method']} on {' and '.join(row['models'])}", row) for row in self.rows()]
        return [
            f"{limit.figure} of {who} is {row[limit.figure]:.3g}; the limit is {limit}"
            for limit in limits
            for who, row in rows
            if limit.figure in row and not limit.kept(row[limit.figure])
        ]

    def title(self, index: int) -> str:
        """The name of an image."""
        return self.titles[index] if index < len(self.titles) else f"picture {index + 1}"

    def as_json(self) -> dict[str, Any]:
        """Figures, noise, predictions, divergence and provenance, as `comparison.json` holds them."""
        return {
            "models": list(self.models),
            "predictions": [
                {
                    "model": p.model,
                    "class": list(p.classes),
                    "label": list(p.labels),
                    p.unit: list(p.probabilities),
                }
                for p in self.predictions
            ],
            "predicted": list(self.predicted),
            "layers": list(self.layers),
            "figures": self.rows(),
            "quantiles": self.quantiles(),
            "noise": {method: {"how": noise.text, **noise.figures} for method, noise in self.noise.items()},
            "images": [{**row, "image": self.title(row["image"])} for row in self.images],
            "divergence": [found.as_json() for found in self.divergences],
            "provenance": {model: dict(self.results[self.methods[0], model].provenance) for model in self.models},
        }

    def save(self, path: str | Path) -> Path:
        """Write the comparison: `.html` a self-contained report, `.json` the figures.

        Raises:
            ComparisonError: another suffix.
        """
        path = Path(path)
        if path.suffix == ".html":
            from ..report import page

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
    layers: bool = False,
    progress: Progress = silent,
) -> Comparison:
    """Run one or more methods on two or more models with the same images and the same target.

    Args:
        models: what `crosslens.wrap` gave, in a list or by a name to show.
        methods: what `crosslens.method` gave, one or several. A `layer=` may be named in any of the models.
        images: (N, C, H, W), float32 in [0, 1].
        target: as for a method; None means the class that the first model predicts, for all of them (the positive
            class of one sigmoid, the number of a regression).
        titles: a name for each image, for the report.
        layers: walk the layers of the first model and of each other one as well, to say where they part.
        progress: called after each result with (done, total, what).

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes; one
            method twice.
    """
    named = dict(models) if isinstance(models, Mapping) else dict(zip(numbered(models), models, strict=True))
    chosen_methods = [methods] if isinstance(methods, Method) else list(methods)
    _comparable(named, target)
    each_once([method.name for method in chosen_methods])
    predictions = _predictions(named, images)
    leader = next(iter(named.values())).output
    if target is None and predictions and not leader.binary and leader.has_probabilities:
        target = list(predictions[0].classes)
    work = [(method, name) for method in chosen_methods for name in (*named, None)]
    results: dict[tuple[str, str], Result] = {}
    noise: dict[str, Noise] = {}
    places = Counterparts(named, images)
    targets = places.targets(target)
    fitted = {method.name: places.fitted(method, targets) for method in chosen_methods}
    for method, name in track(work, progress, "comparing"):
        asked = targets if method.needs_target else dict.fromkeys(named)
        if name is not None:
            results[method.name, name] = fitted[method.name][name](named[name], images, asked[name])
        elif method.needs_images:
            quick = min(named, key=lambda each: results[method.name, each].provenance["seconds"])
            once = results[method.name, quick]
            noise[method.name] = _noise(fitted[method.name][quick].method, quick, named[quick], once, asked[quick])
    kinds = tuple(method.name for method in chosen_methods)
    walks = _walks(named, images) if layers and images is not None else ()
    return Comparison(tuple(named), kinds, results, predictions, tuple(titles), noise, walks)


def _walks(models: Mapping[str, Model], images: Array) -> tuple["Divergence", ...]:
    from ..alignment.divergence import diverge

    (first, leader), *others = models.items()
    few = images[:_WALKED, ...]
    return tuple(diverge(leader, model, few, names=(first, name)) for name, model in others)


def _comparable(models: Mapping[str, Model], target: Any) -> None:
    if len(models) < 2:
        raise ComparisonError(f"comparing takes two models or more; there is {len(models)}")
    for model in models.values() if target is None else ():
        classes(model)
    same_output(models)
    same_input(models)


def _predictions(models: Mapping[str, Model], images: Array) -> tuple[Prediction, ...]:
    """None without images; the first model's come first and are what the others are asked about."""
    if images is None or not all(_predicts(model) for model in models.values()):
        return ()
    (first, leader), *others = models.items()
    leading = predict(first, leader, images)
    return (leading, *(predict(name, model, images, leading) for name, model in others))


def _predicts(model: Model) -> bool:
    """Whether each image gets a class or one score."""
    return model.output.is_vector and (model.output.has_probabilities or model.output.count == 1)


def _noise(method: Method, name: str, model: Model, result: Result, target: Any) -> Noise:
    places = chosen(len(_values(result)))
    still, moved = _view(result), _view(again(method, model, result.images, target, places))
    return Noise(name, len(places), worst(_apart(still, moved, n, m) for m, n in enumerate(places)))


def _view(result: Result) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """A result's values, and its maps (N, h, w) if it has any."""
    has_maps = isinstance(result, Attribution) and result.values.ndim in {3, 4, 5}
    return _values(result), as_numpy(result.maps()) if has_maps else None  # type: ignore[attr-defined]


def _apart(a: tuple[Any, Any], b: tuple[Any, Any], n: int, m: int) -> dict[str, float]:
    """The figures of image `n` of one view and image `m` of the other."""
    found = agreement(a[0][n], b[0][m])
    return found | ({} if a[1] is None or b[1] is None else map_agreement(a[1][n], b[1][m]))


def _figures(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if name in FIGURES}


def _values(result: Result) -> np.ndarray[Any, Any]:
    if isinstance(result, Attribution | Scores):
        return as_numpy(result.values)
    if isinstance(result, Synthesis):
        return as_numpy(result.images)
    raise ComparisonError(f"a {type(result).__name__} has no values to compare")
