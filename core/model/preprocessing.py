"""Preprocessing: from an image to what a network was trained on. One affine map per channel, whatever the places.

It belongs to the model: every backend applies `gain * x[:, order] + offset` inside, so that a step size, an occluder's
grey or an adversarial radius means the same on every backend, and its adjoint is exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ParameterError, unknown_name
from ..metadata.preprocess_json import Keywords, keywords_from_file, keywords_from_json, keywords_from_mapping
from ..metadata.preprocess_text import is_preprocess_text, keywords_from_text, preprocess_text

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
        for name, values in (("scale", (self.scale,)), ("mean", self.mean)):
            if not np.isfinite(values).all() or (name == "scale" and not self.scale):
                raise ParameterError(
                    f"preprocess {name} is {values}; each number must be finite" + ", and the scale not 0"
                )

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

    def from_bounds(self, bounds: tuple[float, float] | None, of: tuple[float, float] | None = None) -> "Preprocess":
        """The same for images within other bounds, which are mapped to those `of` it first: still one affine map.

        Both are [0, 1] if not given.
        """
        low, high = bounds or (0.0, 1.0)
        own_low, own_high = of or (0.0, 1.0)
        if (low, high) == (own_low, own_high):
            return self
        scale = self.scale * (own_high - own_low) / (high - low)
        return replace(self, scale=scale, mean=tuple(mean - self.scale * own_low + scale * low for mean in self.mean))

    def refuse_another_range(self, bounds: tuple[float, float]) -> None:
        """Refuse numbers that are for pixels up to 255 where pixels lie in [0, 1], or the other way round.

        With them every image is one colour to the network, or its contrast 255 times too large; nothing else fails.

        Raises:
            ParameterError: with what is right.
        """
        low, high = self.scale * bounds[0], self.scale * bounds[1]
        factor, contrast = 0.0, (high - low) / min(map(abs, self.std))
        if low >= 0 and high <= 1 and 16 <= max(self.mean) <= 255:
            factor = 255.0
        elif low >= 0 and high >= 100 and 0 < max(map(abs, self.mean)) <= 1 and contrast > 150:
            factor = 1 / 255
        if factor:
            right = replace(self, scale=self.scale * factor)
            raise ParameterError(
                f'preprocess "{self}" is for pixels {"up to 255" if factor > 1 else "in [0, 1]"}, and here they lie in '
                f'[{low:g}, {high:g}]: give "{right}"'
            )

    def __str__(self) -> str:
        """The text that `preprocessing` reads as this one: "mean=0.5,std=0.25"; "none" if it changes nothing."""
        return preprocess_text(self.scale, self.mean, self.std, self.order)

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
    spec: "str | Path | Preprocess | Mapping[str, Any] | None", bounds: tuple[float, float] | None = None
) -> Preprocess:
    """A preprocessing in any of its forms; None for none.

    Presets by name are defined for images in [0, 1]: images within other `bounds` are mapped there first, and so they
    are for the files of Hugging Face and timm. What is given in numbers applies to an image's own values.

    Args:
        spec: a preset's name; text, "mean=.485/.456/.406,std=.25,order=BGR"; the path of a .json file, or JSON text:
            keywords of `Preprocess`, Hugging Face's preprocessor_config.json or timm's pretrained_cfg; a mapping of
            such keys; or a `Preprocess`.
        bounds: the least and the largest value of an image.

    >>> preprocessing("tf").affine(1)
    (array([2.], dtype=float32), array([-1.], dtype=float32))
    >>> preprocessing("raw255", (0.0, 255.0)).affine(1)
    (array([1.], dtype=float32), array([-0.], dtype=float32))
    >>> preprocessing("mean=.5,std=.25").affine(1)
    (array([4.], dtype=float32), array([-2.], dtype=float32))

    Raises:
        ParameterError: no such preset, keywords that `Preprocess` does not have, or a file that cannot be read.
    """
    if spec is None or spec in ("None", "none"):  # as a command line writes it
        return PRESETS["unit"]
    if isinstance(spec, Preprocess):
        return spec
    if isinstance(spec, str) and spec.lower() in PRESETS:
        return PRESETS[spec.lower()].from_bounds(bounds)
    keywords, for_unit_range = _keywords_of(spec)
    values: dict[str, Any] = {k: _numbers(k, v) if k in {"mean", "std"} else v for k, v in keywords.items()}
    if "scale" in values:
        (values["scale"],) = _numbers("scale", values["scale"])
    made = Preprocess(**values)
    return made.from_bounds(bounds) if for_unit_range else made


def _keywords_of(spec: str | Path | Mapping[str, Any]) -> Keywords:
    """The keywords in a text, a file or a mapping."""
    if isinstance(spec, Mapping):
        return keywords_from_mapping(spec)
    if isinstance(spec, str) and spec.lstrip().startswith("{"):
        return keywords_from_json(spec)
    if isinstance(spec, Path) or (isinstance(spec, str) and spec.endswith(".json")):
        return keywords_from_file(Path(spec))
    if isinstance(spec, str) and is_preprocess_text(spec):
        return Keywords(keywords_from_text(spec))
    if isinstance(spec, str):
        unknown = unknown_name("preprocess preset", spec, PRESETS)
        raise ParameterError(
            f"{unknown}{'' if unknown.endswith('?') else '.'} Numbers are written mean=.5,std=.25; or give a .json file"
        )
    raise ParameterError(
        f"preprocess is a {type(spec).__name__}; it can be the name of a preset, text such as 'mean=.5,std=.25', a "
        ".json file, keywords of Preprocess, or None"
    )


def _for_other_channels(preprocess: Preprocess, name: str, count: int, channels: int) -> str:
    """What to say, and to type, where a mean or std is not for this many channels."""
    numbers = "/".join(f"m{n + 1}" for n in range(channels)), "/".join(f"s{n + 1}" for n in range(channels))
    advice = f'give preprocess=None or "mean={numbers[0]},std={numbers[1]}"'
    if channels > 4:
        advice = f'give preprocess=None, or {{"mean": [...], "std": [...]}} with {channels} numbers each'
    if not preprocess.preset:
        return f"preprocess {name} has {count} numbers; this model's images have {channels} channels: {advice}"
    return f'preprocess "{preprocess.preset}" is for {count} channels; this model\'s images have {channels}: {advice}'


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    """One number or a list of them, as floats.

    Raises:
        ParameterError: anything else.
    """
    values = [value] if isinstance(value, int | float | np.number) else value
    several = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str | bytes) and len(values) > 0
    if not several or (name == "scale" and len(values) > 1):
        raise ParameterError(f"preprocess {name} is {value!r}, where a number or a list of numbers belongs")
    if not all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values):
        raise ParameterError(f"preprocess {name} is {value!r}, where a number or a list of numbers belongs")
    return tuple(float(v) for v in values)
