"""What is wrong with the images that reach a network: its preprocessing, or the images that it was given."""

from collections.abc import Iterator

import numpy as np

from ..arrays import as_numpy
from ..model import per_image
from ..model.base import INPUT, Model
from ..model.preprocessing import PRESETS, Preprocess
from .similarity import Values, pearson, relative_l2
from .suspect import EXPLAINED, Cause, Suspect

__all__ = ["find_cause_in_images", "preprocessing_fault"]


def preprocessing_fault(suspect: Suspect) -> Cause | None:
    """Whether a known preprocessing, or another order of colours, makes the first layer agree."""
    b, layer = suspect.models.b, suspect.pair.b
    if suspect.before or not b.input.is_image:
        return None
    x = as_numpy(suspect.models.x)
    for name, candidate in _candidates(suspect.models.a, b):
        images = _images_as_if(x, b.preprocess, candidate)
        # of any range, which `Model.forward` would refuse
        activation = per_image.forward(b, images, (layer,), {})[layer]
        if suspect.is_explained_by(suspect.expected, as_numpy(activation)):
            text = f"wrong preprocessing: {_difference(b.preprocess, candidate)}; as {name} the layer agrees"
            return Cause("preprocessing", text, INPUT)
    return None


def _candidates(a: Model, b: Model) -> Iterator[tuple[str, Preprocess]]:
    """The first model's preprocessing and each preset, in each order of colours."""
    known = {"the first model's": a.preprocess, **{f"{name!r}": preset for name, preset in PRESETS.items()}}
    channels = b.input.example_shape[0]
    for name, preset in known.items():
        for order in ("RGB", "BGR") if b.input.shape[0] == 3 else (preset.order,):
            candidate = Preprocess(preset.scale, preset.mean, preset.std, order)
            if candidate != b.preprocess and all(len(v) in {1, channels} for v in (candidate.mean, candidate.std)):
                yield (name if order == preset.order else f"{name} in {order}"), candidate


def _images_as_if(x: Values, actual: Preprocess, other: Preprocess) -> Values:
    """Images that `actual` turns into what `other` makes of `x`."""
    (gain, offset), (other_gain, other_offset) = ([v.astype(np.float64) for v in p.along(x)] for p in (actual, other))
    wanted = other_gain * (x[:, ::-1] if other.reverses else x) + other_offset
    images = (wanted - offset) / gain
    return np.ascontiguousarray(images[:, ::-1] if actual.reverses else images, np.float32)


def _difference(actual: Preprocess, right: Preprocess) -> str:
    """What of a preprocessing is wrong: order, range, mean or std."""
    parts = []
    if actual.reverses != right.reverses:
        parts.append(f"channels are {actual.order}, right is {right.order}")
    if actual.scale != right.scale and (actual.mean, actual.std) == (right.mean, right.std):
        parts.append(f"the range is 0..{actual.scale:g}, right is 0..{right.scale:g}")
    elif (actual.scale, actual.mean, actual.std) != (right.scale, right.mean, right.std):
        names = ("scale", "mean", "std")
        values = [(name, getattr(actual, name), getattr(right, name)) for name in names]
        parts += [f"{name} is {_short(wrong)}, right is {_short(fit)}" for name, wrong, fit in values if wrong != fit]
    return ", ".join(parts)


def _short(value: float | tuple[float, ...]) -> str:
    return f"{value:g}" if isinstance(value, float | int) else "(" + ", ".join(f"{v:g}" for v in value) + ")"


def find_cause_in_images(a: Values, b: Values) -> Cause:
    """What two pipelines do differently to the same images (N, C, H, W)."""
    if relative_l2(a, b[:, ::-1]) < EXPLAINED:
        return Cause("preprocessing", "the pictures' channels are in reverse order (BGR for RGB)", INPUT)
    lines = [np.polyfit(a[:, c].ravel(), b[:, c].ravel(), 1) for c in range(a.shape[1])]
    fit = np.stack([np.polyval(line, a[:, c]) for c, line in enumerate(lines)], axis=1)
    if relative_l2(fit, b) < EXPLAINED:
        by_channel = ", ".join(f"{gain:.4g} x + {offset:.4g}" for gain, offset in lines)
        text = f"the pictures' range differs: by channel they are {by_channel} of the others"
        return Cause("preprocessing", text, INPUT)
    correlation = pearson(a, b)
    if correlation > 0.5:
        text = (
            f"wrong resize: the pictures are alike (correlation {correlation:.3f}) but not the same (relative L2 "
            f"{relative_l2(a, b):.1e}), and no change of colours explains it: another filter, antialiasing or crop"
        )
        return Cause("resize", text, INPUT)
    text = f"the two models were given different images (correlation {correlation:.2f})"
    return Cause("pictures", text, INPUT)
