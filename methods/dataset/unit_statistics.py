"""Unit statistics: what each unit of a layer answers over a data set, and which units are dead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.histogram import Histogram, edges_between
from crosslens.data.moments import finite, lifetime_sparsity, moments_of
from crosslens.data.quantiles import exact_quantiles
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.unit_layers import LAYERS_DOC, rectifier_inputs, unit_layers
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.sheets.unit_table import UnitTable

from ._dead_units import dead_unit_notes

__all__ = ["UnitStatistics"]

Numbers = np.ndarray[Any, Any]
States = Mapping[Statistic, State]
MOST_BINS = 4096


@dataclass(frozen=True, kw_only=True)
class UnitStatistics(DatasetMethod):
    """Mean, spread, quantiles and sparsity of units.

    For each unit mean, deviation, extrema, share of zeros, exact quantiles and lifetime sparsity over all images and
    positions, and whether it is dead: never above zero. For each layer the means of these, and population sparsity.
    Sparsity is that of Treves and Rolls as Vinje and Gallant (2000) scale it, of the unit's mean response to an image,
    a negative one as 0; 0 for a unit that answers to none.

    Moments take one pass over the data, histograms a second one, quantiles four.
    """

    name = "unit_statistics"
    layers: tuple[str, ...] = param((), LAYERS_DOC)
    quantiles: tuple[float, ...] = param(
        (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.995, 0.999),
        "shares of values below, equal to sorting; none saves passes",
        minimum=0,
        maximum=1,
    )
    bins: int = param(40, "bins of a unit's histograms, from its least to its largest value; 0 for none", minimum=0)
    nearly_dead: float = param(0.99, "share of zeros above which a unit is named nearly dead", minimum=0, maximum=1)

    def check_parameters(self) -> None:
        super().check_parameters()
        if len(set(self.quantiles)) < len(self.quantiles):
            raise ParameterError(f"quantiles holds a share twice: {self.quantiles}; give each once")
        if self.bins > MOST_BINS:
            raise ParameterError(f"bins is {self.bins}; more than {MOST_BINS} are too narrow for float32 to tell apart")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The names that the words in `layers` stand for."""
        named = unit_layers(model, self.layers)
        return {} if named == self.layers else {"layers": named}

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        known, layers = gathered or {}, unit_layers(model, self.layers)
        before = self._before(model, layers)
        asked: list[Statistic] = [moments_of(model, layer) for layer in (*layers, *before.values())]
        for layer in layers:
            asked += exact_quantiles(layer, self.quantiles, known)[0]
        if self.bins and known:
            asked += [self._histogram(model, layer, known) for layer in (*layers, *before.values())]
        return list(dict.fromkeys(asked))

    def _before(self, model: Model, layers: Sequence[str]) -> Mapping[str, str]:
        """By rectified layer, what its rectifier reads, where histograms are asked for."""
        return rectifier_inputs(model, layers) if self.bins else {}

    def _histogram(self, model: Model, layer: str, known: States) -> Histogram:
        state = finite(layer, known[moments_of(model, layer)])
        edges = edges_between(state["min"], state["max"], self.bins)
        return Histogram(layer, len(edges), edges.tobytes())

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> UnitTable:
        layers = unit_layers(model, self.layers)
        rows = {layer: self._rows(model, layer, gathered) for layer in layers}
        columns = {name: np.concatenate([each[name] for each in rows.values()]) for name in rows[layers[0]]}
        figures = {layer: layer_figures(rows[layer], gathered[moments_of(model, layer)]) for layer in layers}
        notes = dead_unit_notes(rows, self.nearly_dead)
        return UnitTable(columns, layers=figures, histograms=self._histograms(model, layers, gathered), notes=(*notes,))

    def _rows(self, model: Model, layer: str, gathered: States) -> Mapping[str, Numbers]:
        """The columns of one layer."""
        state = finite(layer, gathered[moments_of(model, layer)])
        count = int(state["values"])
        mean, zeros = state["sum"] / count, state["zeros"] / count
        _, quantiles = exact_quantiles(layer, self.quantiles, gathered)
        by_share = zip(self.quantiles, [] if quantiles is None else quantiles, strict=True)
        dead = state["max"] <= 0
        return {
            "layer": np.full(len(mean), layer),
            "unit": np.arange(len(mean)),
            "mean": mean,
            "deviation": np.sqrt(np.maximum(state["squares"] / count - mean**2, 0)),
            "minimum": state["min"],
            "maximum": state["max"],
            "zeros": zeros,
            **{f"q{share:g}": values for share, values in by_share},
            "sparsity": lifetime_sparsity(state),
            "dead": dead,
            "nearly_dead": ~dead & (zeros > self.nearly_dead),
        }

    def _histograms(self, model: Model, layers: Sequence[str], gathered: States) -> Mapping[str, Mapping[str, Numbers]]:
        if not self.bins:
            return {}
        before = self._before(model, layers)
        found: dict[str, dict[str, Numbers]] = {}
        for layer in layers:
            both = {"": layer, **({"before_": before[layer]} if layer in before else {})}
            found[layer] = {}
            for prefix, name in both.items():
                histogram = self._histogram(model, name, gathered)
                found[layer][f"{prefix}counts"] = gathered[histogram]["counts"]
                found[layer][f"{prefix}edges"] = histogram.known_edges()
        return found


def layer_figures(rows: Mapping[str, Numbers], state: State) -> Mapping[str, float]:
    """Of one layer: units, dead and nearly dead ones, and means over those that answer to some image."""
    known = rows["sparsity"][state["responses"] > 0]
    population = float(state["population"]) / max(int(state["answered"]), 1)
    return {
        "units": len(rows["unit"]),
        "dead": int(rows["dead"].sum()),
        "nearly_dead": int(rows["nearly_dead"].sum()),
        "mean": float(rows["mean"].mean()),
        "zeros": float(rows["zeros"].mean()),
        "lifetime_sparsity": float(known.mean()) if len(known) else 0.0,
        "population_sparsity": population,
    }


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [UnitStatistics]
