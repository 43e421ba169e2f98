"""The input of a graph that is explained, an image or a latent code: shape, tensor, layout and batch size."""

from dataclasses import dataclass

from crosslens.model import InputSpec

__all__ = ["GraphInput"]


@dataclass(frozen=True)
class GraphInput:
    """What the graph's input is."""

    spec: InputSpec
    tensor: str
    channels_last: bool
    batch: int | None
    """The only batch size that the file allows; None if any."""
