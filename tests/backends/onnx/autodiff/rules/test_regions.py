"""RoiAlign and DeformConv against torch float64, written as the papers have them, and differences of onnxruntime."""

import numpy as np
import pytest
import torch
from crosslens.backends.onnx import check_rule
from crosslens.errors import UnsupportedOperators
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F  # noqa: N812


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def one_node(op, inputs, constants=(), opset=16, **attributes):
    """A model of one node: floats of `inputs` are its inputs, the named ones its constants."""
    kinds = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    infos = [
        helper.make_tensor_value_info(k, kinds[v.dtype], v.shape)
        for k, v in inputs.items() if v is not None and k not in constants
    ]  # fmt: skip
    tensors = [numpy_helper.from_array(inputs[k], k) for k in constants]
    names = [k if v is not None else "" for k, v in inputs.items()]
    nodes = [helper.make_node(op, names, ["y"], name="node", **attributes)]
    graph = helper.make_graph(nodes, "one", infos, [helper.make_empty_tensor_value_info("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


REGIONS = np.float32([[0, 0, 12, 9], [3.3, 1.2, 9.1, 14.7], [-6, -9, 5, 40], [7, 7, 7.1, 7.2], [30, 2, 44, 9]])
ALIGNED = {
    "as torchvision's detectors": (16, {"sampling_ratio": 2, "coordinate_transformation_mode": "output_half_pixel"}),
    "aligned": (16, {"sampling_ratio": 2, "coordinate_transformation_mode": "half_pixel"}),
    "as many samples as the region has pixels": (16, {"coordinate_transformation_mode": "half_pixel"}),
    "as many, not aligned": (16, {"coordinate_transformation_mode": "output_half_pixel"}),
    "before opset 16": (10, {"sampling_ratio": 3}),
}


@pytest.mark.parametrize("case", ALIGNED)
def test_roi_align_is_linear_in_the_maps(case):
    """Regions that are small, large, empty, and beside the image; three of the second image, none of the third."""
    opset, how = ALIGNED[case]
    inputs = {"x": rand(3, 2, 6, 8), "r": REGIONS, "i": np.array([0, 1, 1, 0, 1])}
    model = one_node("RoiAlign", inputs, "ri", opset, output_height=3, output_width=2, spatial_scale=0.5, **how)
    check_rule(model, inputs, tolerance=2e-3, step=0.5)


def test_roi_align_that_takes_maxima_is_refused_by_name():
    inputs = {"x": rand(3, 2, 6, 8), "r": REGIONS, "i": np.array([0, 1, 1, 0, 1])}
    with pytest.raises(UnsupportedOperators, match=r"RoiAlign with mode='max' at node 'node': .* with mode='avg'"):
        check_rule(one_node("RoiAlign", inputs, "ri", mode="max", output_height=2, output_width=2), inputs)


def deformed(x, w, offset, b, mask, *, stride, padding, dilation, groups, moved):
    """Equation 2 of the second paper, one window's read after the other, bilinear and zero outside."""
    n, c, height, width = x.shape
    high, wide = offset.shape[2:]
    offset = offset.view(n, moved, w.shape[2] * w.shape[3], 2, high, wide)
    reads = []
    for place in range(w.shape[2] * w.shape[3]):
        i, j = divmod(place, w.shape[3])
        rows = (torch.arange(high) * stride - padding + i * dilation)[:, None] + offset[:, :, place, 0]
        columns = (torch.arange(wide) * stride - padding + j * dilation)[None] + offset[:, :, place, 1]
        grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], -1).flatten(0, 1)
        read = F.grid_sample(x.reshape(n * moved, -1, height, width), grid, align_corners=True)
        read = read.view(n, moved, c // moved, high, wide)
        if mask is not None:
            read = read * mask.view(n, moved, -1, high, wide)[:, :, None, place]
        reads.append(read.reshape(n, c, high, wide))
    columns = torch.stack(reads, 2).view(n, groups, c // groups * len(reads), high, wide)
    y = torch.einsum("ngkhw,gmk->ngmhw", columns, w.reshape(groups, w.shape[0] // groups, -1)).flatten(1, 2)
    return y if b is None else y + b[:, None, None]


DEFORMED = {
    "plain": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "moved": 1},
    "strides, borders, groups": {"stride": 2, "padding": 2, "dilation": 2, "groups": 2, "moved": 2},
}


@pytest.mark.parametrize("case", DEFORMED)
@pytest.mark.parametrize("whole", [True, False], ids=["bias and mask", "neither"])
@pytest.mark.parametrize("opset", [19, 22])
def test_deform_conv(vjp_of_node, case, whole, opset):
    how = DEFORMED[case]
    x, w = rand(2, 4, 6, 7), rand(6, 4 // how["groups"], 3, 2, seed=1)
    size = [(n + 2 * how["padding"] - how["dilation"] * (k - 1) - 1) // how["stride"] + 1 for n, k in ((6, 3), (7, 2))]
    offset = 1.5 * rand(2, how["moved"] * 12, *size, seed=2)
    inputs = {"x": x, "w": w, "o": offset, "b": rand(6, seed=3) if whole else None}
    inputs["m"] = rand(2, how["moved"] * 6, *size, seed=4) if whole else None
    named = {"strides": [how["stride"]] * 2, "pads": [how["padding"]] * 4, "dilations": [how["dilation"]] * 2}
    named |= {"group": how["groups"], "offset_group": how["moved"]}
    given = [name for name, value in inputs.items() if value is not None]
    exact = {n: torch.tensor(inputs[n], dtype=torch.float64, requires_grad=True) for n in given}
    y = deformed(*(exact.get(n) for n in inputs), **how)
    dy = rand(*y.shape, seed=5)
    want = torch.autograd.grad(y, list(exact.values()), torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node("DeformConv", inputs, {"y": dy}, wrt=given, opset=opset, **named)
    for name, gradient in zip(given, want, strict=True):
        scale = float(gradient.abs().max())
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-3, atol=2e-5 * scale, err_msg=name)


@pytest.mark.parametrize("aligned", [0, 1])
@pytest.mark.parametrize("size", [(1, 2, 4, 5), (2, 3, 3, 4), (2, 1, 2, 3, 4)])
def test_affine_grid_is_torch_float64(vjp_of_node, size, aligned):
    """One image too: the function body squeezes that axis away, and its shapes are lost."""
    axes = len(size) - 2
    theta, dy = rand(size[0], axes, axes + 1), rand(size[0], *size[2:], axes)
    exact = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    y = F.affine_grid(exact, list(size), align_corners=bool(aligned))
    (want,) = torch.autograd.grad(y, exact, torch.tensor(dy, dtype=torch.float64))
    inputs = {"x": theta, "size": np.array(size)}
    got = vjp_of_node("AffineGrid", inputs, {"y": dy}, opset=20, constants=["size"], align_corners=aligned)["x"]
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("aligned", [0, 1])
def test_affine_grid_of_a_single_row_is_onnxruntimes(aligned):
    """torch has an only row in the middle, aligned or not; onnxruntime at the end."""
    inputs = {"x": rand(2, 2, 3), "size": np.array([2, 3, 1, 4])}
    check_rule(one_node("AffineGrid", inputs, ["size"], opset=20, align_corners=aligned), inputs)
