"""Channels of layers, as a user names those that relevance goes through: "layer4:12,37"."""

from collections.abc import Sequence

from crosslens.arrays import Array, namespace
from crosslens.errors import LayerError, ParameterError
from crosslens.limits.whole_numbers import is_whole_number
from crosslens.model import INPUT, Model
from crosslens.model.reduction import unit_axis

__all__ = ["channels_added_up", "parse_channels"]


def parse_channels(model: Model, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Channels by the layer's canonical name.

    Args:
        model: where the layers are looked up.
        texts: LAYER:CHANNEL[,CHANNEL...] each.

    Raises:
        ParameterError: a text of another form.
        LayerError: no such layer, or no such channel.
    """
    channels: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, numbers = text.rpartition(":")
        if not name or not all(is_whole_number(each.strip()) for each in numbers.split(",")):
            raise ParameterError(f"through={text!r} is no LAYER:CHANNEL[,CHANNEL...]; write for example 'layer4:12,37'")
        if name == INPUT:
            raise LayerError(
                f"through={text!r}: the image's channels are where relevance ends; per_channel=True gives each one's"
            )
        layer, chosen = model.layer(name), tuple(int(each) for each in numbers.split(","))
        count = layer.shape[unit_axis(len(layer.shape))]
        if count is not None and max(chosen) >= count:
            raise LayerError(f"layer {name!r} has {count} channels, counted from 0; there is no channel {max(chosen)}")
        channels[layer.name] = (*channels.get(layer.name, ()), *chosen)
    return channels


def channels_added_up(values: Array, layer: str) -> Array:
    """Maps (N, C, h, w) and signals (N, C, L) over channels, tokens (N, T, D) over dimensions; vectors as they are.

    Args:
        values: of a layer or the image.
        layer: which; three axes of `INPUT` are a signal, those of a layer tokens.
    """
    if values.ndim < 3:
        return values
    return namespace(values).sum(values, axis=1 if layer == INPUT else unit_axis(values.ndim))
