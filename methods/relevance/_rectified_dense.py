"""Dense layers with a rectifier behind them, which all of a target goes through."""

from dataclasses import dataclass

from crosslens.arrays import Array, as_numpy
from crosslens.introspection.target_maps import sample_images
from crosslens.model import INPUT, Model
from crosslens.relevance import LinearMap, linear_maps
from crosslens.relevance.layer_facts import LayerFacts
from crosslens.relevance.linear_map import Values

__all__ = ["RectifiedDense", "rectified_dense_layers"]


@dataclass(frozen=True, eq=False)
class RectifiedDense:
    """A dense layer and the rectifier behind it."""

    name: str
    reads: str
    rectifier: str
    """The layer that holds f(z)."""
    kernel: Values
    """(out, in), a normalisation between the two folded in."""
    bias: Values
    """(out,)"""


def rectified_dense_layers(
    model: Model, ends: list[str], layer: str
) -> tuple[tuple[RectifiedDense, ...], tuple[str, ...]]:
    """Those between a layer and a target, in execution order, and the other layers with kernels.

    Args:
        model: the network; an image of noise goes through it.
        ends: the layers that the target reads.
        layer: from which all of the target must come through them.
    """
    facts, image = LayerFacts.of(model), sample_images(model, 2)
    goal = layer if layer == INPUT else model.layer(layer).name
    units, others = [], []
    for linear in linear_maps(model, ends):
        unit = _unit_of(facts, linear, image)
        if unit is not None and _is_between(facts, unit, goal, ends):
            units.append(unit)
        else:
            others.append(linear.layer)
    return tuple(units), tuple(others)


def _unit_of(facts: LayerFacts, linear: LinearMap, image: Array) -> RectifiedDense | None:
    """The dense layer with its rectifier, if it is one and alone reads one; found out by what the layers hold."""
    if linear.is_convolution or len(linear.reads) != 1:
        return None
    (read,) = linear.reads
    candidates = (*facts.readers(linear.end)[:1], linear.end)
    values = facts.model.forward(image, list(dict.fromkeys((read, *candidates))))
    x = as_numpy(values[read]).reshape(len(image), -1)
    if x.shape[1] != linear.kernel.shape[1]:
        return None
    bias = linear.bias if linear.bias is not None else 0 * linear.kernel[:, 0]
    z = x @ linear.kernel.T + bias
    held = [name for name in candidates if _is_close(as_numpy(values[name]), z.clip(min=0))]
    if z.min() >= 0:  # a rectifier changes nothing here
        held = [name for name in held if "relu" in facts.model.layers[name].kind.lower()]
    return RectifiedDense(linear.layer, read, held[0], linear.kernel, bias) if held else None


def _is_close(values: Values, expected: Values) -> bool:
    return values.shape == expected.shape and bool(abs(values - expected).max() <= 1e-4 * max(expected.max(), 1e-30))


def _is_between(facts: LayerFacts, unit: RectifiedDense, goal: str, ends: list[str]) -> bool:
    """Whether all of the target that depends on the image, or on the layer `goal`, comes through the unit."""
    ways = _behind(facts, ends), _behind(facts, ends, without=unit.rectifier)
    return unit.rectifier in ways[0] and goal not in ways[1] and goal in _behind(facts, [unit.reads])


def _behind(facts: LayerFacts, ends: list[str], without: str = "") -> set[str]:
    """The layers that some are computed from, themselves included, with one layer taken out."""
    found: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in found and name != without:
            found.add(name)
            waiting += facts.reads(name)
    return found
