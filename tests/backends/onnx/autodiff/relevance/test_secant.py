"""slope="secant": completeness, the secants of single operators in float64, and published values of DeepLIFT."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional as F  # noqa: N812

from .networks import exported

RNG = np.random.default_rng(0)
FUNCTIONS = {
    "Relu": F.relu,
    "Clip": lambda x: x.clamp(-0.3, 0.4),
    "LeakyRelu": lambda x: F.leaky_relu(x, 0.2),
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Log": lambda x: torch.log(x + 4),
    "Sqrt": lambda x: torch.sqrt(x + 4),
    "Reciprocal": lambda x: torch.reciprocal(x + 4),
    "Div": lambda x: 3 / (x + 4),
    "Abs": torch.abs,
    "Pow 2": lambda x: x**2,
    "Pow 3": lambda x: x**3,
    "Pow -1/2": lambda x: (x + 4) ** -0.5,
    "x x": lambda x: x * x,
    "Sin": torch.sin,
    "Softplus": F.softplus,
    "Elu": F.elu,
    "Selu": F.selu,
    "Gelu": F.gelu,
    "Silu": F.silu,
    "Hardswish": F.hardswish,
    "Mish": F.mish,
    "Max": lambda x: torch.maximum(x, torch.tensor(0.1)),
}


class Alone(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def pulled(model, x, dy):
    return model.modified(slope="secant").vjp(x, {OUTPUT: dy}).gradients[INPUT]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_slope_of_a_function_is_its_secant_for_both_halves(name):
    x, dy = RNG.normal(size=(6, 4)).astype(np.float32), RNG.normal(size=(6, 4)).astype(np.float32)
    x[3:, 1] = x[:3, 1]  # no difference: the derivative
    u = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(FUNCTIONS[name](u).sum(), u)
    y, u = FUNCTIONS[name](u).detach(), u.detach()
    same = u[:3] == u[3:]
    secant = (y[:3] - y[3:]) / torch.where(same, 1.0, u[:3] - u[3:])
    want = torch.where(torch.cat([same, same]), slope, torch.cat([secant, secant])).numpy() * dy
    np.testing.assert_allclose(pulled(exported(Alone(FUNCTIONS[name]), (4,)), x, dy), want, rtol=2e-4, atol=1e-5)


def complete(model, x, by=1e-5):
    """sum of gradient times x - x' over the images' half is the difference of the outputs."""
    n = len(x) // 2
    y = model.forward(x)[OUTPUT]
    for k in range(y.reshape(len(x), -1).shape[1]):
        dy = np.zeros_like(y)
        dy.reshape(len(x), -1)[:, k] = 1
        got = pulled(model, x, dy)
        total = (got[:n].astype(np.float64) * (x[:n] - x[n:])).reshape(n, -1).sum(1)
        change = (y[:n] - y[n:]).reshape(n, -1)[:, k]
        np.testing.assert_allclose(total, change, rtol=0, atol=by * max(1, np.abs(y).max()))


class Maps(nn.Module):
    """Convolutions with this in between, and a dense head."""

    def __init__(self, f, channels=8):
        super().__init__()
        torch.manual_seed(0)
        self.f, self.first = f, nn.Conv2d(3, 8, 3, padding=1)
        self.second, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.second(self.f(self.first(x))).mean((2, 3)))


def squeeze_excite(y):
    return y * torch.sigmoid(F.silu(y.mean((2, 3), keepdim=True)))


ON_MAPS = {
    "ReLU": F.relu,
    "batch norm": nn.BatchNorm2d(8).eval(),
    "max pool": lambda y: F.max_pool2d(F.relu(y), 2),
    "max pool, overlapping, padded": lambda y: F.max_pool2d(y, 3, 2, 1),
    "average pool": lambda y: F.avg_pool2d(F.gelu(y), 2),
    "max of two": lambda y: torch.maximum(y[:, :4], y[:, 4:]).repeat(1, 2, 1, 1),
    "min of two, broadcast": lambda y: torch.minimum(y, y.mean((2, 3), keepdim=True)),
    "amax": lambda y: y - y.amax(1, keepdim=True),
    "amin": lambda y: y - y.amin((2, 3), keepdim=True),
    "global max": lambda y: y * F.adaptive_max_pool2d(y, 1),
    "squeeze-excite": squeeze_excite,
    "quotient": lambda y: y / (1 + torch.exp(y.mean(1, keepdim=True))),
    "GLU": lambda y: F.glu(y, 1).repeat(1, 2, 1, 1),
    "instance norm": nn.InstanceNorm2d(8, affine=True),
    "group norm": nn.GroupNorm(2, 8),
    "layer norm": nn.LayerNorm([8, 9, 9]),
    "layer norm written out": lambda y: (y - y.mean(1, keepdim=True)) / (y.var(1, keepdim=True) + 1e-3).sqrt(),
    "rms by rsqrt": lambda y: y * torch.rsqrt(y.pow(2).mean(1, keepdim=True) + 1e-3),
    "lrn": nn.LocalResponseNorm(3, 0.5, 0.6),
    "normalize": lambda y: F.normalize(y, dim=1),
    "normalize by 1": lambda y: F.normalize(y, p=1, dim=1),
    "softmax over channels": lambda y: torch.softmax(y, 1),
    "log-softmax over positions": lambda y: torch.log_softmax(y.flatten(2), 2).reshape(y.shape),
    "logsumexp": lambda y: y - torch.logsumexp(y, 1, keepdim=True),
    "sum of squares": lambda y: y * y.square().sum(1, keepdim=True),
    "reused": lambda y: F.relu(F.relu(y) - 0.1) + torch.tanh(y),
}


@pytest.mark.parametrize("name", ON_MAPS)
@pytest.mark.parametrize("opset", [13, 18])
def test_gradients_times_differences_add_up_to_the_difference_of_the_outputs(name, opset):
    x = RNG.normal(size=(6, 3, 9, 9)).astype(np.float32)
    complete(exported(Maps(ON_MAPS[name]), (3, 9, 9), opset), x)


class Tokens(nn.Module):
    """A transformer block on patches: attention by torch's own module or by products, layer norms, GELU."""

    def __init__(self, by_module):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Conv2d(3, 8, 3, 3), nn.Linear(8, 3)
        block = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, dropout=0)
        self.block, self.by_module, self.norm = block, by_module, nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        if self.by_module:
            return self.head(self.block(x).mean(1))
        q, k, v = self.qkv(self.norm(x)).reshape(-1, 9, 3, 2, 4).permute(2, 0, 3, 1, 4)
        x = x + (torch.softmax(q @ k.transpose(-1, -2) / 2, -1) @ v).transpose(1, 2).reshape(-1, 9, 8)
        return self.head(F.gelu(x).mean(1))


