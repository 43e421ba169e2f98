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

from crosslens.arrays import Array, like, namespace
from crosslens.errors import LayerError
from crosslens.model import INPUT, Model, Pullback
from crosslens.objective import Objective

from ._pairs import Pairs, secant_of, through_pairs
from ._prepared import prepared
from ._rectified_dense import RectifiedDense, rectified_dense_layers

__all__ = ["RevealCancel"]

_CLOSE = 1e-10
"""Contributions below it have the slope for a secant, as elsewhere."""


@dataclass(frozen=True, eq=False)
class RevealCancel:
    """Multipliers as `through_pairs` gives them, by this rule at the dense layers of `units`, the topmost first."""

    model: Model
    units: tuple[RectifiedDense, ...]
    others: tuple[str, ...]
    """The other layers with kernels."""

    @classmethod
    def of(cls, model: Model, objective: Objective, layer: str) -> "RevealCancel":
        """Where the rule applies between a layer and a target.

        Raises:
            LayerError: nowhere.
        """
        ends = sorted(model.layer(name).name for name in objective.layers if name != INPUT)
        key = "dense layers", tuple(ends), layer
        units, others = prepared(model, key, lambda: rectified_dense_layers(model, ends, layer))
        if not units:
            raise LayerError(
                "no dense layer between the image and the target has a rectifier behind it and all of the target "
                "through it, so rule='reveal_cancel' has nothing to work on; rule='rescale' takes any network"
            )
        return cls(secant_of(model), units[::-1], others)

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
            dx = namespace(x).reshape(_pulled_back(unit, dy, flat[:half, :], flat[half:, :]), (half, *x.shape[1:]))
            both = namespace(x).concat([dx, namespace(x).zeros_like(dx)], axis=0)
            gradients = self.model.vjp(pairs.batch, {unit.reads: both}, wrt=[stop]).gradients
        return Pullback(gradients, values), target


def _pulled_back(unit: RectifiedDense, dy: Array, x: Array, reference: Array) -> Array:
    """From the multipliers of f(z), (n, out), to those of x, (n, in)."""
    xp = namespace(x)
    kernel, change = like(unit.kernel, x), x - reference
    zero = xp.zeros_like(change)
    above, below = xp.where(kernel > 0, kernel, 0 * kernel), xp.where(kernel < 0, kernel, 0 * kernel)
    more, less = xp.where(change > 0, change, zero), xp.where(change < 0, change, zero)
    z = _dense(reference, kernel) + like(unit.bias, x)
    p, n = _dense(more, above) + _dense(less, below), _dense(more, below) + _dense(less, above)
    up, down = dy * _slope(z, p, n), dy * _slope(z, n, p)
    of_more, of_less = up @ above + down @ below, up @ below + down @ above
    return xp.where(change > 0, of_more, xp.where(change < 0, of_less, (of_more + of_less) / 2))


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
