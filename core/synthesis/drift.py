"""Drifts: directions without a value, which are added to the gradient of an objective at each step of an ascent.

    ascent = objective_weight d objective + at_picture, pulled back to the coordinates, + at_parameters

What learned priors know is such a direction: (denoise(x) - x) / sigma^2 is the gradient of the log-density of pictures
under noise (Alain and Bengio 2014, "What regularized auto-encoders learn from the data-generating distribution"), and
E(G(h)) - h the same of codes (Nguyen et al. 2017, "Plug & play generative networks", equation 11).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import ModelError, ParameterError
from ..model.base import OUTPUT, Model
from .generator.encoder import image_network
from .generator.generator_prior import Codes

__all__ = ["CodeDrift", "DenoiserDrift", "Drift", "check_direction", "denoiser"]

_NOISE = 1
"""Beside seed and step in the seed of a drift's noise: the random transforms are drawn from seed and step."""


class Drift:
    """A direction that an ascent follows beside an objective's gradient; override one of the two, or both.

    A direction depends on the picture, the parameters and the step alone, so that a run that is resumed goes on as if
    it had never stopped.
    """

    objective_weight: float = 1.0
    """What the objective's gradient counts beside the drift."""

    def at_picture(self, image: Array, step: int) -> Array | None:
        """The direction at pictures (N, C, H, W) in [0, 1], of their shape; None for none."""
        return None

    def at_parameters(self, parameters: Array, step: int) -> Array | None:
        """The direction at the coordinates, of their shape; None for none. `at_picture` was asked before.

        Args:
            parameters: those of the pictures, (N, ...): codes of a generator, the pixels or frequencies of a picture.
            step: from 0.
        """
        return None

    def networks(self) -> Mapping[str, str]:
        """The digests of the networks that it uses, by what each is: results record them, and a run goes on only with
        the same.
        """
        return {}


@dataclass
class LangevinDrift(Drift):
    """The noise of a Langevin step, N(0, deviation^2), drawn from seed and step alone."""

    objective_weight: float = 1.0
    deviation: float = 0.0
    seed: int = 0

    def noise(self, parameters: Array, step: int) -> Array | None:
        """Of the shape of the parameters, the same on every backend; None where the deviation is 0."""
        if not self.deviation:
            return None
        rng = np.random.default_rng([self.seed, step, _NOISE])
        return like(self.deviation * rng.standard_normal(tuple(parameters.shape)), parameters)

    def at_parameters(self, parameters: Array, step: int) -> Array | None:
        return self.noise(parameters, step)


@dataclass
class CodeDrift(LangevinDrift):
    """weight (E(G(h)) - h) + noise: how far a generator's code is from that of its own picture (PPGN)."""

    codes: Codes | None = None
    weight: float = 1e-5

    def at_parameters(self, parameters: Array, step: int) -> Array:
        assert self.codes is not None
        assert self.codes.encoder is not None
        assert self.codes.latest is not None
        own = like(self.codes.encoder.codes(self.codes.latest.picture), parameters)
        direction = self.weight * (own - parameters)
        noise = self.noise(parameters, step)
        return direction if noise is None else direction + noise


@dataclass
class DenoiserDrift(LangevinDrift):
    """weight (denoise(x) - x) / sigma^2 at the picture, and noise at the coordinates."""

    model: Model | None = None
    sigma: float = 0.1
    """Deviation of the noise that the denoiser was trained to remove, of pictures in [0, 1]."""
    weight: float = 1.0
    _checked: bool = field(default=False, repr=False)

    def at_picture(self, image: Array, step: int) -> Array:
        assert self.model is not None
        spec = self.model.input
        if not self._checked:
            _refuse_other_pictures(self.model, tuple(image.shape[1:]))
        made = spec.to_unit(self.model.forward(spec.from_unit(image))[OUTPUT])
        if not self._checked:
            _refuse_other_output(made, image)
            self._checked = True
        return (like(made, image) - image) * (self.weight / self.sigma**2)

    def networks(self) -> Mapping[str, str]:
        assert self.model is not None
        return {"denoiser": self.model.digest}


def denoiser(network: Any) -> Model:
    """A network that makes pictures of pictures, as a denoiser.

    Args:
        network: a `Model`, or what `crosslens.wrap` takes. Its output lies in the same bounds as its input.

    Raises:
        ModelError: it takes no pictures, or makes none.
    """
    model = image_network(network, "a denoiser")
    out = model.layers[OUTPUT].shape
    if len(out) != 4:
        raise ModelError(f"a denoiser makes pictures (N, C, H, W) of pictures; this network gives {out}")
    return model


def _refuse_other_pictures(model: Model, shape: tuple[int, ...]) -> None:
    """Refuse pictures that a denoiser does not take.

    Raises:
        ModelError: with both shapes.
    """
    if not model.input.takes_shape((1, *shape)):
        raise ModelError(
            f"the denoiser takes pictures {model.input.shape}, and these are {shape}: resizing would change the noise. "
            "Give a denoiser for pictures like these, or of any size, or make pictures of its size with size"
        )


def _refuse_other_output(made: Array, image: Array) -> None:
    """Refuse what is no denoised picture.

    Raises:
        ModelError: another size or other channels, or NaN.
    """
    if tuple(made.shape) != tuple(image.shape):
        raise ModelError(
            f"a denoiser keeps the size of its pictures; this one makes {tuple(made.shape[1:])} of "
            f"{tuple(image.shape[1:])}"
        )
    if not np.isfinite(as_numpy(made)).all():
        raise ModelError("the denoiser gives NaN or infinite pixels: look at its weights, and at its preprocessing")


def check_direction(drift: Drift, where: str, direction: Array, at: Array) -> Array:
    """A drift's direction as an array like `at`.

    Args:
        drift: whose direction it is.
        where: the name of its method.
        direction: what the method gave.
        at: what it was given.

    Raises:
        ParameterError: another shape, or NaN.
    """
    name = type(drift).__name__
    direction = like(direction, at)
    if tuple(direction.shape) != tuple(at.shape):
        raise ParameterError(
            f"{name}.{where} gives a direction {tuple(direction.shape)}; it must have the shape {tuple(at.shape)}"
        )
    if not bool(namespace(direction).all(namespace(direction).isfinite(direction))):
        raise ModelError(f"{name}.{where} gives NaN or infinite numbers: look at the prior's networks")
    return direction
