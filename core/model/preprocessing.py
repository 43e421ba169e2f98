"""Preprocessing: from an image to what a network was trained on. One affine map per channel, whatever the places.

It belongs to the model: every backend applies `gain * x[:, order] + offset` inside, so that a step size, an occluder's
grey or an adversarial radius means the same on every backend, and its adjoint is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ParameterError, unknown_name

__all__ = ["PRESETS", "Preprocess", "preprocessing"]


@dataclass(frozen=True)
class Preprocess:
    """y[c] = (scale * x[order[c]] - mean[c]) / std[c] for a channels-first image or volume x, its values as given.

    `mean` and `std` stand in the network's channel order and unit, one number per channel or one for all.
    `order` is "RGB", "BGR" or "L": grey by the luma weights of ITU-R BT.601 is the loader's work, so "L" keeps x.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: str = "RGB"
    preset: str = field(default="", compare=False, repr=False)
    """Its name among `PRESETS`, for messages."""

    def __post_init__(self) -> None:
        if self.order not in {"RGB", "BGR", "L"}:
            raise ParameterError(f"preprocess order is {self.order!r}; it can be 'RGB', 'BGR' or 'L'")
        if any(s == 0 or not np.isfinite(s) for s in self.std):
            raise ParameterError(f"preprocess std is {self.std}; each number must be finite and not zero")

    def affine(self, channels: int) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
        """(gain, offset), float32 of shape (channels,): y = gain * x[:, order] + offset."""
        mean, std = (np.array(v, np.float64) for v in (self.mean, self.std))
        for name, v in (("mean", mean), ("std", std)):
            if v.size not in {1, channels}:
                raise ParameterError(_for_other_channels(self, name, v.size, channels))
        ones = np.ones(channels)
        return (self.scale / std * ones).astype(np.float32), (-mean / std * ones).astype(np.float32)

    def along(self, x: Array) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
        """As `affine`, in the shape (1, C, 1, ...) that images or volumes `x`, (N, C, ...), broadcast with."""
        gain, offset = (v.reshape(1, -1, *[1] * (x.ndim - 2)) for v in self.affine(x.shape[1]))
        return gain, offset

    def from_bounds(self, bounds: tuple[float, float] | None) -> "Preprocess":
        """The same for images within other bounds, which are mapped to [0, 1] first: still one affine map."""
        low, high = bounds or (0.0, 1.0)
        if (low, high) == (0.0, 1.0):
            return self
        scale = self.scale / (high - low)
        return replace(self, scale=scale, mean=tuple(mean + scale * low for mean in self.mean))

    @property
    def reverses(self) -> bool:
        """Whether the channel axis is turned round before the affine map (BGR networks)."""
        return self.order == "BGR"

    @property
    def identity(self) -> bool:
        """Whether nothing is changed at all."""
        return self == Preprocess(order="L" if self.order == "L" else "RGB")


PRESETS: Mapping[str, Preprocess] = {
    "imagenet": Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), preset="imagenet"),
    "tf": Preprocess(scale=2.0, mean=(1.0,)),
    "caffe": Preprocess(scale=255.0, mean=(103.939, 116.779, 123.68), order="BGR", preset="caffe"),
    "unit": Preprocess(),
    "raw255": Preprocess(scale=255.0),
    "lite": Preprocess(scale=255.0, mean=(127.0,), std=(128.0,)),
}
"""What networks were trained on: torchvision's, Keras' "tf" (-1..1) and "caffe", [0, 1], 0..255, EfficientNet-Lite."""


def preprocessing(
    spec: "str | Preprocess | Mapping[str, Any] | None", bounds: tuple[float, float] | None = None
) -> Preprocess:
    """A preset's name, keywords of `Preprocess` (mean, std, scale, order), one itself, or None for none.

    Presets by name are defined for images in [0, 1]: images within other `bounds` are mapped there first. What is
    given in numbers applies to an image's own values.

    >>> preprocessing("tf").affine(1)
    (array([2.], dtype=float32), array([-1.], dtype=float32))
    >>> preprocessing("raw255", (0.0, 255.0)).affine(1)
    (array([1.], dtype=float32), array([-0.], dtype=float32))

    Raises:
        ParameterError: no such preset, or keywords that `Preprocess` does not have.
    """
    if spec is None or spec in ("None", "none"):  # as a command line writes it
        return PRESETS["unit"]
    if isinstance(spec, Preprocess):
        return spec
    if isinstance(spec, str):
        if spec not in PRESETS:
            raise ParameterError(unknown_name("preprocess preset", spec, PRESETS))
        return PRESETS[spec].from_bounds(bounds)
    unknown = set(spec) - {"scale", "mean", "std", "order"}
    if unknown:
        raise ParameterError(f"preprocess has no {', '.join(sorted(unknown))}; it takes scale, mean, std and order")
    keywords: dict[str, Any] = {k: _numbers(v) if k in {"mean", "std"} else v for k, v in spec.items()}
    return Preprocess(**keywords)


def _for_other_channels(preprocess: Preprocess, name: str, count: int, channels: int) -> str:
    """What to say, and to type, where a mean or std is not for this many channels."""
    numbers = ", ".join(f"m{n + 1}" for n in range(channels)), ", ".join(f"s{n + 1}" for n in range(channels))
    advice = f'give preprocess=None or {{"mean": [{numbers[0]}], "std": [{numbers[1]}]}}'
    if channels > 4:
        advice = f'give preprocess=None, or {{"mean": [...], "std": [...]}} with {channels} numbers each'
    if not preprocess.preset:
        return f"preprocess {name} has {count} numbers; this model's images have {channels} channels: {advice}"
    return f'preprocess "{preprocess.preset}" is for {count} channels; this model\'s images have {channels}: {advice}'


def _numbers(value: float | Sequence[float]) -> tuple[float, ...]:
    if isinstance(value, str):
        raise ParameterError(f"preprocess has {value!r} where a number or a list of numbers belongs")
    return (float(value),) if isinstance(value, int | float) else tuple(float(v) for v in value)
