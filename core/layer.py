"""One place in a network, and the two that every network has."""

from dataclasses import dataclass

__all__ = ["INPUT", "OUTPUT", "Layer"]

INPUT = "<input>"
"""The image itself, as a layer: priors on the image are objectives like any other."""
OUTPUT = "<output>"
"""What the network returns, as a layer; (N, K) for a classifier."""


@dataclass(frozen=True)
class Layer:
    """One place in a network. `kind` is the framework's own word for it (Conv2d, Activation, Relu)."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    """Channels-first, as at `InputSpec.example_shape`; the batch, first, is None; a number stands where it is not."""
    aliases: tuple[str, ...] = ()

    @property
    def has_maps(self) -> bool:
        """Whether the output is (N, C, H, W) with more than one position."""
        return len(self.shape) == 4 and self.shape[0] is None and self.shape[2:] != (1, 1)
