"""Channels first, decided here once: how a framework's activations become (N, C, H, W), (N, T, D) or (N, K)."""

from math import isqrt

from ..arrays import Array, namespace
from ..errors import LayerError

__all__ = ["SPARE_TOKENS", "channels_first", "channels_first_shape", "channels_last", "patch_grid", "tokens_to_maps"]


def channels_first(x: Array) -> Array:
    """(N, H, W, C) to (N, C, H, W), any number of spatial axes from one up; a view where the framework allows."""
    return namespace(x).permute_dims(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def channels_last(x: Array) -> Array:
    """(N, C, H, W) to (N, H, W, C): the inverse of `channels_first`, hence also its adjoint."""
    return namespace(x).permute_dims(x, (0, *range(2, x.ndim), 1))


def channels_first_shape(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape (N, H, W, C) as `channels_first` leaves it."""
    return (shape[0], shape[-1], *shape[1:-1])


SPARE_TOKENS = 16
"""Class and register tokens that a transformer may put in front of its patches."""


def tokens_to_maps(tokens: Array, size: tuple[int, int] | None = None) -> Array:
    """Transformer tokens (N, T, D) as maps (N, D, h, w), class and register tokens in front dropped.

    Args:
        tokens: activations, or anything else with one row a token.
        size: of the image, (H, W); its shape decides how patches lie where it is not square.

    Raises:
        LayerError: T tokens do not form a grid of patches; see `patch_grid`.
    """
    xp = namespace(tokens)
    height, width = patch_grid(tokens.shape[1], size)
    patches = tokens[:, tokens.shape[1] - height * width :, :]
    return channels_first(xp.reshape(patches, (tokens.shape[0], height, width, tokens.shape[2])))


def patch_grid(count: int, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """How many rows and columns of patches T tokens are, with at most `SPARE_TOKENS` in front of them.

    Of a square image, the largest square: 197 is 1 + 14 x 14, 201 is 5 + 14 x 14. Of any other, the grid of the
    smallest square patches of whole pixels, those first that fill the image: 141 of 224 x 160 is 1 + 14 x 10.

    Raises:
        LayerError: there is no such grid.
    """
    if size is None or size[0] == size[1]:
        grids = [(isqrt(count), isqrt(count))]
    else:
        sides = range(1, min(size) // 2 + 1)
        whole = [side for side in sides if size[0] % side == size[1] % side == 0]
        grids = [(size[0] // side, size[1] // side) for side in (*whole, *sides)]
    fitting = [(h, w) for h, w in grids if h > 1 and w > 1 and count - SPARE_TOKENS <= h * w <= count]
    if not fitting:
        shape = "square" if size is None or size[0] == size[1] else f"{size[0]} x {size[1]}"
        raise LayerError(
            f"{count} tokens are no {shape} grid of patches with up to {SPARE_TOKENS} extra tokens in front"
        )
    return fitting[0]