@pytest.mark.parametrize("by_module", [False, True])
def test_attention_is_complete(by_module):
    complete(exported(Tokens(by_module), (3, 9, 9)), RNG.normal(size=(4, 3, 9, 9)).astype(np.float32))


def test_masked_scores_stay_finite():
    def masked(v):
        return torch.softmax(v.masked_fill(torch.tensor([False, True, False]), -torch.inf), 1)

    complete(exported(Alone(masked), (3,)), RNG.normal(size=(4, 3)).astype(np.float32))


def test_attention_with_the_batch_second_is_complete():
    """(tokens, images, channels), as torch's modules have it by default, and windows of maps as images of their own."""

    class Second(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embed = nn.Conv2d(3, 8, 3, 3)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", dropout=0)

        def forward(self, x):
            x = self.embed(x).flatten(2).permute(2, 0, 1)
            return self.block(x).mean(0)

    class Windows(nn.Module):
        def forward(self, x):
            w = x.reshape(-1, 3, 3, 3, 3, 3).permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, 9)
            mixed = torch.softmax(w @ w.transpose(1, 2), -1) @ torch.tanh(w)
            return mixed.reshape(-1, 9, 27).mean(1)[:, :4]

    images = np.random.default_rng(3).normal(0, 0.5, (4, 3, 9, 9)).astype(np.float32)  # scores a few units apart
    for net in (Second(), Windows()):
        complete(exported(net, (3, 9, 9)), images)


