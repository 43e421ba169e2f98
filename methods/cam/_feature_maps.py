"""A layer's feature maps: tokens laid out as maps, maps of several layers at one resolution, sums over channels."""

from collections.abc import Sequence

from crosslens.arrays import Array, namespace, upsample
from crosslens.errors import LayerError
from crosslens.model.layout import tokens_to_maps

__all__ = ["at_finest_resolution", "feature_maps", "spatial_axes", "weighted_sum", "zero_map_note"]


def at_finest_resolution(maps: Sequence[Array]) -> Array:
    """Maps (N, h, w) of several layers at the finest of their resolutions, (layers, N, h, w)."""
    size = tuple(max(sides) for sides in zip(*(each.shape[1:] for each in maps), strict=True))
    return namespace(maps[0]).stack([upsample(each, size) for each in maps], axis=0)


def spatial_axes(maps: Array) -> tuple[int, ...]:
    """The axes of maps (N, C, h, w), or of a volume's (N, C, d, h, w), along which positions lie."""
    return tuple(range(2, maps.ndim))


def weighted_sum(weights: Array, maps: Array) -> Array:
    """sum_k w_k A_k of weights (C,) and maps (C, h, w), or a volume's (C, d, h, w)."""
    xp = namespace(maps)
    return xp.sum(xp.reshape(weights, (-1, *[1] * (maps.ndim - 1))) * maps, axis=0)


def feature_maps(activation: Array, layer: str, size: tuple[int, ...]) -> Array:
    """(N, C, h, w) of a layer's maps or tokens, which lie as the image's size (H, W) says; (N, C, d, h, w) of volumes.

    Raises:
        LayerError: the layer gives neither, or a single position, as after a global pooling.
    """
    if activation.ndim == 3 and len(size) == 2:
        return tokens_to_maps(activation, (size[0], size[1]))
    shape = tuple(activation.shape)
    if activation.ndim != len(size) + 2:
        axes = "(N, C, H, W)" if len(size) == 2 else "(N, C, D, H, W)"
        raise LayerError(f"layer {layer!r} gives {shape}, not maps {axes}; choose a layer before the pooling")
    if set(shape[2:]) == {1}:
        raise LayerError(f"layer {layer!r} gives {shape}: one position is not a map; choose a layer before the pooling")
    return activation


def zero_map_note(values: Array, layers: Sequence[str]) -> tuple[str, ...]:
    """A note where maps are zero everywhere, for their picture would look like an answer."""
    xp = namespace(values)
    blank = int(xp.sum(xp.astype(xp.max(xp.abs(values), axis=tuple(range(1, values.ndim))) == 0, xp.int64)))
    if not blank:
        return ()
    names = " or ".join(map(repr, layers))
    return (f"{blank} of {values.shape[0]} maps are zero everywhere: no channel of {names} speaks for the target",)
