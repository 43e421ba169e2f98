"""Whether a network gives a picture, as style transfer, super-resolution and denoising do, and not maps of classes.

By its shape the output may be one: as many channels as the image (or three of a grey one), and its size, a multiple or
a fraction of it. What tells pictures from maps of three classes are numbers that a sigmoid or a tanh keeps in a range,
those of pixels, or such as follow the image channel by channel. What ends in a softmax is none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import as_numpy, resample
from ..backend import BackendModel
from ..input_spec import InputSpec
from ..layer import OUTPUT
from ..per_image import forward

__all__ = ["could_be_picture", "picture_evidence"]

Values = np.ndarray[Any, Any]
Shape = Sequence[int | None]

_ALIKE = 0.5
"""The correlation of each channel with the image's own from which on an output follows the image."""
_BLOCKS = 8
"""Random colours along each side of the picture that is tried."""


def could_be_picture(spec: InputSpec, shape: Shape) -> bool:
    """Whether by its shape (K, H, W) an output may be a picture made of an image; a size that is not known may be any.

    >>> could_be_picture(InputSpec((3, 64, 64)), (3, 128, 128)), could_be_picture(InputSpec((3, 64, 64)), (3, 63, 63))
    (True, False)
    """
    if not spec.is_image or spec.is_volume or len(shape) != 3:
        return False
    channels = spec.shape[0]
    if shape[0] is None or (shape[0] != channels and (channels, shape[0]) != (1, 3)):
        return False
    ratios = {a / b for a, b in zip(shape[1:], spec.shape[1:], strict=True) if a and b}
    return len(ratios) < 2 and all(ratio.is_integer() or (1 / ratio).is_integer() for ratio in ratios)


def picture_evidence(model: BackendModel, values: Mapping[str, Values]) -> str:
    """How it is known that an output, which `could_be_picture` and ends in no softmax, is one; "" where it is not.

    Args:
        model: the network.
        values: what the output and the last layers of its shape give for images of noise.
    """
    if model.labels is not None or not np.isfinite(values[OUTPUT]).all():
        return ""
    return _pixels(values[OUTPUT]) or _tanh(values) or _follows(*_tried(model))


def _pixels(output: Values) -> str:
    """Evidence where the numbers are those of pixels in [0, 1], or up to 255, in which many networks overshoot."""
    least, most = float(output.min()), float(output.max())
    unit = least >= 0 and most <= 1 and most > least
    of_bytes = least >= -64 and most <= 320 and most - least >= 64
    return f"by its shape, and with numbers from {least:.3g} to {most:.3g}" * bool(unit or of_bytes)


def _tanh(values: Mapping[str, Values]) -> str:
    """Evidence where the output is the tanh of a layer, perhaps multiplied and moved."""
    output = values[OUTPUT]
    for name, z in values.items():
        if name != OUTPUT and np.isfinite(z).all():
            bent, straight = (1 - abs(_correlation(each, output)) for each in (np.tanh(z.astype(np.float64)), z))
            if bent < min(1e-6, straight / 10):
                return f"by its shape, and by the tanh of {name!r} at its end"
    return ""


def _tried(model: BackendModel) -> tuple[Values, Values]:
    """A picture of random soft colours, and what the network makes of it, both (C, H, W)."""
    shape = model.input.example_shape
    rng, (low, high) = np.random.default_rng(0), model.input.bounds or (0.0, 1.0)
    soft = resample(rng.random((1, shape[0], _BLOCKS, _BLOCKS)), shape[1:])
    picture = (low + (high - low) * (0.9 * soft + 0.1 * rng.random((1, *shape)))).astype(np.float32)
    return picture[0], as_numpy(forward(model, picture, (OUTPUT,), {})[OUTPUT])[0]


def _follows(picture: Values, output: Values) -> str:
    """Evidence where each channel of the output goes with the same channel of the picture, or with the only one."""
    own = resample(picture[None].astype(np.float64), output.shape[1:])[0]
    pairs = zip(np.broadcast_to(own, output.shape) if len(own) == 1 else own, output, strict=True)
    likeness = min(_correlation(a, b) for a, b in pairs)
    return f"by its shape, and with channels that follow the image's (correlation {likeness:.2f})" * (likeness > _ALIKE)


def _correlation(a: Values, b: Values) -> float:
    a, b = (each - each.mean(dtype=np.float64) for each in (a, b))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
