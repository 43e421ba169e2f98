"""`Comparison`: the results of methods on several models, the figures of each pair, and how to save and show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any

from ..alignment.divergence import Divergence
from ..errors import ComparisonError
from ..files.whole_file import write_text
from ..result import Result
from ..result.data_frame import data_frame
from ..result.display import counted, one_line
from ..robustness.transfer_matrix import Transfer
from .aggregate import Limit, quantiles, worst
from .attacks import attack_figures, attack_view, is_attack
from .figures import FIGURES
from .formats import WRITERS
from .pictures import pictures_of, previews_of
from .predictions import Prediction, prediction_agreement, predictions_agree
from .result_figures import figures_between, values_and_maps
from .rounding_noise import Noise
from .runs import Skipped
from .verdict import agreement_limit, judge, severity, verdict
from .view import ComparisonView, ImageView, PairView, RunView

__all__ = ["Comparison"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Results of methods on several models, with the figures of each pair."""

    models: tuple[str, ...]
    """A name for each model, "torch" or "onnx 2"."""
    methods: tuple[str, ...]
    """Each method's name, or the label that it was given under."""
    results: Mapping[tuple[str, str], Result]
    """By (method, model)."""
    predictions: tuple[Prediction, ...] = ()
    titles: tuple[str, ...] = ()
    """A name for each image."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """By method: what rounding alone does to its maps on the model that took the least time (see `rounding_noise`)."""
    divergences: tuple[Divergence, ...] = ()
    """The layer-by-layer comparison of the first model with each other one, if asked for."""
    transfers: Mapping[str, Transfer] = field(default_factory=dict)
    """By attack: its pictures of each model, tried on each other one."""
    show_transfer: bool = False
    """Whether reports show these matrices."""
    skipped: tuple[Skipped, ...] = ()
    """Methods that do not run on one of the models, and pictures on which one failed, with the reason."""

    def pairs_of(self, method: str) -> list[tuple[str, str]]:
        """Each two models that this method has results of."""
        return [(a, b) for a, b in self.pairs if (method, a) in self.results and (method, b) in self.results]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each two models, by name."""
        return list(combinations(self.models, 2))

    @cached_property
    def images(self) -> tuple[Row, ...]:
        """One row per method, pair of models and image: `method`, `models`, `image` (its index), and the figures.

        The figures are those of `crosslens.comparison.metrics`; for values that are not maps, the ones that fit.
        """
        maps = {key: values_and_maps(result) for key, result in self.results.items() if not is_attack(result)}
        return tuple(
            {"method": method, "models": [a, b], "image": n}
            | (
                attack_figures(self.transfers[method], a, b, n, self._attacked(method))
                if method in self.transfers
                else figures_between(maps[method, a], maps[method, b], n, n)
            )
            for method in self.methods
            for a, b in self.pairs_of(method)
            for n in range(len(self.results[method, a] if method in self.transfers else maps[method, a][0]))
        )

    def _attacked(self, method: str) -> Mapping[str, Any]:
        """The results of an attack by model."""
        return {model: self.results[method, model] for model in self.models if (method, model) in self.results}

    def rows(self) -> list[Row]:
        """One row per method and pair of models: `method`, `models`, and of each figure the worst over the images."""
        return [{**pair, **worst(figures)} for pair, figures in self._figures_of_pairs()]

    def figures(self) -> dict[str, list[Any]]:
        """The same by column, as `pandas.DataFrame` takes it; None where a method has no such figure."""
        rows = self.rows()
        return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}

    def to_dataframe(self) -> Any:
        """The rows as a `pandas.DataFrame`, with the two models of each as the columns `model` and `other`.

        Raises:
            ParameterError: pandas is not installed.
        """
        columns = self.figures()
        pairs = columns.pop("models", [])
        models = {"model": [a for a, _ in pairs], "other": [b for _, b in pairs]}
        return data_frame({"method": columns.pop("method", []), **models, **columns})

    def __repr__(self) -> str:
        count = max((len(result.images) for result in self.results.values() if result.images is not None), default=0)
        facts = [", ".join(self.models), counted(count, "image")]
        return one_line(f"Comparison of {', '.join(self.methods)}", facts)

    def _repr_html_(self) -> str:
        return WRITERS["text/html"](self.view)

    def quantiles(self) -> list[Row]:
        """One row per method and pair of models: of each figure its median, "90 %" and worst over the images."""
        return [{**pair, **quantiles(figures)} for pair, figures in self._figures_of_pairs()]

    def _figures_of_pairs(self) -> Iterator[tuple[Row, list[Mapping[str, float]]]]:
        """For each method and pair of models: who they are, and the figures of each image."""
        for method in self.methods:
            for pair in self.pairs_of(method):
                rows = [row for row in self.images if row["method"] == method and row["models"] == [*pair]]
                figures: list[Mapping[str, float]] = [
                    {name: row[name] for name in FIGURES if name in row} for row in rows
                ]
                yield {"method": method, "models": list(pair)}, figures

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
        """One row per pair of models: `models`, and how far their predictions of the images agree."""
        of = {prediction.model: prediction for prediction in self.predictions}
        return tuple(
            {"models": [a, b], **prediction_agreement(of[a], of[b], range(len(of[a].classes)))}
            for a, b in self.pairs
            if of
        )

    def passed(self, limits: Sequence[Limit]) -> list[str]:
        """The figures that pass their limit, in words; an empty list if none does."""
        rows = [(" and ".join(row["models"]), row) for row in self.predicted]
        rows += [(f"{row['method']} on {' and '.join(row['models'])}", row) for row in self.rows()]
        return [
            f"{limit.figure} of {who} is {row[limit.figure]:.3g}; the limit is {limit}"
            for limit in limits
            for who, row in rows
            if limit.figure in row and not limit.allows(row[limit.figure])
        ]

    def title(self, index: int) -> str:
        """The name of an image."""
        return self.titles[index] if index < len(self.titles) else f"picture {index + 1}"

    @property
    def view(self) -> ComparisonView:
        """The comparison as plain data, which pages, notebooks and JSON are made from."""
        return ComparisonView(
            models=self.models,
            methods=self.methods,
            verdict=verdict(self.rows(), self.noise, self.predicted, self.divergences, self.skipped),
            predictions=self.predictions,
            predicted=self.predicted,
            pairs=tuple(self._pair_views()),
            runs=tuple(_run_view(method, model, result) for (method, model), result in self.results.items()),
            images=tuple(map(self._image_view, range(self._count))),
            noise=self.noise,
            divergences=self.divergences,
            skipped=self.skipped,
            attacks=tuple(
                attack_view(method, self._attacked(method), transfer, matrix=self.show_transfer)
                for method, transfer in self.transfers.items()
            ),
            pictures=partial(pictures_of, self.results, self.methods, self.models),
            previews=partial(previews_of, self.results),
        )

    @property
    def _count(self) -> int:
        """How many images were explained or made."""
        explained = [len(result.images) for result in self.results.values() if result.images is not None]
        return max([*explained, *(row["image"] + 1 for row in self.images)], default=0)

    def _pair_views(self) -> Iterator[PairView]:
        for pair, figures in self._figures_of_pairs():
            noise, lowest = self.noise.get(pair["method"]), worst(figures)
            yield PairView(
                method=pair["method"],
                models=(pair["models"][0], pair["models"][1]),
                images=tuple(figures),
                worst=lowest,
                quantiles=quantiles(figures),
                judgement=judge(lowest, noise),
                limit=agreement_limit(noise),
            )

    def _image_view(self, n: int) -> ImageView:
        rows = [row for row in self.images if row["image"] == n]
        worst_rows = {
            method: max(of_method, key=severity)
            for method in self.methods
            if (of_method := [row for row in rows if row["method"] == method])
        }
        of_first = [each.of_first[n] for each in self.predictions if each.of_first]
        return ImageView(
            title=self.title(n),
            same_prediction=bool(self.predictions) and predictions_agree(self.predictions, n),
            prediction_spread=max(of_first) - min(of_first) if of_first else float("nan"),
            distances={method: row["relative_l2"] for method, row in worst_rows.items() if "relative_l2" in row},
            judgements={method: judge(row, self.noise.get(method)) for method, row in worst_rows.items()},
        )

    def as_json(self) -> dict[str, Any]:
        """Figures, noise, predictions, divergence and provenance, as `comparison.json` holds them."""
        return self.view.as_json()

    def save(self, path: str | Path) -> Path:
        """Write the comparison: `.html` a self-contained report, `.json` the figures.

        Raises:
            ComparisonError: another suffix, or a file that cannot be written.
        """
        path = Path(path)
        if path.suffix not in WRITERS:
            raise ComparisonError(
                f"cannot save a comparison as '{path.name}'; use .html for a report, .json for figures"
            )
        text = WRITERS[path.suffix](self.view)
        return write_text(path, text, ComparisonError)


def _run_view(method: str, model: str, result: Result) -> RunView:
    return RunView(
        method,
        model,
        parameters=result.parameters,
        layers=tuple(result.provenance.get("layers", ())),
        default_layer=bool(result.provenance.get("default_layer")),
        notes=result.notes,
        provenance=result.provenance,
    )
