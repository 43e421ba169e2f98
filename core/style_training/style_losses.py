"""The losses of restyled pictures, whoever made them, as `style_transfer` minimises them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import ImageError
from ..image.batch import image_batch
from ..method.unit_range import images_for, in_unit_range
from ..model.base import Model
from ..objective import match
from ..plugins.models import ModelLike, as_model
from . import style_loss
from .style_pictures import resize_and_crop, style_pictures

__all__ = ["StyleLosses", "style_losses"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class StyleLosses:
    """The losses of pictures without weights, (N,) each, and those of activations of zero."""

    content: Values
    """sum (F - P)^2 / 2, equation 1 of Gatys et al. (2016)."""
    style: Values
    """The mean over layers of equation 4."""
    content_at_zero: Values
    style_at_zero: Values

    def total(self, content_weight: float = 1.0, style_weight: float | None = None, strength: float = 1.0) -> Values:
        """Equation 7, (N,), with the weights that `style_transfer` has for the same parameters.

        Args:
            content_weight: alpha.
            style_weight: beta; if not given, `strength` decides.
            strength: of the style.
        """
        if style_weight is not None:
            return np.asarray(content_weight * self.content + style_weight * self.style)
        pairs = zip(self.content_at_zero, self.style_at_zero, strict=True)
        betas: Values = np.asarray([style_loss.balanced_weight(strength, float(a), float(b)) for a, b in pairs])
        return np.asarray(content_weight * self.content + betas * self.style)


def style_losses(
    model: ModelLike,
    made: Any,
    contents: Any,
    style: Any,
    *,
    content_layer: str | None = None,
    style_layers: tuple[str, ...] | None = None,
) -> StyleLosses:
    """The losses of restyled pictures as `style_transfer` minimises them: Gatys et al. (2016), equations 1 and 3 to 5.

    So pictures of an optimisation, of a network of `train_style` and of any other program are compared by one measure.

    Args:
        model: the loss network.
        made: the pictures, (N, C, H, W) in the model's bounds.
        contents: what they were made from, of the same shape.
        style: the style's picture: a file or an array (3, h, w) in [0, 1].
        content_layer, style_layers: as for `style_transfer`, with the same defaults.

    Returns:
        The losses of each picture without weights.

    Raises:
        ImageError: the pictures and what they were made from have different shapes.
    """
    network = as_model(model)
    made, contents = (image_batch(each, network) for each in (made, contents))
    if made.shape != contents.shape:
        raise ImageError(f"the pictures have shape {tuple(made.shape)}, their contents {tuple(contents.shape)}")
    view = in_unit_range(network)
    pairs = [(images_for(view, made[n : n + 1]), images_for(view, contents[n : n + 1])) for n in range(len(made))]
    looks = style_pictures(style, view)
    losses = [_losses(view, picture, content, looks, content_layer, style_layers) for picture, content in pairs]
    return StyleLosses(*(np.concatenate([as_numpy(each[n]) for each in losses]) for n in range(4)))


def _losses(
    model: Model, made: Any, content: Any, looks: Any, layer: str | None, layers: tuple[str, ...] | None
) -> tuple[Any, ...]:
    """Those of one picture (1, C, H, W), in the order of `StyleLosses`."""
    layer, names = style_loss.style_layers(model, content, layer, layers)
    style_loss.check_maps(model, names)
    size = content.shape[-2], content.shape[-1]
    look = style_loss.style_loss(model, [resize_and_crop(each, size) for each in looks], names, None, None)
    target = match(layer, model.forward(content, [layer])[layer])
    activations = model.forward(made, sorted({layer, *names}))
    nothing = {name: 0.0 * maps for name, maps in activations.items()}
    return tuple(loss.value(at) for at in (activations, nothing) for loss in (target, look))
