"""The pair of layers at which two networks part, with all that hypotheses about the cause are tested on."""

from dataclasses import dataclass
from typing import Self

from .layer_family import layer_family
from .model_pair import LayerPair, ModelPair
from .similarity import Values, relative_l2

__all__ = ["Cause", "Suspect"]

EXPLAINED = 1e-4
"""A hypothesis holds if it brings the relative error below this, or to a hundredth of what it was."""


@dataclass(frozen=True)
class Cause:
    """What is wrong at a layer, as far as the numbers show it."""

    kind: str
    """preprocessing, pictures, resize, weights, transposed, channels, flatten, padding, epsilon, rectifier, float16,
    bfloat16, int8 or unknown."""
    text: str
    """In words, with the evidence."""
    layer: str
    """Where, as the first model calls it."""


@dataclass(frozen=True)
class Suspect:
    """A pair of layers that differ although no pair before it does, and the activations around it."""

    models: ModelPair
    pair: LayerPair
    layers_a: tuple[str, ...]
    """The first model's layers after the last pair before this one, up to and with this one's."""
    layers_b: tuple[str, ...]
    before: tuple[LayerPair, ...]
    """The pairs before it."""
    expected: Values
    """The first model's activation, in the second's layout."""
    actual: Values
    """The second model's, run with the first one's activations at the pairs before it."""

    @classmethod
    def at(cls, models: ModelPair, pairs: list[LayerPair], n: int) -> Self:
        """The n-th pair."""
        pair, before = pairs[n], pairs[:n]
        layers_a = _layers_since(list(models.of_a), pair.a, {p.a for p in before})
        layers_b = _layers_since(list(models.of_b), pair.b, {p.b for p in before})
        actual = models.run_b_from_a(before, [pair.b])[pair.b]
        return cls(models, pair, layers_a, layers_b, tuple(before), models.reference(pair), actual)

    @property
    def error(self) -> float:
        """Relative L2 difference of what the two networks compute from the same input."""
        return relative_l2(self.expected, self.actual)

    def is_explained_by(self, expected: Values, actual: Values) -> bool:
        """Whether the error is gone between these two, one of which a hypothesis has changed."""
        error = relative_l2(expected, actual)
        return error < EXPLAINED or error < self.error / 100

    def family(self, layer: str) -> str:
        """The family of one of the first model's layers."""
        return layer_family(self.models.a.layers[layer].kind)

    @property
    def window_layer(self) -> str | None:
        """The last convolution or pooling among the first model's layers; the pair may end in a normalisation."""
        names = [name for name in self.layers_a if self.family(name) in {"convolution", "pooling"}]
        return names[-1] if names else None


def _layers_since(order: list[str], layer: str, matched: set[str]) -> tuple[str, ...]:
    """The layers after the last matched one before `layer`, up to and with it."""
    index = order.index(layer)
    start = max((n + 1 for n in range(index) if order[n] in matched), default=0)
    return tuple(order[start : index + 1])