def test_softmax_of_far_apart_halves_stays_finite_and_complete():
    x = np.array([[0, 50, 3], [1, 2, 3], [0, 1, 2], [300, 2, 1]], np.float32)
    got = pulled(exported(Alone(lambda v: torch.softmax(v, 1)), (3,)), x, np.ones((4, 3), np.float32))
    assert np.isfinite(got).all()


def test_an_einsum_takes_means():
    class Two(nn.Module):
        def forward(self, x):
            return torch.einsum("ntd,nsd->nts", x, torch.tanh(x))

    complete(exported(Two(), (3, 4)), RNG.normal(size=(4, 3, 4)).astype(np.float32))


def test_max_pooling_gives_the_difference_to_the_larger_maximum():
    """The rule by hand on one window: the difference of the outputs, -4, belongs to the reference's maximum."""
    x = np.array([[[[1, 2], [3, 4]]], [[[8, 1], [2, 5]]]], np.float32)  # y = 4, y' = 8: y - y' = -4 at x'[0] = 8
    got = pulled(exported(Alone(lambda v: F.max_pool2d(v, 2)), (1, 2, 2)), x, np.ones((2, 1, 1, 1), np.float32))
    np.testing.assert_allclose(got[0] * (x[0] - x[1]), [[[-4, 0], [0, 0]]], rtol=1e-6)
    np.testing.assert_array_equal(got[0], got[1])


