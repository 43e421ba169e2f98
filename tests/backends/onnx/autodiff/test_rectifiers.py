"""`modified(relu=...)` against rules written by hand as torch functions, in float64: every rectifier, fused or not."""

import io
import warnings

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from torch import nn
from torch.nn import functional as F  # noqa: N812

ACTS = {
    "ReLU": (nn.ReLU, lambda x: (x > 0).to(x)),
    "ReLU6": (nn.ReLU6, lambda x: ((x > 0) & (x < 6)).to(x)),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), lambda x: torch.where(x > 0, 1.0, 0.2)),
    "PReLU": (lambda: nn.PReLU(1, 0.3), lambda x: torch.where(x > 0, 1.0, 0.3)),
}
RULES = {
    "exact": lambda dy, slope: slope * dy,
    "guided": lambda dy, slope: slope * dy.clamp(min=0),
    "deconvnet": lambda dy, slope: dy.clamp(min=0),
    "linear": lambda dy, slope: dy,
}
FUSED = {"ReLU": {"FusedConv", "FusedGemm"}, "ReLU6": {"FusedConv"}, "LeakyReLU": {"FusedConv", "FusedGemm"}}
X = np.random.default_rng(0).random((2, 3, 12, 12), np.float32)
DY = np.random.default_rng(1).standard_normal((2, 5)).astype(np.float32)


class ByHand(torch.autograd.Function):
    """A rectifier whose backward pass is a rule."""

    @staticmethod
    def forward(ctx, x, act, slope, rule):
        ctx.save_for_backward(slope(x))
        ctx.rule = rule
        return act(x)

    @staticmethod
    def backward(ctx, dy):
        return ctx.rule(dy, *ctx.saved_tensors), None, None, None


class Network(nn.Module):
    """Rectifiers behind convolutions, a depthwise one, a sum of two ways, a pooling and a matrix."""

    def __init__(self, act):
        super().__init__()
        self.act = act
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.c, self.d, self.e = nn.Conv2d(8, 8, 1), nn.Linear(8 * 9, 7), nn.Linear(7, 5)

    def forward(self, x, act=None):
        act = act or self.act
        x = act(8 * self.a(x))
        x = act(x + self.c(act(4 * self.b(x))))
        x = F.avg_pool2d(F.max_pool2d(x, 2), 2)
        return self.e(act(self.d(x.flatten(1))))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Each rectifier's network, its plain file and those that onnxruntime saves at its two highest levels."""
    folder, found = tmp_path_factory.mktemp("rectifiers"), {}
    for name, (make, _) in ACTS.items():
        torch.manual_seed(0)
        net, buffer = Network(make()).eval(), io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's older exporter
            torch.onnx.export(net, torch.tensor(X), buffer, dynamo=False, input_names=["x"], opset_version=13)
        files = {"plain": onnx.load_from_string(buffer.getvalue())}
        for level in ("ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"):
            options = ort.SessionOptions()
            options.log_severity_level = 3
            options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
            options.optimized_model_filepath = str(folder / f"{name}.onnx")
            ort.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
            files["fused" if "EXT" in level else "blocked"] = onnx.load(folder / f"{name}.onnx")
        assert FUSED.get(name, set()) <= {node.op_type for node in files["fused"].graph.node}
        found[name] = net.double(), {kind: wrap(file, preprocess=None) for kind, file in files.items()}
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ACTS)
def test_each_rule_is_the_one_written_by_hand(made, name, rule):
    net, models = made[name]
    image = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    y = net(image, lambda x: ByHand.apply(x, net.act, ACTS[name][1], RULES[rule]))
    (want,) = torch.autograd.grad(y, image, torch.tensor(DY, dtype=torch.float64))
    (plain,) = torch.autograd.grad(net(image), image, torch.tensor(DY, dtype=torch.float64))
    assert (rule == "exact") == bool(torch.allclose(want, plain))
    for kind, model in models.items():
        got = model.modified(relu=rule).vjp(X, {OUTPUT: DY}).gradients[INPUT]
        np.testing.assert_allclose(got, want.numpy(), atol=2e-5 * float(want.abs().max()), err_msg=kind)
