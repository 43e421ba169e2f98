"""onnxruntime's own quantised operators against its kernels (forward) and torch float64 (gradients)."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.model import InputSpec
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from torch.nn import functional as F  # noqa: N812

MICROSOFT = "com.microsoft"


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def fused(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), name=op, domain=MICROSOFT, **attributes)


def net(nodes, shape, constants, opset=17, outputs=("y",), imports=True):
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(MICROSOFT, 1)] * imports)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def by_onnxruntime(proto, x, name="y"):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run([name], {"x": x})[0]


def alone_by_onnxruntime(proto, x):
    """Image by image, as a network runs whose steps of quantisation are those of a whole batch."""
    return np.concatenate([by_onnxruntime(proto, x[n : n + 1]) for n in range(len(x))])


def close(got, want, rtol=2e-5):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


def by_torch(function, x, dy):
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(function(exact), exact, torch.tensor(dy, dtype=torch.float64))
    return found.numpy()


def t(value):
    return torch.tensor(np.asarray(value), dtype=torch.float64)


def packed(steps, bits):
    """Written slowly: the first number in the lowest bits of each byte; steps (..., count), filled up with zeros."""
    each = 8 // bits
    rows = steps.reshape(-1, steps.shape[-1])
    out = np.zeros((len(rows), -(-rows.shape[1] // each)), np.uint8)
    for r, row in enumerate(rows):
        for k, step in enumerate(row):
            out[r, k // each] |= int(step) << (bits * (k % each))
    return out.reshape(*steps.shape[:-1], -1)


@pytest.mark.parametrize(("bits", "features", "zeros"), [
    (4, 40, "none"), (4, 40, "packed"), (4, 40, "floats"), (8, 32, "none"), (8, 32, "packed"), (2, 48, "packed"),
])  # fmt: skip
def test_a_product_with_weights_of_few_bits(bits, features, zeros):
    """40 features fill two blocks of 32 only in part."""
    block, rows = (32, 6) if features == 40 else (16, 6)
    blocks = -(-features // block)
    draw = np.random.default_rng(bits)
    steps = draw.integers(0, 2**bits, (rows, blocks, block)).astype(np.uint8)
    middle = draw.integers(0, 2**bits, (rows, blocks)).astype(np.uint8)
    scales = draw.uniform(0.01, 0.03, (rows, blocks)).astype(np.float32)
    constants = {"w": packed(steps, bits), "s": scales, "b": rand(rows)}
    names = ["x", "w", "s", "", "", "b"]
    if zeros != "none":
        constants["z"] = packed(middle, bits) if zeros == "packed" else middle.astype(np.float32)
        names[3] = "z"
    offset = (middle if zeros != "none" else np.full_like(middle, 2 ** (bits - 1)))[..., None].astype(np.float64)
    weights = ((steps - offset) * scales[..., None]).reshape(rows, -1)[:, :features]
    node = fused("MatMulNBits", names, K=features, N=rows, bits=bits, block_size=block)
    proto, x, dy = net([node], (5, features), constants), rand(2, 5, features), rand(2, 5, rows, seed=1)
    pull = wrap(proto, input_shape=InputSpec.latent((5, features))).vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], by_onnxruntime(proto, x), 1e-4)
    close(pull.activations[OUTPUT], x @ weights.T + constants["b"], 1e-4)
    close(pull.gradients[INPUT], dy @ weights, 1e-4)


@pytest.mark.parametrize("columns", [1, 36])
def test_quantised_attention_is_that_of_the_floats_backward(columns):
    """A scale for all or for each column; small steps, since some processors cut off large sums."""
    hidden, heads, tokens = 12, 3, (5, 12)
    steps = np.random.default_rng(0).integers(-60, 60, (hidden, 3 * hidden)).astype(np.int8)
    scale = np.random.default_rng(1).uniform(0.002, 0.004, columns).astype(np.float32)
    constants = {"w": steps, "b": rand(3 * hidden), "of_w": scale if columns > 1 else scale[0],
                 "zero_w": np.zeros(columns, np.int8) if columns > 1 else np.int8(0)}  # fmt: skip
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "of_q", "zero_q"]),
        fused("QAttention", ["q", "w", "b", "of_q", "of_w", "", "zero_q", "zero_w"], num_heads=heads),
    ]
    proto, x, dy = net(nodes, tokens, constants), rand(2, *tokens), rand(2, *tokens, seed=3)

    def attention(x):
        q, k, v = (x @ t(steps * scale.astype(np.float64)) + t(constants["b"])).split(hidden, -1)
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
        return (torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v).transpose(1, 2).flatten(2)

    pull = wrap(proto, input_shape=InputSpec.latent(tokens)).vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], alone_by_onnxruntime(proto, x), 1e-4)
    rounded = 0.5 / 255 * (np.ptp(x) + 0)
    want = by_torch(attention, x, dy)
    assert np.linalg.norm(pull.gradients[INPUT] - want) < 10 * rounded * np.linalg.norm(want)


def test_an_lstm_with_weights_in_bytes_is_that_of_the_floats_backward(tmp_path):
    """As onnxruntime's dynamic quantiser makes it of one that reads rows both ways."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(6, 5, bidirectional=True)
    parts = [(getattr(lstm, f"{name}_l0{way}").detach().numpy()) for way in ("", "_reverse")
             for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]  # fmt: skip

    def gates(value):
        i, f, c, o = np.split(value, 4)
        return np.concatenate([i, o, f, c])

    w, r = (np.stack([gates(parts[k]), gates(parts[k + 4])]) for k in (0, 1))
    b = np.stack([np.concatenate([gates(parts[k]), gates(parts[k + 1])]) for k in (2, 6)])
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("LSTM", ["steps", "w", "r", "b"], ["h"], hidden_size=5, direction="bidirectional"),
        helper.make_node("ReduceSum", ["h", "axes"], ["both"], keepdims=0),
        helper.make_node("Transpose", ["both"], ["y"], perm=[1, 0, 2]),
    ]
    made = net(nodes, (7, 6), {"w": w, "r": r, "b": b, "axes": np.array([1])})
    onnx.save(made, tmp_path / "float.onnx")
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "bytes.onnx", reduce_range=True)
    proto = onnx.load(tmp_path / "bytes.onnx")
    assert "DynamicQuantizeLSTM" in {node.op_type for node in proto.graph.node}
    x, dy = rand(2, 7, 6), rand(2, 7, 5, seed=2)
    model = wrap(proto, input_shape=InputSpec.latent((7, 6)))
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])

    def function(x):
        return lstm.double()(x.transpose(0, 1))[0].unflatten(-1, (2, 5)).sum(-2).transpose(0, 1)

    want = by_torch(function, x, dy)
    close(pull.activations[OUTPUT], alone_by_onnxruntime(proto, x), 5e-2)
    assert np.linalg.norm(pull.gradients[INPUT] - want) < 0.05 * np.linalg.norm(want)


