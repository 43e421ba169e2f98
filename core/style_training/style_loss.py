"""The style's loss (Gatys et al. 2016, equations 4 and 5), its layers, and its weight that fits any network."""

from collections.abc import Mapping, Sequence

from ..arrays import Array
from ..errors import LayerError, ParameterError
from ..introspection.layer_scales import rectified_scales
from ..model.base import Model
from ..objective import Objective, gram, gram_matrix

__all__ = [
    "BALANCE", "SCALES", "balanced_weight", "check_maps", "normalised_weights", "style_layers", "style_loss",
    "style_objective",
]  # fmt: skip

SCALES = 5
"""Gatys' style layers: one per resolution of VGG."""
BALANCE = 1000.0
"""`strength` 1: what the style's loss counts beside the content's, each divided by that of activations of zero."""


def style_loss(
    model: Model,
    styles: Sequence[Array],
    layers: Sequence[str],
    blend: Sequence[float] | None,
    layer_weights: Sequence[float] | None,
) -> Objective:
    """The weighted sum over layers of equation 4, the Gram matrices being the styles' blended.

    Args:
        model: gives the activations.
        styles: pictures (1, C, H, W), of any sizes.
        layers: the style layers.
        blend: one weight per style; None for equal ones.
        layer_weights: w of equation 5, one per layer; None for equal ones.

    Raises:
        ParameterError: not one share for each style, or not one weight for each layer.
    """
    parts = normalised_weights("blend", blend, len(styles), "styles")
    activations = [model.forward(style, layers) for style in styles]
    mixed = {
        name: sum(share * gram_matrix(maps[name]) for share, maps in zip(parts, activations, strict=True))
        for name in layers
    }
    return style_objective(mixed, layer_weights)


def style_objective(grams: Mapping[str, Array], layer_weights: Sequence[float] | None = None) -> Objective:
    """Equation 5: the weighted sum over layers of equation 4.

    Args:
        grams: by layer the Gram matrix to reach, (1, C, C) for all images or (N, C, C), as `gram_matrix` gives it.
        layer_weights: w of equation 5, one per layer; None for equal ones.

    Raises:
        ParameterError: not one weight for each layer.
    """
    weights = normalised_weights("layer_weights", layer_weights, len(grams), "style layers")
    terms = [weight * gram(name, target) for weight, (name, target) in zip(weights, grams.items(), strict=True)]
    return sum(terms[1:], terms[0])


def normalised_weights(name: str, given: Sequence[float] | None, count: int, of: str) -> list[float]:
    """Weights divided by their sum.

    Args:
        name: of the parameter, for the message.
        given: the weights; None for equal ones.
        count: how many there must be.
        of: what they belong to, in the plural, for the message.

    Raises:
        ParameterError: another number of weights, or a sum that is not above 0.
    """
    weights = [1.0] * count if given is None else [float(weight) for weight in given]
    if len(weights) != count or sum(weights) <= 0:
        raise ParameterError(f"{name} is {given}; give {count} numbers for {count} {of}, with a sum above 0")
    return [weight / sum(weights) for weight in weights]


def balanced_weight(strength: float, content: float, style: float, balance: float = BALANCE) -> float:
    """The style's weight that means the same on any network: both losses are divided by what they are at nothing.

    Args:
        strength: how much of the style, 1 for an even mixture.
        content: the content's loss at activations of zero, times its weight 1.
        style: the style's loss there.
        balance: what strength 1 means.

    Raises:
        ParameterError: one of the losses is zero.
    """
    if not content or not style:
        raise ParameterError(
            "the content or the style is zero everywhere in its layers, so that strength means nothing: give "
            "style_weight, or another picture"
        )
    return strength * balance * content / style


def style_layers(
    model: Model, image: Array, content: str | None = None, style: Sequence[str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """The content layer and the style layers, as named or by Gatys' pattern: conv4_2, and conv1_1 to conv5_1.

    Args:
        model: any network.
        image: (1, C, H, W), at which rectified layers are found.
        content: the content layer; None for the second rectified one of the last scale but one.
        style: the style layers; none for the first rectified of each scale.

    Raises:
        LayerError: this network has no rectified layers.
    """
    if content and style:
        return content, tuple(style)
    scales = rectified_scales(model, image)[:SCALES]
    deep = scales[-2:][0]
    return content or deep[min(1, len(deep) - 1)], tuple(style or [names[0] for names in scales])


def check_maps(model: Model, layers: Sequence[str]) -> None:
    """Refuse style layers without maps.

    Raises:
        LayerError: which one.
    """
    for name in layers:
        shape = model.layer(name).shape
        if len(shape) not in {3, 4}:
            raise LayerError(
                f"style layer {name!r} gives {shape}; a style needs maps (N, C, H, W), before any pooling to one"
            )
