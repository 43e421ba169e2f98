"""window_geometry: padding by `auto_pad` as the ONNX standard defines it, and the pixels that no window reads."""

import pytest
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Type
from crosslens.backends.onnx.ir.sliding_window import window_geometry


def geometry(size, out, kernel, **attributes):
    graph = Graph([], {}, {"x": Type(FLOAT, (1, 3, size))}, ["y"], {"": 18})
    graph.types |= {"x": Type(FLOAT, (1, 3, size)), "y": Type(FLOAT, (1, 3, out))}
    return window_geometry(graph, graph.node("MaxPool", "x", outputs=["y"], **attributes), (kernel,))


@pytest.mark.parametrize(("mode", "pads"), [("SAME_UPPER", (0, 1)), ("SAME_LOWER", (1, 0)), ("VALID", (0, 0))])
def test_auto_pad_puts_the_odd_pixel_at_the_end_or_at_the_start(mode, pads):
    window = geometry(6, 3 if mode != "VALID" else 2, 3, strides=[2], auto_pad=mode)
    assert window.pads == pads


def test_the_remainder_is_what_the_last_window_leaves_unread():
    assert geometry(8, 3, 2, strides=[3]).remainder == (0,)
    assert geometry(9, 3, 2, strides=[3]).remainder == (1,)


def test_reach_counts_dilation():
    assert geometry(9, 5, 3, dilations=[2]).reach == (4,)
