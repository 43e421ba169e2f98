"""Two models on the same images: all activations, and the second run again with activations of the first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..arrays import Array, as_numpy
from ..model.base import INPUT, OUTPUT, Model
from .similarity import Values, in_layout, pearson, relative_l2

__all__ = ["LayerPair", "ModelPair", "activations_of"]


class LayerPair(NamedTuple):
    """A layer of either model that are counterparts, and the layout in which their activations agree."""

    a: str
    b: str
    layout: str
    """Of `crosslens.alignment.similarity.similarities`."""


@dataclass
class ModelPair:
    """Two models, and their activations of the same images; the first is the reference."""

    a: Model
    b: Model
    x: Array
    """The images, (N, C, H, W)."""
    of_a: dict[str, Values] = field(init=False)
    """The first model's activations by layer, in execution order."""
    of_b: dict[str, Values] = field(init=False)

    def __post_init__(self) -> None:
        self.of_a, self.of_b = activations_of(self.a, self.x), activations_of(self.b, self.x)
        self.outputs = tuple(as_numpy(m.forward(self.x)[OUTPUT]) for m in (self.a, self.b))

    def reference(self, pair: LayerPair) -> Values:
        """The first model's activation at a pair, laid out as the second's."""
        layers = list(self.of_a.values())
        return in_layout(layers, list(self.of_a).index(pair.a), pair.layout, self.of_b[pair.b])

    def run_b_from_a(self, pairs: Iterable[LayerPair], capture: Iterable[str]) -> dict[str, Values]:
        """The second model's activations of the layers in `capture`, with the first one's put in at `pairs`."""
        replace = {pair.b: self.reference(pair) for pair in pairs}
        activations = self.b.forward(self.x, list(capture), replace=replace)
        return {name: as_numpy(values) for name, values in activations.items()}

    def output_agreement(self) -> tuple[float, float]:
        """(correlation, relative L2 difference) of the outputs; (0, infinite) where their shapes differ."""
        first, second = self.outputs
        return _agreement(first, second) if first.shape == second.shape else (0.0, float("inf"))

    def layer_agreement(self, pair: LayerPair, values: Values | None = None) -> tuple[float, float]:
        """(correlation, relative L2 difference) of a pair; with `values` in place of the second model's if given."""
        return _agreement(self.reference(pair), self.of_b[pair.b] if values is None else values)

    def layer_error(self, pair: LayerPair, values: Values) -> float:
        """Relative L2 difference of the first model's activation at a pair and `values`."""
        return relative_l2(self.reference(pair), values)


def activations_of(model: Model, x: Array) -> dict[str, Values]:
    """Activations of all layers but `INPUT` and `OUTPUT` that have one row for each image, in execution order."""
    names = [name for name in model.layers if name not in {INPUT, OUTPUT}]
    activations = model.forward(x, names)
    return {name: v for name in names if (v := as_numpy(activations[name])).ndim > 1 and len(v) == len(x)}


def _agreement(a: Values, b: Values) -> tuple[float, float]:
    return pearson(a, b), relative_l2(a, b)
