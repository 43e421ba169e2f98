"""Regularisers of a synthesis that are not gradients of a function: applied between its steps, each from its paper.

Written "blur:0.5:4": the name, then the numbers in the order of the class's fields. Priors that are gradients (norms,
total variation) are objectives: subtract them from the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from ..arrays import Array, namespace
from ..errors import ParameterError, unknown_name
from ..operators import Blur, Resize, Size

__all__ = ["GREY", "REGULARISERS", "Regulariser", "normalise_bands", "read_regularisers"]

GREY = 0.5
"""What the papers call zero, their pictures having no mean."""


@dataclass(frozen=True)
class Regulariser:
    """Changes the gradient at the picture before a step, or the picture after it; by itself neither."""

    name: ClassVar[str]

    def gradient(self, gradient: Array) -> Array:
        """The gradient (N, C, H, W) to step along instead."""
        return gradient

    def due(self, step: int) -> bool:
        """Whether the picture changes after this many steps."""
        return False

    def picture(self, image: Array, gradient: Array) -> Array:
        """The picture (N, C, H, W) in [0, 1] to go on from; `gradient` is the objective's at the last step."""
        return image


@dataclass(frozen=True)
class Periodic(Regulariser):
    """A rule for the picture after every so many steps."""

    every: int = 1

    def due(self, step: int) -> bool:
        return step % self.every == 0


@dataclass(frozen=True)
class Decay(Regulariser):
    """x <- (1 - rate) x around grey: L2 decay (Yosinski et al. 2015, section 3)."""

    name = "decay"
    rate: float

    def due(self, step: int) -> bool:
        return True

    def picture(self, image: Array, gradient: Array) -> Array:
        return GREY + (1.0 - self.rate) * (image - GREY)


@dataclass(frozen=True)
class BlurPicture(Periodic):
    """A Gaussian blur of so many pixels every so many steps (Yosinski et al. 2015, section 3)."""

    name = "blur"
    deviation: float = 0.5
    every: int = 4

    def picture(self, image: Array, gradient: Array) -> Array:
        return Blur(self.deviation).apply(image)


@dataclass(frozen=True)
class Bilateral(Periodic):
    """x_p <- mean of x_q weighted by exp(-|p - q|^2 / 2 space^2 - |x_p - x_q|^2 / 2 range^2) (Tyka 2016)."""

    name = "bilateral"
    space: float = 1.0
    range: float = 0.2
    every: int = 4

    def picture(self, image: Array, gradient: Array) -> Array:
        """q within two deviations of p; beyond the border the border's pixels go on."""
        xp, reach = namespace(image), max(1, round(2 * self.space))
        total, weights = xp.zeros_like(image), xp.zeros_like(image[:, :1, ...])
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                other = _shift(_shift(image, dy, 2), dx, 3)
                distance = xp.sum((other - image) ** 2, axis=1, keepdims=True) / (2 * self.range**2)
                weight = xp.exp(-distance - (dy * dy + dx * dx) / (2 * self.space**2))
                total, weights = total + weight * other, weights + weight
        return total / weights


@dataclass(frozen=True)
class ClipNorm(Periodic):
    """Pixels whose norm over colours is below a percentile of the picture's become grey (Yosinski et al. 2015)."""

    name = "clip_norm"
    percent: float = 50.0
    every: int = 1

    def picture(self, image: Array, gradient: Array) -> Array:
        xp = namespace(image)
        return _grey_below_percentile(image, xp.sqrt(xp.sum((image - GREY) ** 2, axis=1, keepdims=True)), self.percent)


@dataclass(frozen=True)
class ClipContribution(Periodic):
    """Pixels of small |sum over colours of x dy/dx| become grey (Yosinski et al. 2015)."""

    name = "clip_contribution"
    percent: float = 90.0
    every: int = 1

    def picture(self, image: Array, gradient: Array) -> Array:
        xp = namespace(image)
        share = xp.abs(xp.sum((image - GREY) * gradient, axis=1, keepdims=True))
        return _grey_below_percentile(image, share, self.percent)


