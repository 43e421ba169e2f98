"""Attacks without gradients on networks in int8, whose gradient is not asked for."""

import warnings

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from crosslens import method, wrap
from crosslens.model import OUTPUT
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

IMAGES = np.random.default_rng(0).random((6, 1, 12, 12), np.float32)
ATTACKS = {
    "square": {"eps": 0.5, "queries": 150},
    "boundary": {"steps": 150},
    "one_pixel": {"pixels": 12, "population": 30, "generations": 8},
}


class Images(CalibrationDataReader):
    """The images, once."""

    def __init__(self):
        self.left = [{"x": IMAGES}]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantised")
    torch.manual_seed(3)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(150, 4)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that this exporter is torch's older one
        torch.onnx.export(
            net.eval(), torch.tensor(IMAGES), str(folder / "plain.onnx"), dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    quantize_static(folder / "plain.onnx", folder / "int8.onnx", Images(), quant_format=QuantFormat.QOperator)
    assert {"QLinearConv", "QGemm"} <= {node.op_type for node in onnx.load(folder / "int8.onnx").graph.node}
    return folder / "int8.onnx"


@pytest.fixture
def model(quantised, monkeypatch):
    """A network of QLinearConv and QGemm nodes, whose derivative is an error."""

    def refuse(*arguments, **settings):
        raise AssertionError("a gradient was asked for")

    model = wrap(quantised, preprocess=None)
    for verb in ("_vjp", "_linearize"):
        monkeypatch.setattr(type(model), verb, refuse)
    return model


@pytest.mark.parametrize("name", ATTACKS)
def test_they_fool_a_network_in_int8_without_its_gradient(model, name):
    result = method(name, **ATTACKS[name])(model, IMAGES)
    before, after = (model.forward(x)[OUTPUT].argmax(axis=1) for x in (IMAGES, result.images))
    np.testing.assert_array_equal(before != after, result.success)
    assert result.success.mean() >= 0.5
    assert (result.gradients == 0).all()


def test_an_attack_by_gradients_would_ask_for_one(model):
    with pytest.raises(AssertionError, match="a gradient was asked for"):
        method("pgd")(model, IMAGES)


def test_deep_fool_leaves_the_places_where_two_logits_are_equal(quantised):
    """Logits in int8 have few values, so that the way to another class goes through equal ones."""
    model = wrap(quantised, preprocess=None)
    result = method("deep_fool", overshoot=0.0, steps=30)(model, IMAGES)
    logits = ort.InferenceSession(quantised).run(None, {"x": result.images})[0]
    assert result.success.all()
    assert (logits.argmax(axis=1) != result.leave).all()
