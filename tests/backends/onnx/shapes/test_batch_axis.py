"""Tensors whose first axis is time, or windows, are no layers; an output with the time first is turned or refused."""

import io
import warnings

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper
from torch import nn

IMAGES = np.random.default_rng(0).random((3, 1, 16, 40), np.float32)


class Reader(nn.Module):
    """(N, 1, 16, 40) -> (20, N, 10): steps first, as OCR networks have it."""

    def __init__(self):
        super().__init__()
        self.conv, self.lstm, self.fc = nn.Conv2d(1, 8, 3, 2, 1), nn.LSTM(64, 16), nn.Linear(16, 10)

    def forward(self, x):
        return self.fc(self.lstm(self.conv(x).relu().permute(3, 0, 1, 2).flatten(2))[0])


class Encoder(nn.Module):
    """Tokens (40, N, 8) inside, an output (N, 5)."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 8, 4, 4), nn.Linear(8, 5)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)

    def forward(self, x):
        return self.fc(self.block(self.conv(x).flatten(2).permute(2, 0, 1)).mean(0))


class Windows(nn.Module):
    """Four windows an image, (4 N, 2, 4, 10), as in Swin."""

    def __init__(self):
        super().__init__()
        self.conv, self.inner, self.fc = nn.Conv2d(1, 2, 2, 2), nn.Conv2d(2, 2, 1), nn.Linear(2, 5)

    def forward(self, x):
        x = self.conv(x).unflatten(2, (2, 4)).unflatten(4, (2, 10)).permute(0, 2, 4, 1, 3, 5)
        x = self.inner(x.reshape(-1, 2, 4, 10)).relu()
        return self.fc(x.reshape(-1, 4, 2, 40).mean((1, 3)))


def exported(net, *, free=True):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), (torch.zeros(2 if free else 1, 1, 16, 40),), buffer, dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "n"}} if free else None,
        )  # fmt: skip
    return onnx.load_from_string(buffer.getvalue())


@pytest.fixture(params=[True, False], ids=["any batch", "a batch of one"])
def free(request):
    torch.manual_seed(0)
    return request.param


def test_an_output_of_steps_is_handed_out_with_the_images_first(free):
    net = Reader()
    model = crosslens.wrap(exported(net, free=free), preprocess=None)
    assert model.layers[OUTPUT].shape == (None, 20, 10)
    want = net(torch.from_numpy(IMAGES)).detach().numpy().transpose(1, 0, 2)
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT], want, rtol=1e-4, atol=1e-5)


def test_doctor_says_that_the_steps_came_first():
    model = crosslens.wrap(exported(Reader()), preprocess=None)
    said = {name: text for name, _, text in model.diagnosis()}
    assert said["output axes"] == "the file's output has shape (20, 1, 10); the batch axis is moved to the front"


def test_its_gradient_is_torch_s(free):
    net = Reader()
    model = crosslens.wrap(exported(net, free=free), preprocess=None)
    dy = np.random.default_rng(1).standard_normal((3, 20, 10)).astype(np.float32)
    image = torch.tensor(IMAGES, requires_grad=True)
    (want,) = torch.autograd.grad(net(image), image, torch.from_numpy(dy.transpose(1, 0, 2)))
    np.testing.assert_allclose(model.vjp(IMAGES, {OUTPUT: dy}).gradients[INPUT], want.numpy(), rtol=1e-3, atol=1e-6)


def test_two_images_of_an_ocr_network_have_two_scores(free):
    model = crosslens.wrap(exported(Reader(), free=free), preprocess=None)
    for name in ("gradient", "rise", "occlusion"):
        result = crosslens.method(name)(model, IMAGES[:2], target=f"channel:{OUTPUT}:3")
        assert result.scores.shape == (2,)
        assert result.values.shape[0] == 2


def test_what_has_steps_first_is_no_layer(free):
    model = crosslens.wrap(exported(Reader(), free=free), preprocess=None)
    assert [layer.kind for layer in model.layers.values()] == ["Input", "Conv", "Relu", "Output"]


@pytest.mark.parametrize("net", [Encoder, Windows])
def test_each_layer_gives_one_entry_an_image(free, net):
    model = crosslens.wrap(exported(net(), free=free), preprocess=None)
    found = model.forward(IMAGES, list(model.layers))
    assert {name: values.shape for name, values in found.items()} == {
        name: (3, *layer.shape[1:]) for name, layer in model.layers.items()
    }
    assert {"Conv", "ReduceMean"} <= {layer.kind for layer in model.layers.values()}


def test_windows_of_an_image_are_no_images(free):
    kinds = [layer.kind for layer in crosslens.wrap(exported(Windows(), free=free), preprocess=None).layers.values()]
    assert kinds.count("Conv") == 1
    assert "Relu" not in kinds


def small(nodes, sizes, output, *more, **constants):
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (output, *more)]
    graph = helper.make_graph([helper.make_node(*node, **how) for *node, how in nodes], "g", ends, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


SUMMED = [
    ("Reshape", ["x", "rows"], ["r"], {}),
    ("ReduceMean", ["x", "axes"], ["pooled"], {"keepdims": 0}),
    ("ReduceSum", ["r", "first"], ["y"], {"keepdims": 0}),
]
MADE = {"rows": [-1, 64], "axes": [2, 3], "first": [0]}


def test_an_output_without_an_axis_of_images_is_refused_with_what_to_do():
    with pytest.raises(
        ModelError,
        match=r"output has shape \(64,\) for 1 image, \(64,\) for 2 images, \(64,\) for 3 images: no axis is the batch "
        r"axis. Choose another output or a tensor before it, output=NAME",
    ):
        crosslens.wrap(small(SUMMED, ["n", 3, 8, 8], "y", **MADE), preprocess=None)


def test_a_tensor_before_it_can_be_the_output():
    model = crosslens.wrap(small(SUMMED, ["n", 3, 8, 8], "y", **MADE), preprocess=None, output="pooled")
    x = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], x.mean((2, 3)), rtol=1e-5)


def test_a_network_that_says_any_batch_but_takes_one_image_takes_them_in_turns():
    """A Reshape to (1, 192) in a file whose batch axis is free: two images would be refused, or mixed."""
    nodes = [("Reshape", ["x", "flat"], ["f"], {}), ("MatMul", ["f", "w"], ["y"], {})]
    w = np.random.default_rng(1).standard_normal((192, 5)).astype(np.float32)
    model = crosslens.wrap(small(nodes, ["n", 3, 8, 8], "y", flat=[1, 192], w=w), preprocess=None)
    x = np.random.default_rng(0).random((3, 3, 8, 8), np.float32)
    np.testing.assert_allclose(model.forward(x)[OUTPUT], x.reshape(3, 192) @ w, rtol=1e-5)
    assert ("axes", None, "batch: 1 at once; images of a fixed size 3 x 8 x 8") in list(model.diagnosis())


def test_a_free_size_that_the_network_does_not_take_says_what_to_type():
    """As PP-OCR's recognisers: any height is declared, 48 is what the weights need."""
    nodes = [
        ("Reshape", ["x", "rows"], ["r"], {}), ("MatMul", ["r", "w"], ["m"], {}),
        ("ReduceMean", ["m", "axes"], ["y"], {"keepdims": 0}),
    ]  # fmt: skip
    proto = small(nodes, ["n", 3, "h", "w"], "y", rows=[0, 3, -1, 48], w=np.ones((48, 5), "f4"), axes=[1, 2])
    with pytest.raises(
        ModelError,
        match=r"cannot run on an image of 224 x 224 pixels .* say which it takes, for example "
        r"input_shape=\(3, 48, 320\)$",
    ) as caught:
        crosslens.wrap(proto, preprocess=None)
    assert "onnxruntime" in str(caught.value.__cause__)
    assert crosslens.wrap(proto, preprocess=None, input_shape=(3, 48, 20)).layers[OUTPUT].shape == (None, 5)