class Convolutional(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 16, 3, stride=2)
        self.gate, self.last = torch.nn.Conv2d(8, 8, 1), torch.nn.Linear(16, 4)

    def forward(self, x):
        y = F.relu(self.one(x))
        y = F.avg_pool2d(y * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(y, 1))), 2)
        return self.last(F.relu(self.two(y)).mean((2, 3)))


class Pictures(CalibrationDataReader):
    def __init__(self, images):
        self.left = iter([{"x": images}])

    def get_next(self):
        return next(self.left, None)


@pytest.fixture(scope="module")
def saved_at_its_highest(tmp_path_factory):
    """Quantised in both formats and saved by onnxruntime with all it can do: channels stand last."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(1)
    net, images = Convolutional().eval(), np.random.default_rng(0).random((4, 3, 14, 14), np.float32)
    torch.onnx.export(net, (torch.tensor(images),), folder / "plain.onnx", dynamo=False, opset_version=17,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})  # fmt: skip
    found = {}
    for kind in (QuantFormat.QOperator, QuantFormat.QDQ):
        quantised, path = folder / f"{kind}.onnx", folder / f"{kind}-saved.onnx"
        quantize_static(folder / "plain.onnx", quantised, Pictures(images), quant_format=kind, per_channel=True)
        options = ort.SessionOptions()
        options.optimized_model_filepath, options.log_severity_level = str(path), 4
        ort.InferenceSession(str(quantised), options, providers=["CPUExecutionProvider"])
        found[str(kind)] = onnx.load(path)
    return net, images, found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["QOperator", "QDQ"])
def test_a_quantised_network_that_onnxruntime_saved_with_channels_last(saved_at_its_highest, kind):
    net, images, found = saved_at_its_highest
    proto = found[kind]
    last = [a.i for node in proto.graph.node for a in node.attribute if a.name == "channels_last"]
    assert any(last), "onnxruntime has left the channels where they were"
    dy = rand(4, 4, seed=4)
    model = wrap(proto, preprocess=None)
    pull = model.vjp(images, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], by_onnxruntime(proto, images), 2e-2)
    want = by_torch(net.double(), images, dy)
    net.float()
    assert np.corrcoef(pull.gradients[INPUT].ravel(), want.ravel())[0, 1] > 0.9


def test_a_network_that_does_not_import_onnxruntimes_domain():
    """onnxruntime.transformers makes them in memory, and onnxruntime runs them."""
    proto = net([fused("QuickGelu", ["x"], alpha=1.0)], (6,), {}, imports=False)
    x = rand(3, 6)
    exact = torch.tensor(x, requires_grad=True)
    F.silu(exact).sum().backward()
    pull = wrap(proto, input_shape=InputSpec.latent((6,))).vjp(x, {OUTPUT: np.ones_like(x)}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], by_onnxruntime(proto, x))
    close(pull.gradients[INPUT], exact.grad.numpy())


OTHERS = {
    "GridSample": (
        [fused("GridSample", ["x", "grid"], mode="bilinear", align_corners=1)], (3, 5, 4),
        {"grid": np.random.default_rng(2).uniform(-1.2, 1.2, (1, 4, 6, 2)).astype(np.float32)},
        lambda x, grid: F.grid_sample(x, t(grid), align_corners=True),
    ),
    "Trilu": (
        [fused("Trilu", ["x", "k"], upper=0)], (4, 5), {"k": np.int64(1)}, lambda x, k: torch.tril(x, int(k)),
    ),
    "Pad": (
        [fused("Pad", ["x", "pads", "value"], mode="constant")], (4, 5),
        {"pads": np.array([0, 1, 0, 0, 2, 1]), "value": np.float32([2])},
        lambda x, **_: F.pad(x, (0, 1, 1, 2), value=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("opset", [17, 21])
@pytest.mark.parametrize("name", OTHERS)
def test_an_operator_that_onnxruntime_had_before_the_standard(name, opset):
    nodes, shape, constants, function = OTHERS[name]
    proto, x = net(nodes, shape, constants, opset=opset), rand(1, *shape)
    y = by_onnxruntime(proto, x)
    dy = rand(*y.shape, seed=6)
    pull = wrap(proto, input_shape=InputSpec.latent(shape)).vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], y)
    close(pull.gradients[INPUT], by_torch(lambda x: function(x, **constants), x, dy), 1e-4)


def test_a_choice_between_quantised_tensors():
    scale, zero = np.float32(0.02), np.uint8(128)
    constants = {"s": scale, "z": zero, "c": np.array([[True, False, True, False]]), "half": np.float32(0.5)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("Mul", ["x", "half"], ["h"]),
        helper.make_node("QuantizeLinear", ["h", "s", "z"], ["b"]),
        fused("QLinearWhere", ["c", "a", "s", "z", "b", "s", "z", "s", "z"], ["w"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"]),
    ]
    proto, x = net(nodes, (4,), constants), rand(3, 4)
    pull = wrap(proto, input_shape=InputSpec.latent((4,))).vjp(x, {OUTPUT: np.ones_like(x)}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], by_onnxruntime(proto, x), atol=1e-6)
    inside = np.abs(x * [1, 0.5, 1, 0.5]) < 2.5
    assert inside.all()
    np.testing.assert_allclose(pull.gradients[INPUT], np.tile(np.float32([1, 0.5, 1, 0.5]), (3, 1)), rtol=1e-6)
