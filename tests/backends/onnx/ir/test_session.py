"""What a session computes is what the file says: onnxruntime's optimisers must not change quantised weights."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from crosslens import OUTPUT, wrap
from crosslens.backends.onnx.ir import session
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

IMAGES = np.random.default_rng(0).random((20, 3, 12, 12), np.float32)


class Images(CalibrationDataReader):
    """The images, once."""

    def __init__(self):
        self.left = [{"x": IMAGES}]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's older exporter
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=lambda form: form.name)
def test_weights_in_int8_stay_those_of_the_file(tmp_path, form):
    """onnxruntime quantises float weights between quantised activations again, with a scale of its own.

    Dequantised weights are such ones: half of these outputs were a step of the last scale beside the file's. What the
    file says is what onnxruntime computes without its optimisers: with them, sums in int8 saturate where a processor
    has no VNNI.
    """
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, stride=2), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(8 * 16, 5),
    )  # fmt: skip
    torch.onnx.export(
        net.eval(), torch.tensor(IMAGES), str(tmp_path / "plain.onnx"), dynamo=False, input_names=["x"],
        dynamic_axes={"x": {0: "N"}},
    )  # fmt: skip
    quantize_static(tmp_path / "plain.onnx", tmp_path / "int8.onnx", Images(), quant_format=form)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    by_onnxruntime = ort.InferenceSession(tmp_path / "int8.onnx", options).run(None, {"x": IMAGES})[0]
    model = wrap(tmp_path / "int8.onnx", preprocess=None)
    np.testing.assert_allclose(model.forward(IMAGES)[OUTPUT], by_onnxruntime, atol=1e-6)
    with model.linearize(IMAGES, [OUTPUT]) as at:
        np.testing.assert_allclose(at.activations[OUTPUT], by_onnxruntime, atol=1e-6)


@pytest.mark.parametrize(("given", "count"), [("2,1", 2), ("3", 3), ("", 0), ("abc", 0), ("9" * 30, 0), ("-1", 0)])
def test_threads_of_the_environment_are_read_as_openmp_reads_them(given, count, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert session.thread_count() == count
