"""Compiled, scripted, checkpointed, wrapped parts, whatever a caller has switched on: the plain network's answers."""

import copy

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import LayerError
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Dropout(0.5))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


class Checkpointed(Net):
    reentrant = False

    def forward(self, x):
        return self.head(checkpoint(self.body, self.stem(x), use_reentrant=self.reentrant))


class Reentrant(Checkpointed):
    reentrant = True


class InSegments(Net):
    def forward(self, x):
        return self.head(checkpoint_sequential(self.body, 2, self.stem(x), use_reentrant=False))


def compiled_child(net):
    net.body = torch.compile(net.body)
    return net


def compiled_in_place(net):
    net.compile()
    net.body[0].compile()
    return net


def scripted_child(net):
    net.body = torch.jit.script(net.body.eval())
    return net


def traced_child(net):
    net.body = torch.jit.trace(net.body.eval(), torch.zeros(1, 8, 16, 16))
    return net


def of_class(kind):
    def change(net):
        net.__class__ = kind
        return net

    return change


def hooked(net):
    """Hooks of the user's own: what they change is part of the network, as it is when the user runs it."""
    net.body.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    net.body.register_forward_hook(lambda module, args, y: y + 1)
    return net


def weight_normed(net):
    nn.utils.parametrizations.weight_norm(net.stem)
    return net


def lazy(net):
    net.head[2] = nn.LazyLinear(4)
    net(torch.zeros(2, 3, 16, 16))
    return net


CHANGES = {
    "compiled": torch.compile,
    "compiled child": compiled_child,
    "compiled in place": compiled_in_place,
    "scripted child": scripted_child,
    "traced child": traced_child,
    "checkpoint": of_class(Checkpointed),
    "reentrant checkpoint": of_class(Reentrant),
    "checkpoint in segments": of_class(InSegments),
    "hooks": hooked,
    "weight norm": weight_normed,
    "lazy": lazy,
    "data parallel": nn.DataParallel,
}


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net()
    net.body[1].running_mean.uniform_()
    return net


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, 3, 16, 16), np.float32)


def plain(net, images):
    """The eager network's output and its gradient, by autograd."""
    x = torch.from_numpy(images).requires_grad_()
    y = copy.deepcopy(net).eval()(x)
    return y.detach().numpy(), torch.autograd.grad(y.sum(), x)[0].numpy()


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_network_answers_as_the_plain_one(net, images, change):
    expected = plain(hooked(net) if change == "hooks" else net, images)
    changed = net if change == "hooks" else CHANGES[change](net)
    if change == "lazy":
        expected = plain(net, images)
    modes = [module.training for module in changed.modules()]
    model = crosslens.wrap(changed, preprocess=None, input_shape=(3, 16, 16))
    pull = model.vjp(images, {OUTPUT: np.ones((3, 4), np.float32)}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], expected[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pull.gradients[INPUT], expected[1], rtol=1e-4, atol=1e-7)
    scores = crosslens.method("gradient")(model, images, 1).scores  # a method reads all weights too
    np.testing.assert_allclose(scores, expected[0][:, 1], rtol=1e-5, atol=1e-6)
    assert [module.training for module in changed.modules()] == modes
    called = {"stem", "head"} | ({"body"} if change != "checkpoint in segments" else set())
    assert called <= {name.removeprefix("module.") for name in model.layers}


def test_a_scripted_network_runs_and_says_that_it_hides_its_layers(net, images):
    class Other(nn.Module):
        def __init__(this):  # noqa: N805 - a network's author may call it so
            super().__init__()
            this.net = net

        def forward(this, x):  # noqa: N805
            return this.net(x)

    expected = plain(net, images)
    scripted = torch.jit.script(Other().eval())
    model = crosslens.wrap(scripted, preprocess=None, input_shape=(3, 16, 16))
    np.testing.assert_allclose(model.forward(images)[OUTPUT], expected[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(LayerError, match=r"shows no layers .* TorchScript"):
        crosslens.method("grad_cam")(model, images, 1)


@pytest.mark.parametrize(
    "change", ["compiled", "compiled child", "compiled in place", "checkpoint", "reentrant checkpoint"]
)
def test_layers_inside_are_reached(net, images, change):
    """A replaced layer counts in the backward pass too, which a checkpoint would compute anew without it."""
    eager = crosslens.wrap(copy.deepcopy(net), preprocess=None, input_shape=(3, 16, 16))
    model = crosslens.wrap(CHANGES[change](net), preprocess=None, input_shape=(3, 16, 16))
    assert list(model.layers) == list(eager.layers)
    given = {"body.0": np.random.default_rng(1).standard_normal((3, 8, 14, 14)).astype(np.float32)}
    pulls = [
        m.vjp(images, {OUTPUT: np.ones((3, 4), np.float32)}, wrt=["body.0", "body.1"], replace=given)
        for m in (model, eager)
    ]
    for name in ("body.0", "body.1"):
        np.testing.assert_allclose(pulls[0].gradients[name], pulls[1].gradients[name], rtol=1e-5)


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.mark.parametrize("mode", [autocast, torch.inference_mode, torch.no_grad])
def test_what_the_caller_has_switched_on_changes_nothing(net, images, mode):
    cam, expected = crosslens.method("grad_cam"), plain(net, images)
    before = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16))
    maps = cam(before, images, target=1).values
    with mode():
        model = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16))
        for each in (model, before):
            np.testing.assert_array_equal(cam(each, images, target=1).values, maps)
            with each.linearize(images, [OUTPUT]) as at:
                gradient = at.vjp({OUTPUT: np.ones((3, 4), np.float32)})[INPUT]
            np.testing.assert_allclose(at.activations[OUTPUT], expected[0], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-7)
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")


def test_an_autocast_of_the_networks_own_counts(net, images):
    class Own(Net):
        def forward(self, x):
            with autocast():
                y = self.body(self.stem(x))
            return self.head(y.float())

    net.__class__ = Own
    y = crosslens.wrap(net, preprocess=None, input_shape=(3, 16, 16)).forward(images)[OUTPUT]
    net.__class__ = Net
    difference = np.abs(y - plain(net, images)[0]).max()
    assert 1e-5 < difference < 1e-1
