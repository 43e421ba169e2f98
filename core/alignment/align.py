"""`align`: match the layers of two or more networks without their names, by order, shape and activations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from ..errors import ComparisonError, LayerError, unknown_name
from ..execution.progress import Progress, shows_progress, silent, track
from ..html_table import html_table
from ..image.batch import image_batch
from ..model.base import INPUT, OUTPUT, Model
from ..plugins.models import is_one_model, named_models
from ..result.data_frame import data_frame
from ..result.display import counted, one_line
from .compatibility import refuse_different_inputs
from .matcher import match_layers
from .model_pair import LayerPair, ModelPair
from .probe_images import probes
from .similarity import Values, duplicate_layers

__all__ = ["AlignedLayer", "Alignment", "align", "alignment_of"]


@dataclass(frozen=True)
class AlignedLayer:
    """One layer, by its name in each model."""

    layers: tuple[str | None, ...]
    """In the order of `Alignment.models`; None where a model has no such layer (fused there, or written otherwise)."""
    agreement: float
    """Pearson's correlation of the activations on the probe images; the smallest of all pairs in the row."""
    difference: float
    """Relative L2 difference |a - b| / |a| of the same; the largest of all pairs in the row."""


@dataclass(frozen=True)
class Alignment:
    """The layers of two or more models, row by row: `INPUT` first, `OUTPUT` last, the others in execution order."""

    models: tuple[str, ...]
    rows: tuple[AlignedLayer, ...]
    layers: tuple[tuple[str, ...], ...]
    """Per model: all its layers, in execution order."""
    same: tuple[Mapping[str, str], ...]
    """Per model: a layer without a row whose values are those of one with a row (a block and its last layer)."""
    aliases: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """Per model: other names of its layers."""

    def __repr__(self) -> str:
        return one_line(f"Alignment of {', '.join(self.models)}", [counted(len(self.rows), "row")])

    def _repr_html_(self) -> str:
        """The layers side by side, in a notebook."""
        rows = [
            (*(name or "-" for name in row.layers), f"{row.agreement:.6f}", f"{row.difference:.1e}")
            for row in self.rows
        ]
        left = [f"only in {model}: {', '.join(names)}" for model in self.models if (names := self.unmatched(model))]
        return html_table((*self.models, "correlation", "difference"), rows, below=left)

    def unmatched(self, model: str) -> tuple[str, ...]:
        """The layers of one model, by its name here, that no other model has."""
        index = self._index(model)
        matched = {*(row.layers[index] for row in self.rows), *self.same[index]}
        return tuple(name for name in self.layers[index] if name not in matched)

    def translate(self, layer: str, source: str, to: str) -> str:
        """The name in model `to` of a layer of model `source`, both by their names here.

        Raises:
            LayerError: there is no such layer, or it has no counterpart there; the message names the neighbours.
        """
        a, b = self._index(source), self._index(to)
        name = self.aliases[a].get(layer, layer) if self.aliases else layer
        if name not in self.layers[a]:
            raise LayerError(f"no layer {layer!r} in {source}; `crosslens layers` lists them")
        name = self.same[a].get(name, name)
        counterpart = next((row.layers[b] for row in self.rows if row.layers[a] == name), None)
        if counterpart is None:
            raise LayerError(f"layer {layer!r} of {source} has no counterpart in {to}{self._neighbours(name, a, b)}")
        return counterpart

    def _index(self, model: str) -> int:
        if model not in self.models:
            raise ComparisonError(unknown_name("model", model, self.models, of="this alignment"))
        return self.models.index(model)

    def _neighbours(self, name: str, a: int, b: int) -> str:
        """The matched layers before and after one without a counterpart."""
        order = {layer: n for n, layer in enumerate(self.layers[a])}
        index = order[name]
        both = [(order[row.layers[a]], row) for row in self.rows if row.layers[a] and row.layers[b]]  # type: ignore[index]
        before = max((n for n, _ in both if n < index), default=None)
        after = min((n for n, _ in both if n > index), default=None)
        names = [f"{row.layers[a]!r} is {row.layers[b]!r}" for n, row in both if n in {before, after}]
        return f" (it is fused or written otherwise there); its neighbours have: {', '.join(names)}" if names else ""

    def to_dataframe(self) -> Any:
        """The rows as a `pandas.DataFrame`: the layer's name in each model, agreement and difference.

        Raises:
            ParameterError: pandas is not installed.
        """
        names = {model: [row.layers[n] for row in self.rows] for n, model in enumerate(self.models)}
        return data_frame(
            {
                **names,
                "agreement": [row.agreement for row in self.rows],
                "difference": [row.difference for row in self.rows],
            }
        )

    def as_json(self) -> dict[str, Any]:
        """Models, rows, what has the same values within a model, and what is unmatched."""
        return {
            "models": list(self.models),
            "rows": [vars(row) | {"layers": list(row.layers)} for row in self.rows],
            "same": {model: dict(same) for model, same in zip(self.models, self.same, strict=True)},
            "unmatched": {model: list(self.unmatched(model)) for model in self.models},
        }


