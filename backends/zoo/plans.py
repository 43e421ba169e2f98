"""What the weights alone do not say about a network: strides, repeats, order. Read by every framework's rebuild."""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["VGG16_STAGES", "Block", "lite0_blocks"]

VGG16_STAGES = (2, 2, 3, 3, 3)
"""Convolutions in each of VGG16's five stages, each followed by a pooling (Simonyan and Zisserman 2014, table 1, D)."""

_LITE0_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Repeats, kernel, stride of the first, expansion, channels (Tan and Le 2019, table 1)."""


class Block(NamedTuple):
    """An inverted residual of EfficientNet-Lite0; `residual` where the input is added to the output."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    expand: int

    @property
    def residual(self) -> bool:
        """Input and output have one shape."""
        return self.stride == 1 and self.inputs == self.outputs


def lite0_blocks() -> Iterator[Block]:
    """The sixteen blocks between the stem (32 channels) and the head (1280)."""
    inputs = 32
    for repeats, kernel, stride, expand, outputs in _LITE0_STAGES:
        for place in range(repeats):
            yield Block(inputs, outputs, kernel, 1 if place else stride, expand)
            inputs = outputs
