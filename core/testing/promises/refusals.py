"""What every model refuses, with a text that says what would have been right."""

import numpy as np

from ...arrays import Array
from ...errors import ImageError, LayerError
from ...model.base import OUTPUT
from ..assertions import refused
from ..net import Net
from ..promise import Unsuited, backend_promise

__all__: list[str] = []


@backend_promise
def unknown_layer_is_refused(net: Net) -> None:
    """An unknown layer is refused in `capture`, `wrt`, `replace` and as a cotangent, and the nearest name offered."""
    x, c, name = net.images(), net.cotangent(), net.middle()
    wrong = name + "x"
    texts = (f"no layer {wrong!r} in this model ({len(net.model.layers)} layers)", "Did you mean", repr(name))
    refused(lambda: net.model.forward(x, [wrong]), LayerError, *texts)
    refused(lambda: net.model.vjp(x, {OUTPUT: c}, wrt=[wrong]), LayerError, *texts)
    refused(lambda: net.model.vjp(x, {wrong: c}), LayerError, *texts)
    refused(lambda: net.model.linearize(x, [wrong]), LayerError, *texts)
    refused(lambda: net.model.forward(x, replace={wrong: c}), LayerError, *texts)
    refused(lambda: net.model.randomised([wrong], 0), LayerError, *texts)
    refused(lambda: net.model.weights(wrong), LayerError, *texts)


@backend_promise
def one_name_is_no_list(net: Net) -> None:
    """A string where a list of names belongs is refused, not read letter by letter."""
    text = f"not as one string: [{net.middle()!r}]"
    refused(lambda: net.model.forward(net.images(), net.middle()), LayerError, text)


@backend_promise
def bad_images_are_refused(net: Net) -> None:
    """NaN, 0..255, another type, other channels, a missing batch axis and an empty batch are refused by their text."""
    if not net.model.input.is_image:
        raise Unsuited("the input is a latent vector")
    x = net.images()
    nan = x.copy()
    nan[0, 0, 0, 0] = np.nan
    channels = np.concatenate([x, x], axis=1)
    for wrong, text in (
        (nan, "images hold NaN or infinite values; every value must be finite"),
        (x * 255, "Divide by 255: images / 255"),
        ((x * 255).astype(np.uint8), ": (images / 255).astype('float32')"),
        (x.astype(np.float64), "Convert to float32: images.astype('float32')"),
        (channels, f"images have shape {channels.shape} and dtype float32; this model takes (N, {x.shape[1]}, "),
        (x[0], "Add the batch axis: images[None]"),
        (x[:0], "the batch holds no image"),
        (x.tolist(), "images are list; this model takes an array"),
    ):
        _refuses(net, wrong, text)


@backend_promise
def another_size_is_refused_or_right(net: Net) -> None:
    """A 1-pixel image is refused where the network has one size; where it takes any, it is run or refused, no crash."""
    spec = net.model.input
    if not spec.is_image:
        raise Unsuited("the input is a latent vector")
    pixel = np.full((1, spec.example_shape[0], 1, 1), 0.5, np.float32)
    if None not in spec.shape and spec.shape[1:] != (1, 1):
        _refuses(net, pixel, f"images have shape {pixel.shape} and dtype float32; this model takes (N, ")
        return
    try:
        assert net.model.forward(pixel)[OUTPUT].shape[0] == 1
    except ImageError as error:
        assert "(1, 1)" in str(error) or "1 x 1" in str(error), f"the message does not name the size: {error}"  # noqa: PT017


def _refuses(net: Net, wrong: Array, text: str) -> None:
    refused(lambda: net.model.forward(wrong), ImageError, text)
    refused(lambda: net.model.vjp(wrong, {OUTPUT: net.cotangent()}), ImageError, text)
    refused(lambda: net.model.linearize(wrong, [OUTPUT]), ImageError, text)