@shows_progress
def align(*models: Any, images: Any = None, names: Sequence[str] = (), progress: Progress = silent) -> Alignment:
    """Match the layers of two or more models of one network, without their names.

    Two layers are one if their activations on the same images are, in any layout (channels first or last, unit axes,
    tokens or maps, flattened either way). Pairs are unique; they follow execution order (the heaviest such matching,
    Needleman and Wunsch 1970), but branches may run in another order. A convolution whose normalisation is fused into
    it on one side is the normalisation on the other. Beyond a fault, which changes all activations after it, the
    search goes on with the first model's activations put in place of the second's (`crosslens.alignment.matcher`).

    Args:
        models: `Model`s, or whatever `crosslens.wrap` takes: align(a, b), or in a list or by a name to show as the only
            argument, align([a, b]), as `crosslens.compare` takes them.
        images: probes, (N, C, H, W) float32 in [0, 1], or what a method takes, files for example; two photographs that
            come with scikit-image if not given.
        names: what to call the models; their files' or backends' names if not given.
        progress: called after each pair of models with (done, total, what); a bar in a notebook if not given.

    Raises:
        ComparisonError: fewer than two models, or models that take different images.
        ModelError: what is not a model.
        ImageError: no images are given and scikit-image is not installed.
    """
    several = models[0] if len(models) == 1 and not is_one_model(models[0]) else list(models)
    named = named_models(several, names)
    if len(named) < 2:
        raise ComparisonError(f"aligning takes two models or more; there is {len(named)}")
    refuse_different_inputs(named)
    return _alignment(named, images, progress)


def _alignment(named: Mapping[str, Model], images: Any, progress: Progress) -> Alignment:
    models = list(named.values())
    x = probes(models[0]) if images is None else image_batch(images, models[0], strict=False)
    table = _Table([list(model.layers) for model in models])
    for a, b in track(list(combinations(range(len(models)), 2)), progress, "aligning"):
        pair = ModelPair(models[a], models[b], x)
        table.add(a, b, pair, match_layers(pair))
    return table.alignment(tuple(named), models)


def alignment_of(names: tuple[str, ...], models: ModelPair, pairs: list[LayerPair]) -> Alignment:
    """The alignment of two models whose layers are matched already."""
    both = (models.a, models.b)
    table = _Table([list(model.layers) for model in both])
    table.add(0, 1, models, pairs)
    return table.alignment(names, both)


class _Table:
    """Rows under construction: the layer of each model by its index, and how well they agree."""

    def __init__(self, layers: list[list[str]]) -> None:
        self.order = [{name: n / len(names) for n, name in enumerate(names)} for names in layers]
        self.rows: list[dict[int, str]] = []
        self.agreements: dict[int, list[tuple[float, float]]] = {}
        self.values: dict[int, Mapping[str, Values]] = {}

    def add(self, a: int, b: int, models: ModelPair, pairs: list[LayerPair]) -> None:
        """The counterparts of two models, the ends too.

        Args:
            a, b: the index of either model.
            models: their activations.
            pairs: the layers that are counterparts.
        """
        self._join(a, b, {(pair.a, pair.b): models.layer_agreement(pair) for pair in pairs})
        self._join(a, b, {(INPUT, INPUT): (1.0, 0.0), (OUTPUT, OUTPUT): models.output_agreement()})
        self.values |= {a: models.of_a, b: models.of_b}

    def _join(self, a: int, b: int, pairs: Mapping[tuple[str, str], tuple[float, float]]) -> None:
        """Put each pair into one row, unless that would give the row two layers of one model."""
        for (one, other), agreement in pairs.items():
            first, second = self._row(a, one), self._row(b, other)
            if first is not second and first.keys() & second.keys():
                continue
            if first is not second:
                first |= second
                self.rows = [row for row in self.rows if row is not second]
                self.agreements.setdefault(id(first), []).extend(self.agreements.pop(id(second), []))
            self.agreements.setdefault(id(first), []).append(agreement)

    def _row(self, model: int, name: str) -> dict[int, str]:
        row = next((row for row in self.rows if row.get(model) == name), None)
        if row is None:
            self.rows.append(row := {model: name})
        return row

    def _aligned_layers(self) -> Iterator[AlignedLayer]:
        count = len(self.order)
        for row in sorted(self.rows, key=lambda row: max(self.order[m][name] for m, name in list(row.items())[:1])):
            if len(row) > 1:
                correlations, differences = zip(*self.agreements[id(row)], strict=True)
                yield AlignedLayer(tuple(row.get(m) for m in range(count)), min(correlations), max(differences))

    def alignment(self, names: tuple[str, ...], models: Sequence[Model]) -> Alignment:
        rows = tuple(self._aligned_layers())
        matched = [{row.layers[m] for row in rows if row.layers[m]} for m in range(len(models))]
        return Alignment(
            names,
            rows,
            tuple(tuple(model.layers) for model in models),
            tuple(_same(self.values[m], layers) for m, layers in enumerate(matched)),
            tuple({alias: layer.name for layer in m.layers.values() for alias in layer.aliases} for m in models),
        )


def _same(values: Mapping[str, Values], matched: set[str | None]) -> dict[str, str]:
    """Layers that are not matched, with the matched one that has the very same values."""
    groups: dict[str, list[str]] = {}
    duplicates = duplicate_layers(values)
    for name in values:
        groups.setdefault(duplicates.get(name, name), []).append(name)
    pairs = ((name, [n for n in group if n in matched]) for group in groups.values() for name in group)
    return {name: others[0] for name, others in pairs if others and name not in matched}
