"""RoiAlign, averaging: y = A x B' for each region, A and B what bilinear reads along rows and columns weigh.

So dx adds up A' dy B over the regions of an image. Regions count as constants, as in torchvision.
He et al. 2017, https://arxiv.org/abs/1703.06870, section 3.
"""

from crosslens.errors import UnsupportedOperators

from ...ir.graph import FLOAT, INT64, Graph, Node
from ..registry import Cotangents, vjp


@vjp("RoiAlign", since=16)
def roi_align(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, H, W), regions (R, 4), images (R,), dy (R, C, h, w)."""
    if node.attr("mode", "avg") != "avg":
        raise UnsupportedOperators(
            f"no derivative rule for RoiAlign with mode='max' at node {node.name!r}: each reader of that mode takes "
            "another maximum. Export the network with mode='avg'"
        )
    x, regions, images = node.inputs
    height, width = g.sizes(x)
    out_h, out_w = node.attr("output_height"), node.attr("output_width")
    ends = g.ops("Split", 4, g.op("Cast", regions, to=FLOAT), axis=1, num_outputs=4)
    rows = _reads(g, node, (ends[1], ends[3]), out_h, height)
    columns = _reads(g, node, (ends[0], ends[2]), out_w, width)
    cotangent = g.op("MatMul", g.op("Cast", dy, to=FLOAT), g.op("Unsqueeze", columns, g.ints([1])))
    channels = g.sizes(x, [1])[0]
    flat = g.op("Reshape", g.op("Transpose", cotangent, perm=[1, 3, 0, 2]), g.ints([channels * width, -1]))
    count = g.op("Gather", g.op("Shape", x), g.const(0), axis=0)
    numbers = g.op("Range", g.const(0), count, g.const(1))
    places = g.op("Cast", g.op("Unsqueeze", images, g.ints([0])), to=INT64)
    own = g.op("Cast", g.op("Equal", places, g.op("Unsqueeze", numbers, g.ints([1]))), to=FLOAT)
    of_image = g.op("Mul", g.op("Unsqueeze", own, g.ints([2, 3])), g.op("Unsqueeze", rows, g.ints([0])))
    of_image = g.op(
        "Reshape", of_image, g.op("Concat", g.op("Unsqueeze", count, g.ints([0])), g.ints([-1, height]), axis=0)
    )
    maps = g.op("Reshape", g.op("MatMul", flat, of_image), g.ints([-1, channels, width, height]))
    return [g.op("Cast", g.op("Transpose", maps, perm=[0, 1, 3, 2]), to=g.elem(x)), None, None]


def _reads(g: Graph, node: Node, ends: tuple[str, str], count: int, size: int) -> str:
    """(R, count, size): how strongly each of the region's cells reads each of the `size` pixels along one axis."""
    scale, ratio = node.attr("spatial_scale"), node.attr("sampling_ratio")
    half = node.attr("coordinate_transformation_mode") == "half_pixel"
    shift = g.const(0.5 if half else 0.0, "float32")
    start, end = (g.op("Sub", g.op("Mul", e, g.const(scale, "float32")), shift) for e in ends)
    length = g.op("Sub", end, start)
    length = length if half else g.op("Max", length, g.const(1.0, "float32"))
    cell = g.op("Unsqueeze", g.op("Div", length, g.const(count, "float32")), g.ints([2]))
    each = g.const(float(ratio), "float32") if ratio > 0 else g.op("Ceil", cell)
    most = g.const(float(ratio), "float32") if ratio > 0 else g.op("ReduceMax", each, keepdims=0)
    samples = g.op("Range", g.const(0.0, "float32"), most, g.const(1.0, "float32"))
    inside = g.op("Div", g.op("Add", samples, g.const(0.5, "float32")), g.op("Max", each, g.const(1.0, "float32")))
    cells = g.const([[[c] for c in range(count)]], "float32")
    place = g.op("Add", g.op("Unsqueeze", start, g.ints([2])), g.op("Mul", g.op("Add", cells, inside), cell))
    counts = g.op("And", g.op("GreaterOrEqual", place, g.const(-1.0, "float32")),
                  g.op("LessOrEqual", place, g.const(float(size), "float32")))  # fmt: skip
    counts = g.op("And", counts, g.op("Less", samples, each))
    near = g.op("Clip", place, g.const(0.0, "float32"), g.const(size - 1.0, "float32"))
    far = g.op("Abs", g.op("Sub", g.op("Unsqueeze", near, g.ints([3])), g.const(range(size), "float32")))
    weights = g.op("Relu", g.op("Sub", g.const(1.0, "float32"), far))
    weights = g.op("Mul", weights, g.op("Unsqueeze", g.op("Cast", counts, to=FLOAT), g.ints([3])))
    return g.op("Div", g.op("ReduceSum", weights, g.ints([2]), keepdims=0), g.op("Max", each, g.const(1.0, "float32")))
