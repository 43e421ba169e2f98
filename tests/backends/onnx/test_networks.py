"""Whole networks from torch's two exporters: forward, gradients to inner layers, modified rules, against torch."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx.ir.serialise import model_proto
from onnx import checker, helper, shape_inference
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Mobile(nn.Module):
    """A small EfficientNet-Lite0: asymmetric SAME padding, depthwise convolutions, an addition, a linear head."""

    def __init__(self, act):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, bias=False)
        self.bn0 = nn.BatchNorm2d(16)
        self.expand = nn.Conv2d(16, 32, 1)
        self.depthwise = nn.Conv2d(32, 32, 5, 2, groups=32)
        self.project = nn.Conv2d(32, 24, 1)
        self.block = nn.Sequential(nn.Conv2d(24, 48, 1), act(), nn.Conv2d(48, 24, 3, padding=1), nn.BatchNorm2d(24))
        self.act = act()
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        x = self.act(self.bn0(self.stem(F.pad(x, (0, 1, 0, 1)))))
        x = self.act(self.expand(x))
        x = self.act(self.depthwise(F.pad(x, (1, 2, 1, 2))))
        x = self.project(x)
        x = x + self.block(x)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Pooled(nn.Module):
    """What a VGG, a ResNet stem and a U-Net have: pools, a transposed convolution, an upsampling, a concatenation."""

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Softplus(), nn.MaxPool2d(2))
        self.two = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.Tanh(), nn.MaxPool2d(3, 2, 1))
        self.up = nn.ConvTranspose2d(24, 16, 4, 2, 1)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(32, 7)

    def forward(self, x):
        a = self.one(x)
        b = self.up(self.two(a))
        c = F.interpolate(F.avg_pool2d(a, 3, 2, 1), scale_factor=2, mode="bilinear", align_corners=False)
        b = self.norm(b.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = torch.cat([b, F.gelu(c)], 1)
        return F.log_softmax(self.head(y.mean((2, 3))), -1)


class Attention(nn.Module):
    """A patch embedding, a class token, self-attention: shapes that hang on the batch."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.block = nn.TransformerEncoderLayer(24, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        h = self.block.norm1(x)
        q, k, v = F.linear(h, self.block.self_attn.in_proj_weight, self.block.self_attn.in_proj_bias).chunk(3, -1)
        q, k, v = (t.reshape(x.shape[0], -1, 2, 12).transpose(1, 2) for t in (q, k, v))
        a = torch.softmax(q @ k.transpose(-1, -2) / 12**0.5, -1) @ v
        x = x + self.block.self_attn.out_proj(a.transpose(1, 2).flatten(2))
        x = x + self.block.linear2(F.gelu(self.block.linear1(self.block.norm2(x))))
        return self.head(x[:, 0])


NETS = {"mobile": lambda: Mobile(nn.SiLU), "pooled": Pooled, "attention": Attention}
EXPORTERS = ["dynamo", "legacy"]
SIZE = 32


