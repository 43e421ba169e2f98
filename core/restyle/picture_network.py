"""What makes a picture of a picture: one image-to-image network, or an encoder, AdaIN and a decoder."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod

from ..arrays import Array, as_numpy
from ..errors import ModelError
from ..model.base import OUTPUT, Model
from ..operators import Size
from ..synthesis.tiling import Tile
from .shared_statistics import SharedStatistics, shared_statistics

__all__ = ["OnePass", "Pass", "PictureNetwork", "picture_size"]

STRAY = 0.25
"""How far outside of its range a network's output may lie where it is merely not clipped."""
Pass = Callable[[Array], Array]


class PictureNetwork(ABC):
    """Pictures (N, C, H, W) in [0, 1] to pictures of the same shape."""

    sizes: tuple[int | None, int | None]
    """(H, W) that the network takes, None for any."""
    bytes_per_pixel: float
    """Memory of one picture's activations."""

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """What the network makes of pictures of a size that it takes."""

    @abstractmethod
    def for_tiles(self, x: Array, tiles: Sequence[Tile], at_once: Size) -> tuple[Pass, tuple[str, ...]]:
        """What to apply to each tile of one picture, and notes on how tiles differ from the whole.

        Args:
            x: the picture, (1, C, H, W).
            tiles: of it.
            at_once: (H, W) that the network sees at once.
        """


class OnePass(PictureNetwork):
    """A network whose output is a picture of its input's size."""

    def __init__(self, model: Model, output_range: tuple[float, float] | None = None) -> None:
        self._model, self._range = model, output_range
        _refuse_other_output(model)
        height, width = model.input.shape[1:]
        self.sizes = height, width
        self.bytes_per_pixel = 4 * model.elements / prod(model.input.example_shape[1:])

    def apply(self, x: Array) -> Array:
        return self._in_unit(self._model.forward(x)[OUTPUT])

    def for_tiles(self, x: Array, tiles: Sequence[Tile], at_once: Size) -> tuple[Pass, tuple[str, ...]]:
        statistics: SharedStatistics = shared_statistics(self._model, x, at_once)
        return lambda tile: self._in_unit(statistics.forward(tile)), statistics.notes

    def _in_unit(self, made: Array) -> Array:
        if self._range is not None:
            low, high = self._range
            return (made - low) / (high - low)
        values = as_numpy(made)
        if ((values < -STRAY) | (values > 1 + STRAY)).mean() > STRAY:
            raise ModelError(
                f"the network gives values from {values.min():.4g} to {values.max():.4g} for a picture in [0, 1]: say "
                "what its range is, output_range=(0, 255) for example"
            )
        return made


def _refuse_other_output(model: Model) -> None:
    """Refuse a network that does not make pictures of pictures.

    Raises:
        ModelError: what it takes and gives, and what would be right.
    """
    takes, gives = model.input, model.layers[OUTPUT].shape[1:]
    if not takes.is_image or takes.is_volume or len(gives) != 3 or gives[0] not in {takes.shape[0], None}:
        raise ModelError(
            f"restyle needs a network that makes pictures of pictures, (N, 3, H, W) of (N, 3, H, W); this one takes "
            f"{takes.shape} and gives {gives}: `crosslens train-style` trains one, and style_transfer needs none"
        )


def picture_size(made: Array) -> Size:
    """(H, W) of pictures."""
    return made.shape[-2], made.shape[-1]
