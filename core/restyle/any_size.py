"""A picture network on pictures of any size: rounded sides, the whole at once where memory allows, else tiles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import ModelError
from ..execution.progress import Progress, silent
from ..operators import Size
from ..synthesis.tiling import EVEN, overlapping_tiles
from .padding import reflect_to, rounded_up
from .picture_network import Pass, PictureNetwork, picture_size

__all__ = ["AnySize", "Restyled"]

BUDGET = 4 << 30
"""Bytes of a picture's activations, all layers counted, above which it goes in tiles. A forward pass holds a part of
them at a time: 140 of 630 MB in onnxruntime for 512 x 512 pixels through the 18 convolutions of a style network."""
TILE = 512
"""Side of tiles where memory asks for them."""
OVERLAP = 0.25
"""Share of a tile's side that its neighbours see too."""
RAMP = 0.5
"""Share of the overlap within which a tile fades into its neighbour; the rest, nearer to the border, is not used."""
LEAST = 32
"""Smaller sides are continued by reflection: networks that pad by reflection inside take no smaller ones."""
MULTIPLES = (1, 2, 4, 8, 16, 32)
"""What networks round sides to."""


@dataclass(frozen=True)
class Restyled:
    """What became of a picture."""

    picture: Array
    """(1, C, H, W), of the picture's own size."""
    notes: tuple[str, ...] = ()
    tiles: Mapping[str, Any] = field(default_factory=dict)
    """For provenance, where it went in tiles: their number and size."""


@dataclass(frozen=True)
class AnySize:
    """A picture network as one of pictures of any size."""

    network: PictureNetwork
    tile: int | None = None
    """Side of tiles; None for the whole picture where memory allows it."""

    def __call__(self, x: Array, progress: Progress = silent) -> Restyled:
        """What it makes of one picture (1, C, H, W); `progress` is told of tiles.

        Raises:
            ModelError: the network changes the size otherwise than by rounding it up.
        """
        size = picture_size(x)
        at_once = self._at_once(size)
        if all(own <= seen for own, seen in zip(size, at_once, strict=True)):
            return Restyled(self._whole(x, at_once))
        return self._in_tiles(x, at_once, progress)

    def _at_once(self, size: Size) -> Size:
        """(H, W) that the network sees at once."""
        allowed = max(size) if self.tile is None else self.tile
        pixels = min(size[0], allowed) * min(size[1], allowed)
        if self.tile is None and pixels * self.network.bytes_per_pixel > BUDGET:
            allowed = TILE
        even = rounded_up(size, EVEN), rounded_up((allowed, allowed), EVEN)
        height, width = (fixed or min(own, most) for fixed, own, most in zip(self.network.sizes, *even, strict=True))
        return height, width

    @property
    def _fixed(self) -> bool:
        return None not in self.network.sizes

    def _whole(self, x: Array, at_once: Size) -> Array:
        if self._fixed:
            return _cut_back(self.network.apply, x, at_once)
        return _cut_back(self.network.apply, x, rounded_up(picture_size(x), self._multiple(x), LEAST))

    def _multiple(self, x: Array) -> int:
        """What the network rounds sides to, found out on a corner of the picture with the same remainders."""
        remainders = [side % MULTIPLES[-1] for side in picture_size(x)]
        if not any(remainders):
            return 1
        corner = x[:, :, : LEAST + remainders[0], : LEAST + remainders[1]]
        refused: ModelError | None = None
        for multiple in MULTIPLES:
            padded = rounded_up(picture_size(corner), multiple, LEAST)
            try:
                made = picture_size(self.network.apply(reflect_to(corner, padded)))
            except ModelError as error:  # it runs on multiples only
                refused = error
                continue
            if made == padded:
                return multiple
        raise refused or _changes_size(padded, made)

    def _in_tiles(self, x: Array, at_once: Size, progress: Progress) -> Restyled:
        size = picture_size(x)
        height, width = (
            seen + rounded_up((max(n - seen, 0), 1), EVEN)[0] for n, seen in zip(size, at_once, strict=True)
        )
        tiles = overlapping_tiles((height, width), at_once, OVERLAP)
        if not self._fixed:  # those at the end may be smaller
            tiles = [tile.within(size) for tile in tiles]
        whole, multiple = reflect_to(x, tiles[0].crop.size), 1 if self._fixed else self._multiple(x)
        apply, notes = self.network.for_tiles(x, tiles, at_once)
        made = namespace(x).zeros_like(whole)
        for n, tile in enumerate(tiles, start=1):
            piece = tile.crop.apply(whole)
            piece = _cut_back(apply, piece, rounded_up(picture_size(piece), multiple))
            weights = like(tile.window(RAMP * OVERLAP * min(at_once)), whole)
            (top, left), (rows, columns) = tile.crop.corner, tile.crop.to
            window = slice(None), slice(None), slice(top, top + rows), slice(left, left + columns)
            made[window] = made[window] + weights * like(piece, whole)
            progress(n, len(tiles), "tiles")
        record = {"tiles": len(tiles), "tile": list(at_once)}
        return Restyled(made[:, :, : size[0], : size[1]], notes, record)


def _cut_back(apply: Pass, x: Array, padded: Size) -> Array:
    """What is made of a picture that is first continued to a size, at its own size.

    Raises:
        ModelError: another size is made.
    """
    made = apply(reflect_to(x, padded))
    if picture_size(made) != padded:
        raise _changes_size(padded, picture_size(made))
    return made[:, :, : x.shape[-2], : x.shape[-1]]


def _changes_size(given: Size, made: Size) -> ModelError:
    return ModelError(
        f"the network makes a picture of {made[0]} x {made[1]} pixels of one of {given[0]} x {given[1]}: restyle needs "
        "one that keeps the size, or rounds it up to a multiple"
    )