def network(name, seed=0):
    torch.manual_seed(seed)
    net = NETS[name]() if isinstance(name, str) else name()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def export(net, exporter, *, batch=2, dynamic=True, shape=(3, SIZE, SIZE)):
    """The network as a ModelProto; exporters warn of what does not concern us."""
    buffer = io.BytesIO()
    x = torch.zeros(batch, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            free = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if dynamic else {}
            torch.onnx.export(net, (x,), buffer, dynamo=True, external_data=False, verbose=False, **free)
        else:
            free = {"dynamic_axes": {"x": {0: "n"}}} if dynamic else {}
            torch.onnx.export(net, (x,), buffer, dynamo=False, input_names=["x"], **free)
    return onnx.load_from_string(buffer.getvalue())


@pytest.fixture(scope="module")
def exported():
    """Exports once per network and exporter: they are the slow part."""
    made = {}

    def get(name, exporter, **how):
        key = name, exporter, tuple(how.items())
        if key not in made:
            net = network(name)
            made[key] = net, export(net, exporter, **how)
        return made[key]

    return get


def images(n=3, seed=0, shape=(3, SIZE, SIZE)):
    return np.random.default_rng(seed).random((n, *shape), dtype=np.float32)


def exact(net, x, dy, layer=None):
    """Output, gradient at the image and at a module's output, in float64, imagenet preprocessing written out."""
    kept = []
    net = net.double()
    hook = net.get_submodule(layer).register_forward_hook(lambda m, i, o: kept.append(o)) if layer else None
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    mean, std = (
        torch.tensor(v, dtype=torch.float64).reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    y = net((t - mean) / std)
    if hook:
        hook.remove()
    gradients = torch.autograd.grad(y, [t, *kept], torch.tensor(dy, dtype=torch.float64))
    net.float()
    return [v.detach().numpy() for v in (y, *gradients, *kept)]


def close(got, want, rtol=1e-5):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


def cotangent(shape, seed=5):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", NETS)
def test_output_and_input_gradient_are_torch_float64(exported, name, exporter):
    net, proto = exported(name, exporter)
    model, x = wrap(proto), images()
    dy = cotangent(model.forward(x)[OUTPUT].shape)
    y, dx = exact(net, x, dy)
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], y)
    close(pull.gradients[INPUT], dx, 2e-5)


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", NETS)
def test_linearize_gives_what_vjp_gives_again_and_again(exported, name, exporter):
    _, proto = exported(name, exporter)
    model, x = wrap(proto), images()
    layer = list(model.layers)[4]
    dy = cotangent(model.forward(x)[OUTPUT].shape)
    want = model.vjp(x, {OUTPUT: dy}, wrt=[INPUT, layer])
    with model.linearize(x, [OUTPUT, layer], wrt=[INPUT, layer]) as at:
        for _ in range(2):
            got = at.vjp({OUTPUT: dy})
            close(got[INPUT], want.gradients[INPUT])
            close(got[layer], want.gradients[layer])
        close(at.vjp({OUTPUT: 2 * dy})[INPUT], 2 * want.gradients[INPUT])
        assert not at.vjp({})[INPUT].any()


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_one_session_after_another_serves_other_batch_sizes(exported, exporter):
    net, proto = exported("attention", exporter)
    model = wrap(proto)
    for n in (1, 4):
        x, dy = images(n, seed=n), cotangent((n, 5))
        close(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], exact(net, x, dy)[1], 2e-5)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_module_names_are_aliases_with_the_modules_own_activation_and_gradient(exported, exporter):
    net, proto = exported("mobile", exporter)
    model, x = wrap(proto), images()
    dy = cotangent((3, 5))
    for name in ("block", "expand", "fc"):
        _, dx, at_layer, activation = exact(net, x, dy, name)
        pull = model.vjp(x, {OUTPUT: dy}, wrt=[INPUT, name], capture=[name])
        close(pull.activations[name], activation)
        close(pull.gradients[name], at_layer)
        close(pull.gradients[INPUT], dx, 2e-5)


def test_a_module_that_runs_again_is_numbered(exported):
    _, proto = exported("mobile", "dynamo")
    model = wrap(proto)
    assert model.layer("act").name != model.layer("act#2").name != model.layer("act#3").name


def test_a_fused_convolution_does_not_pose_as_the_module_before_the_normalisation(exported):
    _, proto = exported("mobile", "legacy")
    model = wrap(proto)
    assert "stem" not in {alias for layer in model.layers.values() for alias in layer.aliases}


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", ["mobile", "pooled", "attention"])
def test_a_network_exported_for_one_image_takes_several(exported, name, exporter):
    net, proto = exported(name, exporter, batch=1, dynamic=False)
    model, x = wrap(proto), images()
    dy = cotangent(model.forward(x)[OUTPUT].shape)
    y, dx = exact(net, x, dy)
    close(model.forward(x)[OUTPUT], y)
    close(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], dx, 2e-5)
    with model.linearize(x, [OUTPUT]) as at:
        close(at.activations[OUTPUT], y)
        close(at.vjp({OUTPUT: dy})[INPUT], dx, 2e-5)


