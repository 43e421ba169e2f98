"""FullGrad (Srinivas and Fleuret, 2019, https://arxiv.org/abs/1905.00780)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace, upsample
from crosslens.errors import ModelError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import unit_range
from crosslens.method.preset import Preset
from crosslens.model import INPUT, OUTPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._bias_shares import TOLERANCE, bias_shares

SCALED = ("layer", "channel")


@dataclass(frozen=True, kw_only=True)
class FullGrad(Method):
    """Gradients of the input and of all biases, added up.

    Where the input counts and where each layer's biases count, all layers added up in the image's resolution.

    A network of linear layers and rectifiers is f(x) = <df/dx, x> + sum_l <df/db_l, b_l> exactly (proposition 1), x
    being what the network sees after its preprocessing and b the biases, those of normalisations and of clipped ReLUs
    among them. The map is psi(df/dx x) + sum over layers with maps and over channels of psi(df/db b) (section 4), where
    psi takes the magnitude, scales it to [0, 1] over each layer, as the authors' code does, and enlarges it bilinearly.

    The decomposition is checked at each call; a network of which it does not hold (another activation, biases that
    `Model.weights` does not reach) is refused.
    """

    name = "full_grad"
    aliases: ClassVar[Mapping[str, str]] = {
        "full_gradient": "",
        "full_gradients": "",
    }
    volumes = True
    needs_rectifier = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset(
            {"scaled": "channel", "epsilon": 1e-7, "ceilings": False},
            (unit_range(1e-7),),
            doc="bug: each channel is scaled for itself, so that weak ones count as much as strong ones",
        ),
    }
    scaled: str = param("layer", "what psi scales to [0, 1]: a layer, or each channel for itself", choices=SCALED)
    epsilon: float = param(0.0, "added to the largest magnitude, by which psi divides", minimum=0)
    ceilings: bool = param(True, "count what clipped ReLUs cut off, which the decomposition needs")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, H, W) of the image's size, nowhere negative; (N, D, H, W) of volumes."""
        inner = [name for name in model.layers if name not in {INPUT, OUTPUT}]
        pull, scores = pullback(model, images, objective, wrt=[INPUT, *inner], capture=inner)
        shares = {INPUT: pull.gradients[INPUT] * _preprocessed(model, images), **bias_shares(model, inner, pull)}
        _check_complete(shares, scores)
        counted = [
            s for name, s in shares.items() if s.ndim == images.ndim and (self.ceilings or _has_weights(model, name))
        ]
        maps = [self._psi(share, tuple(images.shape[2:])) for share in counted]
        return Attribution(sum(maps[1:], maps[0]), scores=scores)

    def _psi(self, share: Array, size: tuple[int, ...]) -> Array:
        """|share| scaled to [0, 1], added over channels, enlarged (the order is as good): (N, *size)."""
        xp, axes = namespace(share), tuple(range(1 if self.scaled == "layer" else 2, share.ndim))
        values = xp.abs(share)
        above = values - xp.min(values, axis=axes, keepdims=True)
        high = xp.max(above, axis=axes, keepdims=True) + self.epsilon
        return upsample(xp.sum(above / xp.where(high > 0, high, xp.ones_like(high)), axis=1), size)


def _has_weights(model: Model, layer: str) -> bool:
    """Whether a layer's share is of its own weights, or of the input; else it is of a ceiling."""
    return layer == INPUT or bool(model.weights(layer))


def _preprocessed(model: Model, images: Array) -> Array:
    """The preprocessed image in the unit of the given one: gradient times this is what it is inside the network."""
    gain, offset = model.preprocess.affine(images.shape[1])
    shift = (offset / gain)[::-1] if model.preprocess.reverses else offset / gain
    return images + like(np.reshape(shift, (1, -1, *[1] * (images.ndim - 2))), images)


def _check_complete(shares: Mapping[str, Array], scores: Array) -> None:
    """The shares must add up to the target.

    Raises:
        ModelError: they do not, so biases are out of reach or the network is not piecewise linear.
    """
    xp = namespace(scores)
    sums = xp.stack([xp.sum(share, axis=tuple(range(1, share.ndim))) for share in shares.values()])
    gap, scale = xp.abs(xp.sum(sums, axis=0) - scores), xp.sum(xp.abs(sums), axis=0)
    worst = int(xp.argmax(gap - TOLERANCE * scale))
    if float(gap[worst]) > TOLERANCE * float(scale[worst]):
        raise ModelError(
            f"input and biases add up to {float(xp.sum(sums[:, worst])):.6g}, the target is {float(scores[worst]):.6g}:"
            " FullGrad needs a network of linear layers and rectifiers whose biases are all in reach (model.weights), "
            "and a target before any softmax; use integrated_gradients, whose values are complete on any network"
        )


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FullGrad]
