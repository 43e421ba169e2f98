"""Networks that take pixels as integers: which preprocessing gives them such numbers."""

from dataclasses import replace

from ..errors import ModelError
from ..model.input_spec import InputSpec
from ..model.preprocessing import Preprocess, preprocessing

__all__ = ["integer_pixels"]


def integer_pixels(what: str, low: int, spec: InputSpec, wished: Preprocess) -> Preprocess:
    """The preprocessing that spreads the model's bounds over 256 pixels from `low`, unless a fitting one is wished.

    The presets "imagenet", which is the default, and "unit" do not count as wished.

    Args:
        what: the input and its type, for the message.
        low: the least pixel, 0 or -128.
        spec: the image.
        wished: what the user gave.

    Raises:
        ModelError: the wished one gives other numbers.
    """
    spread = replace(preprocessing({"scale": 255.0, "mean": -low}).from_bounds(spec.bounds), preset="raw255")
    if wished in [preprocessing(usual, spec.bounds) for usual in ("imagenet", None)]:
        return spread
    gain, offset = wished.affine(spec.shape[0] or 3)
    ends = [gain * b + offset for b in spec.bounds or (0.0, 1.0)]
    if any((end < low - 0.5).any() or (end > low + 255.5).any() for end in ends) or (abs(ends[1] - ends[0]) < 16).all():
        raise ModelError(
            f"{what} and holds pixels from {low} to {low + 255}; preprocess= gives {ends[0].min():.4g} to "
            f"{ends[1].max():.4g}: leave it out, or give preprocess='raw255'"
        )
    return wished
