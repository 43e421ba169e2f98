"""The convolutions of a style network, one after another: what each backend builds, written once.

Johnson et al. (2016), supplement, table 1, with two changes that later papers agree on: pictures are padded by
reflection at each convolution (Dumoulin et al., 2017, table 7), not once and with borders cut off later; and sizes
double by nearest neighbour, followed by a convolution (Odena et al., 2016, "Deconvolution and Checkerboard Artifacts",
https://doi.org/10.23915/distill.00003), not by a transposed convolution.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from .spec import StyleSpec

__all__ = ["Convolution", "architecture", "multiplications", "weight_shapes"]


@dataclass(frozen=True)
class Convolution:
    """One convolution and what belongs to it, in this order: enlarge, pad, convolve, normalise, add, activate.

    The padding is by reflection, kernel // 2 on each side whatever the size and the stride: H becomes
    ceil(H / stride). TensorFlow's "same" would pad an even size at one side only.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    enlarges: bool = False
    """Height and width double first, by nearest neighbour; cut to the size before the stride that it undoes."""
    norm: str = "none"
    """With it there is no bias: the normalisation's shift makes it superfluous."""
    residual: str = ""
    """"start": what comes in is kept; "end": it is added to what the normalisation gives."""
    activation: str = "relu"
    """"relu", "sigmoid" or "none"."""


def architecture(spec: StyleSpec) -> tuple[Convolution, ...]:
    """The convolutions of a style network in the order in which they are computed."""
    return tuple(_decoder(spec) if spec.is_decoder else _feed_forward(spec))


def _feed_forward(spec: StyleSpec) -> Iterator[Convolution]:
    width, norm = spec.width, spec.norm
    yield Convolution("enter", 3, width, 9, norm=norm)
    yield Convolution("down_1", width, 2 * width, stride=2, norm=norm)
    yield Convolution("down_2", 2 * width, 4 * width, stride=2, norm=norm)
    for n in range(1, spec.blocks + 1):
        yield Convolution(f"block_{n}_1", 4 * width, 4 * width, norm=norm, residual="start")
        yield Convolution(f"block_{n}_2", 4 * width, 4 * width, norm=norm, residual="end", activation="none")
    yield Convolution("up_1", 4 * width, 2 * width, enlarges=True, norm=norm)
    yield Convolution("up_2", 2 * width, width, enlarges=True, norm=norm)
    yield Convolution("leave", width, 3, 9, activation="sigmoid")


def _decoder(spec: StyleSpec) -> Iterator[Convolution]:
    """The mirror of VGG's trunk: from stride to stride / 2 and so on to 1, channels width times the stride there.

    No size has more channels than the code, or than `width`. AdaIN's decoder is that of code (512, 8), width 64 and
    blocks 4 (VGG19 up to relu4_1): 512-256, twice as large, 256-256 three times, 256-128, twice as large, 128-128,
    128-64, twice as large, 64-64, 64-3.
    """
    assert spec.code is not None
    channels, stride = spec.code
    most = max(channels, spec.width)
    strides = [stride >> n for n in range(stride.bit_length())]
    widths = [min(spec.width * s, most) for s in strides[1:]] + [3]
    for s, after in zip(strides, widths, strict=True):
        count = 1 if s == stride > 1 else max(spec.blocks if s > 2 else min(spec.blocks, 2), 1)
        for n in range(1, count + 1):
            outputs = after if n == count else min(spec.width * s, most)
            enlarges = n == 1 and s < stride
            last = s == 1 and n == count
            activation = "sigmoid" if last else "relu"
            yield Convolution(f"at_{s}_{n}", channels, outputs, enlarges=enlarges, activation=activation)
            channels = outputs


def weight_shapes(spec: StyleSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of a style network's weights by the names that PyTorch's state_dict gives them."""
    return {name: shape for each in architecture(spec) for name, shape in _shapes(each, spec.styles)}


def _shapes(each: Convolution, styles: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{each.name}.convolution.weight", (each.outputs, each.inputs, each.kernel, each.kernel)
    if each.norm == "none":
        yield f"{each.name}.convolution.bias", (each.outputs,)
        return
    shape = (styles, each.outputs) if each.norm == "conditional" else (each.outputs,)
    names = ["weight", "bias"] + ["running_mean", "running_var"] * (each.norm == "batch")
    yield from ((f"{each.name}.norm.{name}", shape) for name in names)


def multiplications(spec: StyleSpec, height: int, width: int) -> int:
    """Multiplications of all convolutions for one picture; each counts with its addition as two FLOPs.

    Args:
        spec: the network.
        height: of the picture in pixels, of a decoder the number of rows of the features.
        width: likewise.
    """
    total, sizes = 0, [(height, width)]
    for each in architecture(spec):
        rows, columns = sizes[-1]
        if each.stride > 1:
            sizes.append((-(-rows // each.stride), -(-columns // each.stride)))
        elif each.enlarges and spec.is_decoder:
            sizes.append((2 * rows, 2 * columns))
        elif each.enlarges:
            sizes.pop()
        total += each.outputs * each.inputs * each.kernel**2 * prod(sizes[-1])
    return total
