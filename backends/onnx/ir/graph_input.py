"""Description of the network's image input (or latent code): shape, tensor, layout and batch size."""

from dataclasses import dataclass

from crosslens.model import InputSpec

__all__ = ["GraphInput"]


@dataclass(frozen=True)
class GraphInput:
    """The one input of a graph: an image or a latent code."""

    spec: InputSpec
    tensor: str
    channels_last: bool
    batch: int | None
    """The only batch size that the file allows; None if any."""