def test_replace_runs_on_from_a_given_activation(exported):
    net, proto = exported("mobile", "dynamo")
    model, x = wrap(proto), images()
    dy = cotangent((3, 5))
    given = cotangent(model.forward(x, ["block"])["block"].shape)
    found = {}
    hook = net.block.register_forward_hook(
        lambda m, i, o: found.setdefault("at", torch.tensor(given, requires_grad=True))
    )
    want = net(torch.tensor(x))
    hook.remove()
    (gradient,) = torch.autograd.grad(want, found["at"], torch.tensor(dy), retain_graph=True)
    got = model.forward(x, [OUTPUT, "block"], replace={"block": given})
    np.testing.assert_array_equal(got["block"], given)
    pull = model.vjp(x, {OUTPUT: dy}, wrt=["block"], replace={"block": given})
    close(pull.gradients["block"], gradient.numpy())


def test_replacing_a_layer_cuts_it_off_from_the_image(exported):
    _, proto = exported("attention", "dynamo")
    model, x = wrap(proto), images()
    last = [name for name in model.layers if name != OUTPUT][-1]
    given = cotangent(model.forward(x, [last])[last].shape)
    pull = model.vjp(x, {OUTPUT: given}, wrt=[INPUT, last], capture=[OUTPUT], replace={last: given})
    assert not pull.gradients[INPUT].any()
    np.testing.assert_array_equal(pull.gradients[last], given)
    np.testing.assert_array_equal(pull.activations[OUTPUT], given)


def test_a_layer_without_influence_has_a_zero_gradient_and_its_own_cotangent_counts(exported):
    _, proto = exported("mobile", "dynamo")
    model, x = wrap(proto), images()
    dy = cotangent(model.forward(x, ["expand"])["expand"].shape)
    pull = model.vjp(x, {"expand": dy}, wrt=["expand", "fc"])
    np.testing.assert_array_equal(pull.gradients["expand"], dy)
    assert pull.gradients["fc"].shape == (3, 5)
    assert not pull.gradients["fc"].any()