MAXIMA = {
    "reduced": (lambda v: v.amin(1, keepdim=True), lambda v: v.amax(1, keepdim=True)),
    "of two": (lambda v: torch.minimum(v[:, :2], v[:, 2:]), lambda v: torch.maximum(v[:, :2], v[:, 2:])),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_maxima_give_the_change_to_the_place_of_the_larger_output(name):
    """Place by place: of the half with the larger output, the maximum gets the change; minima mirror it."""
    least, most = MAXIMA[name]
    x = RNG.normal(size=(6, 4)).astype(np.float32)
    model = exported(Alone(most), (4,))
    dy = RNG.normal(size=model.forward(x)[OUTPUT].shape).astype(np.float32)
    want = np.zeros((3, 4))
    for k in range(3):
        ends = [torch.tensor(x[[k + part]], dtype=torch.float64, requires_grad=True) for part in (0, 3)]
        outs = [most(end)[0] for end in ends]
        for place, (y, other) in enumerate(zip(*outs, strict=True)):
            winner = 0 if y > other else 1
            (share,) = torch.autograd.grad(outs[winner][place], ends[winner], retain_graph=True)
            want[k] += (share[0] * dy[k][place].item() * (y - other).item()).detach().numpy()
    want /= x[:3] - x[3:]
    np.testing.assert_allclose(pulled(model, x, dy)[:3], want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pulled(exported(Alone(least), (4,)), -x, dy)[:3], want, rtol=1e-4, atol=1e-6)


def test_each_half_keeps_its_own_cotangent():
    """At a maximum too: y = max(x), both halves by the same factors."""
    model = exported(Alone(lambda v: F.max_pool2d(v, 3, 2, 1)), (2, 7, 7))
    x = RNG.normal(size=(4, 2, 7, 7)).astype(np.float32)
    dy = RNG.normal(size=model.forward(x)[OUTPUT].shape).astype(np.float32)
    swapped = np.concatenate([dy[2:], dy[:2]])
    got, other = pulled(model, x, dy), pulled(model, x, swapped)
    np.testing.assert_allclose(got[:2], other[2:], rtol=1e-6)
    np.testing.assert_allclose(got[2:], other[:2], rtol=1e-6)


def test_a_large_batch_is_divided_by_pairs(monkeypatch):
    """5 images and 5 references on two cores, in both ways, give what each pair alone gives."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 16, 16), nn.Tanh(), nn.Conv2d(4, 3, 14))
    model = exported(net, (3, 224, 224))
    model.input = InputSpec((3, 224, 224))
    changed = model.modified(slope="secant")
    x = RNG.random((10, 3, 224, 224), np.float32)
    dy = RNG.normal(size=(10, 3, 1, 1)).astype(np.float32)
    split = changed._split(x, [OUTPUT], pairs=True)
    assert split.images == 2
    assert split.order == (0, 5, 1, 6, 2, 7, 3, 8, 4, 9)
    pull = changed.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    with changed.linearize(x, [OUTPUT]) as at:
        again, y = at.vjp({OUTPUT: dy})[INPUT], at.activations[OUTPUT]
    for k in range(5):
        alone = changed.vjp(x[[k, k + 5]], {OUTPUT: dy[[k, k + 5]]}).gradients[INPUT]
        for got in (pull.gradients[INPUT], again):
            np.testing.assert_allclose(got[[k, k + 5]], alone, rtol=1e-4, atol=1e-6)
    for got in (pull.activations[OUTPUT], y):
        np.testing.assert_allclose(got, model.forward(x)[OUTPUT], rtol=1e-5, atol=1e-6)


def fixed(batch):
    """max(x W, 0) in a file that takes this number of images, which it also writes into a Reshape."""
    count = batch if isinstance(batch, int) else -1
    chain = (("MatMul", ["x", "w"], "h"), ("Reshape", ["h", "one"], "row"), ("Reshape", ["row", "two"], "maps"))
    nodes = [helper.make_node(op, inputs, [y]) for op, inputs, y in (*chain, ("Relu", ["maps"], "y"))]
    infos = [helper.make_tensor_value_info(n, 1, [batch, 3]) for n in ("x", "y")]
    w = numpy_helper.from_array(np.eye(3, dtype=np.float32) - 0.2, "w")
    sizes = {"one": [3 * count if count > 0 else -1], "two": [count, 3]}
    shapes = [numpy_helper.from_array(np.array(value), name) for name, value in sizes.items()]
    graph = helper.make_graph(nodes, "fixed", infos[:1], infos[1:], [w, *shapes])
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = wrap(file, input_shape=InputSpec.latent((3,)))
    assert model._input.batch == (batch if isinstance(batch, int) else None)
    return model


@pytest.mark.parametrize("batch", ["N", 2, 4])
def test_a_fixed_even_batch_is_filled_up_by_pairs(batch):
    complete(fixed(batch), RNG.normal(size=(6, 3)).astype(np.float32))


def test_a_file_for_one_image_at_a_time_is_refused():
    with pytest.raises(
        ModelError, match=r"this file takes 1 at a time: an odd number\. Export it with a free batch size"
    ):
        fixed(1).modified(slope="secant")


def test_operators_without_a_secant_are_named():
    class Kept(nn.Module):
        def forward(self, x):
            return torch.where(x > 0, x, 2 * x) + torch.tanh(x).topk(4)[0]

    class Fine(nn.Module):
        def forward(self, x):
            return torch.softmax(x, 1) @ torch.ones(4, 4) + F.gelu(x) / 2 + F.pad(x, (1, 0))[:, 1:]

    model = exported(Kept(), (4,))
    assert not model.caveats()
    (text,) = model.modified(slope="secant").caveats()
    assert text.startswith("operators ")
    assert "TopK" in text
    assert "Where" in text
    assert "have no secant: they keep their derivative" in text
    assert not exported(Fine(), (4,)).modified(slope="secant").caveats()
