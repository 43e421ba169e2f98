"""Channels first, decided here once: how a framework's activations become (N, C, H, W), (N, T, D) or (N, K)."""

from math import isqrt

from .arrays import Array, namespace
from .errors import LayerError

__all__ = ["channels_first", "channels_first_shape", "channels_last", "tokens_to_maps"]


def channels_first(x: Array) -> Array:
    """(N, H, W, C) to (N, C, H, W), any number of spatial axes from one up; a view where the framework allows."""
    return namespace(x).permute_dims(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def channels_last(x: Array) -> Array:
    """(N, C, H, W) to (N, H, W, C): the inverse of `channels_first`, hence also its adjoint."""
    return namespace(x).permute_dims(x, (0, *range(2, x.ndim), 1))


def channels_first_shape(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape (N, H, W, C) as `channels_first` leaves it."""
    return (shape[0], shape[-1], *shape[1:-1])


def tokens_to_maps(tokens: Array) -> Array:
    """Transformer tokens (N, T, D) as maps (N, D, h, w), class and register tokens in front dropped.

    The patch grid is taken as the largest square that fits into T with at most 16 tokens to spare: 197 is 1 + 14 x 14,
    201 is 5 + 14 x 14.

    Raises:
        LayerError: no such square; the grid is not square or these are no patch tokens.
    """
    xp = namespace(tokens)
    count = tokens.shape[1]
    side = isqrt(count)
    extra = count - side * side
    if side < 2 or extra > 16:
        raise LayerError(f"{count} tokens are no square grid of patches with up to 16 extra tokens in front")
    maps = xp.reshape(tokens[:, extra:, :], (tokens.shape[0], side, side, tokens.shape[2]))
    return channels_first(maps)