@dataclass(frozen=True)
class BlurGradient(Regulariser):
    """A Gaussian blur of the gradient (Oygard 2015, "Visualizing GoogLeNet classes")."""

    name = "blur_gradient"
    deviation: float = 1.0

    def gradient(self, gradient: Array) -> Array:
        return Blur(self.deviation).apply(gradient)


@dataclass(frozen=True)
class LaplacianGradient(Regulariser):
    """Each band of the gradient's Laplacian pyramid at deviation one (Mordvintsev 2015, the DeepDream notebook)."""

    name = "laplacian"
    levels: int = 4

    def gradient(self, gradient: Array) -> Array:
        return normalise_bands(gradient, self.levels)


REGULARISERS: Mapping[str, type[Regulariser]] = {
    kind.name: kind
    for kind in (Decay, BlurPicture, Bilateral, ClipNorm, ClipContribution, BlurGradient, LaplacianGradient)
}
"""The regularisers by name."""


def read_regularisers(written: Sequence[str | Regulariser]) -> tuple[Regulariser, ...]:
    """Regularisers as objects, from "name:number:number" or as they are.

    Raises:
        ParameterError: no such rule, or numbers that it does not take.
    """
    return tuple(rule if isinstance(rule, Regulariser) else _read_regulariser(rule) for rule in written)


def _read_regulariser(text: str) -> Regulariser:
    name, *numbers = text.split(":")
    if name not in REGULARISERS:
        raise ParameterError(unknown_name("rule", name, REGULARISERS))
    ordered = sorted(fields(REGULARISERS[name]), key=lambda field: field.name == "every")
    form = ":".join([name, *(field.name.upper() for field in ordered)])
    if len(numbers) > len(ordered):
        raise ParameterError(f"rule {text!r} has {len(numbers)} numbers; it is {form}")
    try:
        values = {
            field.name: int(number) if field.type in {int, "int"} else float(number)
            for field, number in zip(ordered, numbers, strict=False)
        }
        made = REGULARISERS[name](**values)
    except (ValueError, TypeError) as error:
        raise ParameterError(f"rule {text!r} cannot be read ({error}); it is {form}") from error
    if any(not value > 0 for value in vars(made).values()) or getattr(made, "percent", 0) >= 100:
        raise ParameterError(
            f"rule {text!r}: every number must be more than 0, a percentage less than 100; it is {form}"
        )
    return made


def normalise_bands(gradient: Array, levels: int) -> Array:
    """A gradient (N, C, H, W) whose Laplacian bands each have deviation one, so that none outweighs the others."""
    sizes: list[Size] = [(gradient.shape[-2], gradient.shape[-1])]
    bands = []
    for _ in range(levels):
        height, width = sizes[-1]
        if min(height, width) < 4:
            break
        sizes.append((height // 2, width // 2))
        coarse = Resize(sizes[-2], sizes[-1]).apply(gradient)
        bands.append(_unit(gradient - Resize(sizes[-1], sizes[-2]).apply(coarse)))
        gradient = coarse
    merged = _unit(gradient)
    for band, small, large in reversed(list(zip(bands, sizes[1:], sizes[:-1], strict=True))):
        merged = Resize(small, large).apply(merged) + band
    return merged


def _unit(band: Array) -> Array:
    xp = namespace(band)
    deviation = xp.sqrt(xp.mean(band * band, axis=(1, 2, 3), keepdims=True))
    return band / xp.where(deviation > 0, deviation, xp.ones_like(deviation))


def _shift(image: Array, by: int, axis: int) -> Array:
    xp, n = namespace(image), image.shape[axis]
    places = xp.clip(xp.arange(n, device=image.device) + by, 0, n - 1)
    return xp.take(image, places, axis=axis)


def _grey_below_percentile(image: Array, measure: Array, percent: float) -> Array:
    """Grey where `measure` (N, 1, H, W) is below its percentile in each picture."""
    xp = namespace(image)
    flat = xp.sort(xp.reshape(measure, (measure.shape[0], -1)), axis=1)
    limit = flat[:, int(percent / 100 * (flat.shape[1] - 1))][:, None, None, None]
    return xp.where(measure < limit, GREY + xp.zeros_like(image), image)