class Rectified(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(3, 16, 3, padding=1), act, nn.Linear(16, 4)

    def forward(self, x):
        return self.fc(self.act(self.conv(x)).mean((2, 3)))


RECTIFIERS = {
    "ReLU": (nn.ReLU(), lambda x: (x > 0).float()),
    "ReLU6": (nn.ReLU6(), lambda x: ((x > 0) & (x < 6)).float()),
    "LeakyReLU": (nn.LeakyReLU(0.1), lambda x: torch.where(x > 0, 1.0, 0.1)),
    "PReLU": (nn.PReLU(16, 0.3), lambda x: torch.where(x > 0, 1.0, 0.3)),
}


@pytest.mark.parametrize(
    ("act", "exporter"), [*((act, "legacy") for act in RECTIFIERS), ("ReLU6", "dynamo"), ("PReLU", "dynamo")]
)
@pytest.mark.parametrize("rule", ["exact", "guided", "deconvnet", "linear"])
def test_modified_rules_are_their_formulas(exported, rule, act, exporter):
    module, slope = RECTIFIERS[act]
    net, proto = _rectified(act, module, exporter)
    x, dy = images(2, shape=(3, 8, 8)), cotangent((2, 4))
    with torch.no_grad():
        before = net.conv(torch.tensor(x))
        flow = (torch.tensor(dy) @ net.fc.weight)[..., None, None].expand(before.shape) / 64
        positive = flow.clamp(min=0)
        back = {
            "exact": slope(before) * flow,
            "guided": slope(before) * positive,
            "deconvnet": positive,
            "linear": flow,
        }
        want = F.conv_transpose2d(back[rule], net.conv.weight, padding=1).numpy()
    model = wrap(proto, preprocess=None)
    close(model.modified(relu=rule).vjp(x, {OUTPUT: dy}).gradients[INPUT], want)
    close(
        model.vjp(x, {OUTPUT: dy}).gradients[INPUT], model.modified(relu="exact").vjp(x, {OUTPUT: dy}).gradients[INPUT]
    )


_MADE = {}


def _rectified(act, module, exporter):
    if (act, exporter) not in _MADE:
        torch.manual_seed(0)
        net = Rectified(module).eval()
        _MADE[act, exporter] = net, export(net, exporter, shape=(3, 8, 8))
    return _MADE[act, exporter]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_randomised_layers_compute_with_their_new_weights(exported, exporter):
    _, proto = exported("mobile", exporter)
    model, x = wrap(proto), images()
    changed = model.randomised(["fc"], seed=3)
    pooled = model.forward(x, [name for name in model.layers if name not in (INPUT, OUTPUT)][-2:][:1])
    (features,) = pooled.values()
    weights = changed.weights("fc")
    close(changed.forward(x)[OUTPUT], features.reshape(3, -1) @ weights["kernel"].T + weights["bias"])
    assert weights["kernel"].shape == (5, 24)
    assert not np.allclose(weights["kernel"], model.weights("fc")["kernel"])


def test_every_graph_that_is_run_passes_onnx_checker_and_strict_inference(exported, monkeypatch):
    from crosslens.backends.onnx.runtime import executable

    seen = []
    opened = executable.open_session

    def record(graph, *args, **how):
        seen.append(model_proto(graph))
        return opened(graph, *args, **how)

    monkeypatch.setattr(executable, "open_session", record)
    for name in NETS:
        _, proto = exported(name, "legacy")
        model, x = wrap(proto), images()
        dy = cotangent(model.forward(x)[OUTPUT].shape)
        model.vjp(x, {OUTPUT: dy})
        with model.linearize(x, [OUTPUT]) as at:
            at.vjp({OUTPUT: dy})
    assert len(seen) == 4 * len(NETS)
    for proto in seen:
        checker.check_model(proto)
        shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)


def test_the_model_that_was_wrapped_is_not_changed(exported):
    _, proto = exported("mobile", "dynamo")
    before = proto.SerializeToString()
    model, x = wrap(proto), images()
    model.modified(relu="exact").randomised(["fc"], seed=0).vjp(x, {OUTPUT: cotangent((3, 5))})
    assert proto.SerializeToString() == before


def test_half_precision_networks_give_float32(exported):
    x = images(2, shape=(3, 8, 8))
    w, b = cotangent((4, 3, 3, 3)).astype(np.float16), cotangent((4,)).astype(np.float16)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"]), helper.make_node("Tanh", ["y"], ["z"])]
    graph = helper.make_graph(
        nodes, "half", [helper.make_tensor_value_info("x", 10, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("z", 10, ["n", 4, 6, 6])],
        [onnx.numpy_helper.from_array(w, "w"), onnx.numpy_helper.from_array(b, "b")],
    )  # fmt: skip
    model = wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), preprocess=None)
    t = torch.tensor(x, requires_grad=True)
    y = torch.tanh(F.conv2d(t, torch.tensor(w.astype(np.float32)), torch.tensor(b.astype(np.float32))))
    dy = cotangent(y.shape)
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    (want,) = torch.autograd.grad(y, t, torch.tensor(dy))
    assert pull.activations[OUTPUT].dtype == pull.gradients[INPUT].dtype == np.float32
    close(pull.activations[OUTPUT], y.detach().numpy(), 5e-3)
    close(pull.gradients[INPUT], want.numpy(), 1e-2)
