"""A network that makes pictures of codes as the coordinates of a synthesis (Nguyen et al. 2016, "Synthesizing the
preferred inputs for neurons in neural networks via deep generator networks").
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import ModelError, ParameterError
from ...model.base import INPUT, OUTPUT, InputSpec, Model
from ...operators import VJP, Clip, Differentiable, Grey, Identity, Operator, Resize, Size
from ...plugins.wrap import wrap
from ..parameterisation import Parameterisation
from .code_range import CodeRange, code_range
from .encoder import Encoder

__all__ = ["Codes", "Generated", "LatestPicture", "generator"]


@dataclass(frozen=True)
class Generated(Differentiable):
    """Codes (N, *shape) to what a network makes of them; the gradient goes back through the network."""

    model: Model

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The network's output, and the gradient's way back to the codes."""
        at = self.model.linearize(x, [OUTPUT])
        return at.activations[OUTPUT], lambda dy: at.vjp({OUTPUT: dy})[INPUT]

    def apply(self, x: Array) -> Array:
        """The network's output."""
        return self.model.forward(x)[OUTPUT]


class LatestPicture(Identity):
    """The identity, which keeps what went through it last: the generator's own picture, for an encoder to see."""

    picture: Array = None
    """(N, C, h, w) in [0, 1]."""

    def apply(self, x: Array) -> Array:
        """`x` itself."""
        self.picture = x
        return x


@dataclass(frozen=True)
class Codes(Parameterisation):
    """Codes to pictures; the way back is the encoder's, if there is one."""

    model: Model | None = None
    """The generator."""
    range: CodeRange | None = None
    encoder: Encoder | None = None
    latest: LatestPicture | None = None

    def noise(self, count: int, rng: "np.random.Generator") -> np.ndarray[Any, Any]:
        """Codes of `count` pictures, within the range; the same on every backend."""
        assert self.range is not None
        return self.range.noise(count, self.shape, rng)

    def of(self, images: Array) -> Array:
        """The images' codes, within the range.

        Raises:
            ParameterError: without an encoder.
        """
        if self.encoder is None or self.range is None:
            raise ParameterError(
                "a generator's pictures start from random codes, not from images: leave one of them out, or give an "
                "encoder and its code_layer, which make the images' codes"
            )
        return self.range.clip(self.encoder.codes(images))


def generator(
    network: Any,
    bound: float,
    size: Size,
    channels: int,
    *,
    given_range: Any = None,
    encoder: Encoder | None = None,
) -> Codes:
    """Pictures as a generator's codes, which keep a range.

    Args:
        network: any model with a latent input whose output is pictures, (N, C, h, w) in [0, 1] or in [-1, 1]: which of
            them shows in what it makes of noise. A `Model`, or what `crosslens.wrap` takes.
        bound: deviations that each number of a code may be off its mean; the papers take three.
        size, channels: of the pictures that are wanted; the generator's are resized, and its colours made grey.
        given_range: as `crosslens.synthesis.generator.code_range.code_range` takes it.
        encoder: makes codes of pictures, where codes are activations of its layer.

    Raises:
        ModelError: it takes pictures itself, codes of another shape than the encoder's, or makes no pictures of so many
            channels, or of another range, or NaN.
        ParameterError: the bound is not more than 0, or another range than there are.
    """
    model = _latent_network(network, encoder)
    shape = tuple(n or 1 for n in model.input.shape)
    if encoder is not None and encoder.shape != shape:
        raise ModelError(
            f"the generator takes codes {shape}, and layer {encoder.layer!r} of the encoder gives {encoder.shape}; "
            "give the code_layer that the generator was trained on"
        )
    codes = code_range(given_range, bound, shape, encoder)
    made = as_numpy(model.forward(codes.noise(4, shape, np.random.default_rng(0)))[OUTPUT])
    fit = _fit(made, size, channels)
    latest = LatestPicture()
    image = Generated(model) >> _unit_range(made) >> latest >> fit
    view = Grey() if made.shape[1] != channels else Identity()
    return Codes(image, shape, 1.0, 0, (codes.low, codes.high), view, model, codes, encoder, latest)


def _latent_network(network: Any, encoder: Encoder | None) -> Model:
    """A network as one that takes codes: of the shape of the encoder's, where a file does not say that it takes any.

    Raises:
        ModelError: it takes pictures.
    """
    latent = {} if encoder is None or isinstance(network, Model) or _is_demo(network) else _as_codes(encoder.shape)
    try:
        model = wrap(network, **latent)
    except ModelError as error:
        if encoder is None or not latent:
            raise
        raise ModelError(
            f"the generator does not take codes {encoder.shape}, which layer {encoder.layer!r} of the encoder gives "
            f"({error}); give the code_layer that it was trained on"
        ) from error
    if model.input.is_image:
        raise ModelError(f"a generator takes codes; this one takes pictures {model.input.shape}: give one with a code")
    return model


def _is_demo(network: Any) -> bool:
    return isinstance(network, str) and network.startswith("demo:")


def _as_codes(shape: tuple[int, ...]) -> dict[str, Any]:
    return {"preprocess": None, "input_shape": InputSpec.latent(shape)}


def _fit(made: np.ndarray[Any, Any], size: Size, channels: int) -> Operator:
    """From the generator's pictures to those that are wanted.

    Raises:
        ModelError: it makes no pictures, pictures with other channels, or NaN.
    """
    if made.ndim != 4 or made.shape[1] not in {channels, 3 if channels == 1 else channels}:
        raise ModelError(
            f"a generator makes pictures (N, {channels}, h, w); this one gives {made.shape[1:]} for a code"
        )
    if not np.isfinite(made).all():
        raise ModelError("the generator gives NaN or infinite pixels for codes of its range: look at its weights")
    own = (made.shape[2], made.shape[3])
    return Identity() if own == tuple(size) else Resize(own, size)


def _unit_range(made: np.ndarray[Any, Any]) -> Differentiable:
    """To [0, 1] from the range in which these pictures lie.

    Raises:
        ModelError: it is neither [0, 1] nor [-1, 1].
    """
    low, high = float(made.min()), float(made.max())
    if low < -1.001 or high > 1.001:
        raise ModelError(f"a generator's pictures lie in [0, 1] or [-1, 1]; these reach from {low:.3g} to {high:.3g}")
    return Clip(gain=0.5, offset=0.5) if low < -1e-3 else Clip()