def test_sizes_that_are_computed_do_not_hide_the_batch(monkeypatch):
    """As a decoder's Resize to another map's size: no run is needed to know that the images stay first."""
    from crosslens.backends.onnx.shapes import batch_axis

    def refused(*_):
        raise AssertionError("a run")

    monkeypatch.setattr(batch_axis, "_Runs", refused)
    nodes = [
        ("MaxPool", ["x"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}), ("Shape", ["x"], ["s"], {}),
        ("Resize", ["p", "", "", "s"], ["u"], {"mode": "nearest"}), ("Add", ["u", "x"], ["y"], {}),
    ]  # fmt: skip
    model = crosslens.wrap(small(nodes, ["n", 3, 8, 8], "y"), preprocess=None)
    assert [layer.kind for layer in model.layers.values()] == ["Input", "MaxPool", "Resize", "Add", "Output"]


@pytest.mark.parametrize(
    "ending", [lambda y: y.squeeze(-1), lambda y: y.squeeze(1), lambda y: y[:, 0], lambda y: y.sum(1)]
)
def test_one_number_for_each_image_is_a_row_of_one_however_it_was_made(ending):
    class Ends(Encoder):
        def forward(self, x):
            return ending(super().forward(x)[:, :1].sigmoid())

    torch.manual_seed(0)
    model = crosslens.wrap(exported(Ends()), preprocess=None)
    assert model.layers[OUTPUT].shape == (None, 1)
    assert (model.output.kind, model.output.binary) == ("independent", True)
    assert crosslens.method("gradient")(model, IMAGES, 1).scores.shape == (3,)
