"""The target as a function of a transformer's patches laid out as maps, so that windows of them can be covered."""

from dataclasses import dataclass

from crosslens.arrays import Array, namespace
from crosslens.method.target_function import TargetFunction
from crosslens.model.layout import channels_last, tokens_to_maps

__all__ = ["PatchFunction", "patches_as_maps"]


@dataclass(frozen=True)
class PatchFunction(TargetFunction):
    """The target as a function of the patches' tokens as maps (B, D, h, w); class and register tokens stay."""

    tokens: Array
    """Of the image itself at the layer, (1, T, D)."""

    def _inputs(self, variants: Array) -> tuple[Array, dict[str, Array] | None]:
        xp, (count, width, rows, columns) = namespace(variants), variants.shape
        patches = xp.reshape(channels_last(variants), (count, rows * columns, width))
        front = self.tokens[:, : self.tokens.shape[1] - rows * columns, :]
        return super()._inputs(xp.concat([xp.concat([front] * count, axis=0), patches], axis=1))


def patches_as_maps(function: TargetFunction) -> TargetFunction:
    """The function itself where its layer holds maps; where it holds tokens, the same with its patches as maps.

    Raises:
        LayerError: the tokens are not a grid of patches.
    """
    if function.activation.ndim != 3:
        return function
    maps = tokens_to_maps(function.activation, (function.image.shape[2], function.image.shape[3]))
    shared = {name: getattr(function, name) for name in ("model", "image", "objective", "layer")}
    return PatchFunction(**shared, activation=maps, tokens=function.activation)
