"""Forms of operators in opsets 7 to 19: forward as onnxruntime runs the file, gradients by central differences."""

import numpy as np
import onnxruntime as ort
import pytest
from crosslens.backends.onnx.autodiff.reverse import append_gradients
from crosslens.backends.onnx.ir.prune import prune
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.load.load import graph_of
from crosslens.backends.onnx.shapes.constant_folding import fold
from onnx import TensorProto, helper, numpy_helper

STEP = 2e-3


def noise(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def spaced(*shape):
    """No two numbers nearer than 0.1, none nearer to 0 than 0.05: differences cross no kink and no tie."""
    count = int(np.prod(shape))
    values = (np.random.default_rng(count).permutation(count) - count // 2 + 0.5) * 0.1
    return values.reshape(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


X, FLAT = spaced(2, 3, 4, 5), noise(2, 3, 4)
SOME = {"s": noise(3, seed=1), "b": noise(3, seed=2), "m": noise(3, seed=3), "v": noise(3, seed=4) ** 2 + 0.5}
NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_REDUCTIONS = ("Mean", "Max", "Min", "L1", "L2", "LogSumExp", "SumSquare", "Prod")


def case(opsets, op, x, constants=None, *, outputs=1, wrt=("x",), **attributes):
    """One row: which opsets, the operator, its first input, the others in order (None: left out), attributes."""
    return opsets, op, x, constants or {}, outputs, wrt, attributes


CASES = {
    "BatchNormalization": case((7, 8), "BatchNormalization", X, SOME, epsilon=0.1, spatial=1),
    "BatchNormalization, its statistics named": case((9, 13), "BatchNormalization", X, SOME, epsilon=0.1),
    "Dropout": case((7, 9), "Dropout", X, ratio=0.3),
    "Dropout and its mask": case((10, 11), "Dropout", X, outputs=2, ratio=0.3),
    "Dropout by inputs": case((12, 13), "Dropout", X, {"r": np.float32(0.3)}, outputs=2),
    "Dropout that says it does not train": case((12, 13), "Dropout", X, {"r": np.float32(0.3), "t": np.array(False)}),
    "Upsample, nearest": case((7, 8), "Upsample", X, scales=[1.0, 1.0, 2.0, 3.0]),
    "Upsample, linear": case((7, 8), "Upsample", X, mode="linear", scales=[1.0, 1.0, 2.0, 3.0]),
    "Upsample, linear, by an input": case((9,), "Upsample", X, {"s": floats(1, 1, 2, 2)}, mode="linear"),
    "Resize by scales": case((10,), "Resize", X, {"s": floats(1, 1, 2, 1.7)}),
    "Resize by scales, linear": case((10,), "Resize", X, {"s": floats(1, 1, 2, 1.6)}, mode="linear"),
    "Resize by sizes of opset 11": case(
        (11,), "Resize", X, {"r": floats(), "s": floats(), "n": ints(2, 3, 7, 9)}, mode="linear"),
    "Resize by sizes": case((13, 18, 19), "Resize", X, {"r": None, "s": None, "n": ints(2, 3, 7, 9)}, mode="linear"),
    "Resize, crops": case(
        (11, 13, 18), "Resize", X, {"r": floats(0, 0, 0.1, 0.2, 1, 1, 0.8, 0.9), "s": floats(), "n": ints(2, 3, 3, 7)},
        mode="linear", coordinate_transformation_mode="tf_crop_and_resize"),
    "Resize, half pixels for nearest": case(
        (11, 12), "Resize", X, {"r": floats(), "s": floats(1, 1, 2, 3)},
        coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor"),
    "Resize, pytorch's half pixels": case(
        (11, 13, 19), "Resize", X, {"r": floats(), "s": floats(), "n": ints(2, 3, 1, 8)}, mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel"),
    "Resize, cubic": case(
        (11, 13, 18), "Resize", X, {"r": floats(), "s": floats(1, 1, 1.5, 2)}, mode="cubic", cubic_coeff_a=-0.5,
        exclude_outside=1),
    "Resize, nearest, rounded up": case(
        (11, 13, 18), "Resize", X, {"r": floats(), "s": floats(1, 1, 0.6, 2)}, nearest_mode="ceil",
        coordinate_transformation_mode="align_corners"),
    "Resize along axes": case(
        (18, 19), "Resize", X, {"r": None, "s": floats(2, 1.5)}, axes=[3, 2], mode="linear", antialias=1),
    "Softmax of all that follow": case((7, 11, 12), "Softmax", FLAT, axis=1),
    "Softmax by default": case((7, 11, 12), "Softmax", FLAT),
    "Softmax of the last": case((7, 11, 12), "Softmax", FLAT, axis=2),
    "Softmax counted from the end": case((11, 12), "Softmax", FLAT, axis=-2),
    "Softmax of everything": case((7, 12), "Softmax", FLAT, axis=0),
    "LogSoftmax of all that follow": case((7, 11, 12), "LogSoftmax", FLAT, axis=1),
    "LogSoftmax counted from the end": case((11, 12), "LogSoftmax", FLAT, axis=-1),
    "Softmax of one axis": case((13,), "Softmax", FLAT, axis=1),
    "Clip": case((7, 10), "Clip", X, min=-1.02, max=1.02),
    "Clip from below": case((7, 10), "Clip", X, min=0.0),
    "Clip not at all": case((7,), "Clip", X),
    "Clip by inputs": case((11, 12, 13), "Clip", X, {"l": np.float32(0), "h": np.float32(1.02)}),
    "Clip from above": case((11, 12, 13), "Clip", X, {"l": None, "h": np.float32(1.02)}),
    "Pad": case((7, 10), "Pad", X, pads=[0, 0, 1, 2, 0, 1, 0, -1], value=0.7),
    "Pad, reflected": case((7, 10), "Pad", X, mode="reflect", pads=[0, 0, 1, 2, 0, 0, 0, 1]),
    "Pad, edge": case((7, 10), "Pad", X, mode="edge", pads=[0, 0, 1, 2, 0, 0, 0, 1]),
    "Pad by inputs": case((11, 13), "Pad", X, {"p": ints(0, 0, 1, 2, 0, 1, 0, -1), "c": np.float32(0.7)}),
    "Pad by inputs, reflected": case((11, 13, 18), "Pad", X, {"p": ints(0, 0, 2, 1, 0, 0, 0, 3)}, mode="reflect"),
    "Slice": case((7, 9), "Slice", X, starts=[1, -3], ends=[4, -1], axes=[2, 3]),
    "Slice without axes": case((7, 9), "Slice", X, starts=[0, 1], ends=[2, 9999]),
    "Slice by inputs": case((10, 11, 13), "Slice", X, {"a": ints(1, -1), "b": ints(4, -99), "c": ints(2, 3),
                                                        "d": ints(2, -2)}),
    "Squeeze": case((7, 12), "Squeeze", spaced(1, 3, 1, 4), axes=[0, 2]),
    "Squeeze counted from the end": case((11, 12), "Squeeze", spaced(1, 3, 1, 4), axes=[-2]),
    "Squeeze all": case((7, 12, 13), "Squeeze", spaced(1, 3, 1, 4)),
    "Unsqueeze": case((7, 12), "Unsqueeze", FLAT, axes=[0, 3]),
    "Unsqueeze counted from the end": case((11, 12), "Unsqueeze", FLAT, axes=[-1, 1]),
    "Squeeze by an input": case((13, 17), "Squeeze", spaced(1, 3, 1, 4), {"a": ints(-2)}),
    **{
        f"Reduce{kind}, {how}": case(
            (7, 11, 13, 17) if "axes" not in more or min(more["axes"]) >= 0 else (11, 13, 17),
            f"Reduce{kind}", np.abs(spaced(2, 3, 4)) if kind in ("L1", "Prod", "LogSum") else spaced(2, 3, 4), **more)
        for kind in (*_REDUCTIONS, "LogSum")
        for how, more in {
            "two axes": {"axes": [0, 2], "keepdims": 0},
            "from the end": {"axes": [-2]},
            "all": {"keepdims": 0},
        }.items()
    },
    "ReduceSum, two axes": case((7, 11, 12), "ReduceSum", FLAT, axes=[0, 2], keepdims=0),
    "ReduceSum, all": case((7, 11, 12, 13), "ReduceSum", FLAT),
    "ReduceSum by an input": case((13, 17), "ReduceSum", FLAT, {"a": ints(-1, 0)}, keepdims=0),
    "ReduceSum of no axes": case((13, 17), "ReduceSum", FLAT, {"a": ints()}, noop_with_empty_axes=1),
    "ReduceMean of no axes": case((18,), "ReduceMean", FLAT, {"a": ints()}, noop_with_empty_axes=1),
    "Split": case((7, 11), "Split", X, outputs=3, axis=3, split=[2, 1, 2]),
    "Split in halves": case((7, 11), "Split", X, outputs=2, axis=2),
    "Split counted from the end": case((11,), "Split", X, outputs=2, axis=-2),
    "Split by an input": case((13, 17, 18), "Split", X, {"s": ints(2, 1, 2)}, outputs=3, axis=-1),
    "Split in halves of 13": case((13, 17), "Split", X, outputs=2, axis=2),
    "Split with a rest": case((18,), "Split", X, outputs=2, axis=3, num_outputs=2),
    "TopK": case((7, 9), "TopK", X, outputs=2, axis=3, k=2),
    "TopK of the last": case((7, 9), "TopK", X, outputs=2, k=2),
    "TopK by an input": case((10,), "TopK", X, {"k": ints(2)}, outputs=2, axis=1),
    "TopK, the smallest": case((11, 13), "TopK", X, {"k": ints(2)}, outputs=2, axis=2, largest=0, sorted=0),
    "Gemm": case((7, 9, 11), "Gemm", noise(2, 4), {"w": noise(3, 4), "b": noise(3)}, transB=1, alpha=0.5, beta=2.0),
    "Gemm without a bias": case((11, 13), "Gemm", noise(4, 2), {"w": noise(4, 3)}, transA=1, alpha=0.5),
    "Cast": case((7, 9, 13), "Cast", X, to=TensorProto.DOUBLE),
    "AveragePool": case((7, 11), "AveragePool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "AveragePool, padding counted": case(
        (7, 11, 19), "AveragePool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    "AveragePool, ceiling": case(
        (10, 11, 19), "AveragePool", X, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=1),
    "AveragePool, ceiling and padding": case(
        (10, 11, 19), "AveragePool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1,
        count_include_pad=1),
    "AveragePool, ceiling, uncounted": case(
        (10, 11, 19), "AveragePool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    "AveragePool, same": case((7, 11), "AveragePool", X, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
    "MaxPool": case((7, 8, 10, 11), "MaxPool", X, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool and its places": case((8, 10, 11), "MaxPool", X, outputs=2, kernel_shape=[2, 2], strides=[2, 2]),
    "MaxPool and its places in columns": case(
        (8, 10, 11), "MaxPool", X, outputs=2, kernel_shape=[3, 2], strides=[1, 2], storage_order=1),
    "MaxPool, ceiling": case((10, 12), "MaxPool", X, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "MaxPool, dilated": case((10, 12), "MaxPool", X, kernel_shape=[2, 2], dilations=[2, 1], strides=[1, 2]),
    "PRelu": case((7, 9, 16), "PRelu", X, {"s": noise(3, 1, 1)}),
    "Flatten": case((7, 9), "Flatten", X, axis=2),
    "Flatten counted from the end": case((11, 13), "Flatten", X, axis=-2),
    "Concat": case((7, 11), "Concat", X, {"c": noise(2, 3, 4, 1)}, axis=3),
    "Gather": case((7, 11), "Gather", X, {"i": ints(2, 0, 2)}, axis=1),
    "Gather from the end": case((11, 13), "Gather", X, {"i": ints(-1, 0)}, axis=-1),
    "Scatter": case((9, 10), "Scatter", FLAT, {"i": ints(1, 0).reshape(1, 1, 2), "u": noise(1, 1, 2)}, axis=2),
    "DepthToSpace": case((7, 10), "DepthToSpace", spaced(1, 8, 2, 3), blocksize=2),
    "DepthToSpace, columns first": case((11, 13), "DepthToSpace", spaced(1, 8, 2, 3), blocksize=2, mode="CRD"),
    "LpPool": case((7, 11), "LpPool", X, kernel_shape=[2, 2], strides=[2, 2], p=2),
    "Sum": case((8,), "Sum", FLAT, {"a": noise(3, 1)}),
    "Pow": case((7, 12, 13), "Pow", np.abs(FLAT) + 0.3, {"e": np.float32(1.5)}),
    "Mean": case((8, 13), "Mean", FLAT, {"a": noise(3, 1)}),
    "Max": case((8, 12), "Max", FLAT, {"a": noise(3, 1)}),
    "InstanceNormalization": case((7, 16), "InstanceNormalization", X, {k: SOME[k] for k in "sb"}, epsilon=0.1),
    "LRN": case((7, 13), "LRN", X, size=3, alpha=0.5),
    **{
        f"ConvTranspose to a size, {auto}, {more}": case(
            (7, 11, 17), "ConvTranspose", noise(1, 2, 3, 3), {"w": noise(2, 3, 3, 3)}, strides=[2, 2],
            output_shape=[6, 8], output_padding=[more, more], auto_pad=auto)
        for auto in ("NOTSET", "SAME_UPPER", "SAME_LOWER") for more in (0, 1)
    },
    **{
        f"ConvTranspose, {auto}": case(
            (7, 11), "ConvTranspose", noise(1, 2, 3, 3), {"w": noise(2, 3, 3, 3)}, strides=[2, 2],
            auto_pad=auto)
        for auto in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    },
    "Tile": case((7, 13), "Tile", FLAT, {"r": ints(1, 2, 2)}),
    "Expand": case((8, 13), "Expand", noise(3, 1), {"n": ints(2, 3, 4)}),
    "Hardmax": case((7, 12), "Hardmax", FLAT, axis=1),
    "Einsum": case((12,), "Einsum", FLAT, {"w": noise(4, 2)}, equation="bij,jk->bki"),
    "Celu": case((12,), "Celu", X, alpha=0.7),
    "GatherElements": case((11, 13), "GatherElements", FLAT, {"i": ints(2, 0, 1).reshape(1, 3, 1)}, axis=1),
    "LeakyRelu": case((7, 15), "LeakyRelu", X, alpha=0.3),
    "Elu": case((7,), "Elu", X, alpha=0.3),
    "LpNormalization": case((7,), "LpNormalization", FLAT, axis=1, p=2),
    "MeanVarianceNormalization": case((9, 13), "MeanVarianceNormalization", X, axes=[0, 2, 3]),
    "GridSample": case((16,), "GridSample", X, {"g": noise(2, 2, 2, 2) / 2}, mode="bilinear", padding_mode="border"),
}  # fmt: skip
RUNS = [(name, opset) for name, row in CASES.items() for opset in row[0]]


def model_of(row, opset):
    _, op, x, constants, outputs, _, attributes = row
    made = ["y", "z", "t"][:outputs]
    names = ["x", *(name if value is not None else "" for name, value in constants.items())]
    node = helper.make_node(op, names, made, name="node", **attributes)
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if v is not None]
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    graph = helper.make_graph([node], "old", infos, [helper.make_empty_tensor_value_info(n) for n in made], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4 if opset < 13 else 8)


def opened(model):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def ours(model, x, dys):
    """Forward values of the raised graph, and its gradient."""
    graph = graph_of(model)
    fold(graph)
    names = [name for name in graph.outputs if name in dys]
    seeds = {name: f"seed:{name}" for name in names}
    for name, seed in seeds.items():
        graph.inputs[seed] = graph.types[seed] = graph.types[name]
    gradient = append_gradients(graph, seeds, ["x"])["x"]
    graph.outputs = [*names, gradient]
    graph.types[gradient] = graph.types["x"]
    prune(graph)
    feeds = {"x": x, **{seed: dys[name] for name, seed in seeds.items()}}
    *values, found = open_session(graph).run(graph.outputs, {k: v for k, v in feeds.items() if k in graph.inputs})
    return dict(zip(names, values, strict=True)), found


def by_differences(run, x, dys):
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * STEP
            ends.append((run(moved), float(moved[place])))
        (high, above), (low, below) = ends
        gradient[place] = sum(((high[n].astype(float) - low[n]) * dy).sum() for n, dy in dys.items()) / (above - below)
    return gradient


@pytest.mark.parametrize(("name", "opset"), RUNS)
def test_an_old_form_runs_as_in_onnxruntime_and_has_its_differences(name, opset):
    row = CASES[name]
    x, model = row[2], model_of(row, opset)
    session = opened(model)
    named = [o.name for o in session.get_outputs()]

    def run(x):
        return dict(zip(named, session.run(None, {"x": x}), strict=True))

    want = run(x)
    rng = np.random.default_rng(7)
    dys = {n: rng.standard_normal(v.shape).astype(v.dtype) for n, v in want.items() if v.dtype.kind == "f"}
    values, gradient = ours(model, x, dys)
    for output, value in values.items():
        np.testing.assert_allclose(value, want[output], rtol=1e-5, atol=1e-5, err_msg=output)
    slopes = by_differences(run, x, dys)
    np.testing.assert_allclose(gradient, slopes, rtol=0, atol=3e-3 * max(np.abs(slopes).max(), 1e-2))
