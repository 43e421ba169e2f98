"""A network that makes pictures of codes as the coordinates of a synthesis (Nguyen et al. 2016, "Synthesizing the
preferred inputs for neurons in neural networks via deep generator networks").
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ModelError, ParameterError
from ..model.base import INPUT, OUTPUT, Model
from ..operators import VJP, Clip, Differentiable, Resize, Size
from ..plugins.wrap import wrap
from .parameterisation import Parameterisation

__all__ = ["Codes", "Generated", "generator"]


@dataclass(frozen=True)
class Generated(Differentiable):
    """Codes (N, *shape) to what a network makes of them; the gradient goes back through the network."""

    model: Model

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The network's output, and the gradient's way back to the codes."""
        made = self.model.forward(x)[OUTPUT]
        return made, lambda dy: self.model.vjp(x, {OUTPUT: dy}).gradients[INPUT]


@dataclass(frozen=True)
class Codes(Parameterisation):
    """Codes to pictures, and no way back."""

    def of(self, images: Array) -> Array:
        """No code is known for an image.

        Raises:
            ParameterError: always.
        """
        raise ParameterError("a generator's pictures start from random codes, not from images: leave one of them out")


def generator(network: Any, bound: float, size: Size, channels: int) -> Parameterisation:
    """Pictures as a generator's codes, each number of which stays within -bound to bound.

    Args:
        network: any model with a latent input whose output is pictures, (N, C, h, w) in [0, 1] or in [-1, 1]: which of
            them shows in what it makes of noise. A `Model`, or what `crosslens.wrap` takes.
        bound: the paper clips codes to three deviations.
        size, channels: of the pictures that are wanted; the generator's are resized.

    Raises:
        ModelError: it takes pictures itself, or makes no pictures of so many channels, or of another range.
        ParameterError: the bound is not more than 0.
    """
    model = wrap(network)
    if not bound > 0:
        raise ParameterError(f"code_bound is {bound}; it must be more than 0")
    if model.input.is_image:
        raise ModelError(f"a generator takes codes; this one takes pictures {model.input.shape}: give one with a code")
    shape = tuple(n or 1 for n in model.input.shape)
    made = as_numpy(model.forward(np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32))[OUTPUT])
    if made.ndim != 4 or made.shape[1] != channels:
        raise ModelError(
            f"a generator makes pictures (N, {channels}, h, w); this one gives {made.shape[1:]} for a code"
        )
    low, high = float(made.min()), float(made.max())
    if low < -1.001 or high > 1.001:
        raise ModelError(f"a generator's pictures lie in [0, 1] or [-1, 1]; these reach from {low:.3g} to {high:.3g}")
    unit = Clip(gain=0.5, offset=0.5) if low < -1e-3 else Clip()
    image = Generated(model) >> unit >> Resize((made.shape[2], made.shape[3]), size)
    return Codes(image, shape, 1.0, bounds=(-float(bound), float(bound)))
