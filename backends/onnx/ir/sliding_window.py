"""The sliding window of a convolution or pooling, in numbers: kernel size, stride, dilation, padding."""

from dataclasses import dataclass

from .graph import Graph, Node

__all__ = ["WindowGeometry", "window_geometry"]


@dataclass(frozen=True)
class WindowGeometry:
    """Per spatial axis: input size, output size, kernel, stride, dilation, padding before and after."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels from the first to the last that a window reads, dilation included."""
        return tuple(d * (k - 1) for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def pads(self) -> tuple[int, ...]:
        """The attribute `pads` of ONNX: all before, then all after."""
        return (*self.before, *self.after)

    @property
    def remainder(self) -> tuple[int, ...]:
        """Pixels at the end that no window reads; negative if, with ceil_mode, the last one reads past the end."""
        whole = zip(self.inputs, self.outputs, self.strides, self.before, self.after, self.reach, strict=True)
        return tuple(i + b + a - reach - 1 - s * (o - 1) for i, o, s, b, a, reach in whole)

    @property
    def unit_stride(self) -> bool:
        """Whether windows move by one pixel along every axis."""
        return all(s == 1 for s in self.strides)


def window_geometry(g: Graph, node: Node, kernel: tuple[int, ...]) -> WindowGeometry:
    """The window of a Conv or pooling node, with `auto_pad` resolved to numbers.

    SAME_UPPER puts the odd pixel at the end, SAME_LOWER at the start.
    """
    inputs, outputs = g.sizes(node.inputs[0]), g.sizes(node.outputs[0])
    rank = len(kernel)
    strides = node.attr("strides", (1,) * rank)
    dilations = node.attr("dilations", (1,) * rank)
    pads = node.attr("pads", (0,) * (2 * rank))
    auto = node.attr("auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"}:
        sizes = zip(inputs, outputs, strides, kernel, dilations, strict=True)
        total = [max(s * (o - 1) + d * (k - 1) + 1 - i, 0) for i, o, s, k, d in sizes]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = (*small, *large) if auto == "SAME_UPPER" else (*large, *small)
    elif auto == "VALID":
        pads = (0,) * (2 * rank)
    return WindowGeometry(inputs, outputs, kernel, tuple(strides), tuple(dilations), pads[:rank], pads[rank:])
