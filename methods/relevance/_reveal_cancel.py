"""RevealCancel at dense layers with a rectifier behind them (Shrikumar et al. 2017, section 3.5.2).

A dense layer's pre-activation differs from the reference's, z', by positive contributions p, the sum of those
w_i (x_i - x'_i) that are above 0, and by negative ones n. What the rectifier f makes of each is the mean over both
orders,

    up   = (f(z' + p) - f(z') + f(z' + n + p) - f(z' + n)) / 2
    down = (f(z' + n) - f(z') + f(z' + p + n) - f(z' + p)) / 2,

and inputs with positive contributions have the multiplier w_i up / p, those with negative ones w_i down / n, those that
do not differ the mean of the two.
"""

from dataclasses import dataclass

from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.errors import LayerError
from crosslens.introspection.target_maps import sample_images
from crosslens.model import INPUT, Model, Pullback
from crosslens.objective import Objective
from crosslens.relevance import LinearMap, linear_maps
from crosslens.relevance.layer_facts import LayerFacts
from crosslens.relevance.linear_map import Values

from ._pairs import Pairs, secant_of, through_pairs

__all__ = ["RevealCancel"]

_CLOSE = 1e-10
"""Contributions below it have the slope for a secant, as elsewhere."""


@dataclass(frozen=True, eq=False)
class _Unit:
    """A dense layer and the rectifier behind it."""

    name: str
    reads: str
    rectifier: str
    """The layer that holds f(z)."""
    kernel: Array
    """(out, in), a normalisation between the two folded in."""
    bias: Array
    """(out,)"""

    def pulled_back(self, dy: Array, x: Array, reference: Array) -> Array:
        """From the multipliers of f(z), (n, out), to those of x, (n, in)."""
        xp = namespace(x)
        kernel, change = like(self.kernel, x), x - reference
        zero = xp.zeros_like(change)
        above, below = xp.where(kernel > 0, kernel, 0 * kernel), xp.where(kernel < 0, kernel, 0 * kernel)
        more, less = xp.where(change > 0, change, zero), xp.where(change < 0, change, zero)
        z = _dense(reference, kernel) + like(self.bias, x)
        p, n = _dense(more, above) + _dense(less, below), _dense(more, below) + _dense(less, above)
        up, down = dy * _slope(z, p, n), dy * _slope(z, n, p)
        of_more, of_less = up @ above + down @ below, up @ below + down @ above
        return xp.where(change > 0, of_more, xp.where(change < 0, of_less, (of_more + of_less) / 2))


@dataclass(frozen=True, eq=False)
class RevealCancel:
    """Multipliers as `through_pairs` gives them, by this rule at the dense layers of `units`, the topmost first."""

    model: Model
    units: tuple[_Unit, ...]
    others: tuple[str, ...]
    """The other layers with kernels."""

    @classmethod
    def of(cls, model: Model, objective: Objective, layer: str) -> "RevealCancel":
        """Where the rule applies between a layer and a target.

        Raises:
            LayerError: nowhere.
        """
        ends = [model.layer(name).name for name in objective.layers if name != INPUT]
        facts, image = LayerFacts.of(model), sample_images(model, 2)
        goal = layer if layer == INPUT else model.layer(layer).name
        units, others = [], []
        for linear in linear_maps(model, ends):
            unit = _unit_of(facts, linear, image)
            if unit is not None and _is_between(facts, unit, goal, ends):
                units.append(unit)
            else:
                others.append(linear.layer)
        if not units:
            raise LayerError(
                "no dense layer between the image and the target has a rectifier behind it and all of the target "
                "through it, so rule='reveal_cancel' has nothing to work on; rule='rescale' takes any network"
            )
        return cls(secant_of(model), tuple(reversed(units)), tuple(others))

    @property
    def note(self) -> str:
        """Where the rule was used."""
        names = ", ".join(repr(unit.name) for unit in reversed(self.units))
        rest = ", ".join(map(repr, self.others))
        return f"reveal_cancel at {names}" + (f"; rescale behind {rest}" if rest else "")

    def __call__(self, pairs: Pairs, objective: Objective, layer: str) -> tuple[Pullback, Array]:
        """The multipliers at a layer, its activations, and the target of images and references."""
        first, half = self.units[0], pairs.half
        read = (*(unit.reads for unit in self.units), layer)
        pull, target = through_pairs(self.model, pairs, objective, first.rectifier, capture=read)
        values, gradients = pull.activations, pull.gradients
        stops = [*(unit.rectifier for unit in self.units[1:]), layer]
        for unit, stop in zip(self.units, stops, strict=True):
            x = values[unit.reads]
            flat = namespace(x).reshape(x, (x.shape[0], -1))
            dy = gradients[unit.rectifier][:half, ...]
            dx = namespace(x).reshape(unit.pulled_back(dy, flat[:half, :], flat[half:, :]), (half, *x.shape[1:]))
            both = namespace(x).concat([dx, namespace(x).zeros_like(dx)], axis=0)
            gradients = self.model.vjp(pairs.batch, {unit.reads: both}, wrt=[stop]).gradients
        return Pullback(gradients, values), target


def _unit_of(facts: LayerFacts, linear: LinearMap, image: Array) -> _Unit | None:
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
    return _Unit(linear.layer, read, held[0], linear.kernel, bias) if held else None


def _is_close(values: Values, expected: Values) -> bool:
    return values.shape == expected.shape and bool(abs(values - expected).max() <= 1e-4 * max(expected.max(), 1e-30))


def _is_between(facts: LayerFacts, unit: _Unit, goal: str, ends: list[str]) -> bool:
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


def _dense(x: Array, kernel: Array) -> Array:
    return x @ namespace(x).matrix_transpose(kernel)


def _slope(z: Array, own: Array, other: Array) -> Array:
    """What the rectifier makes of contributions `own` at z, over them; the mean of before and after the others."""
    xp = namespace(z)
    close = xp.abs(own) < _CLOSE
    made = (_rectified(z + own) - _rectified(z) + _rectified(z + other + own) - _rectified(z + other)) / 2
    slope = (xp.astype(z > 0, z.dtype) + xp.astype(z + other > 0, z.dtype)) / 2
    return xp.where(close, slope, made / xp.where(close, xp.ones_like(own), own))


def _rectified(z: Array) -> Array:
    return namespace(z).where(z > 0, z, namespace(z).zeros_like(z))
