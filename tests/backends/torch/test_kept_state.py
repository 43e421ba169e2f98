"""The wrapped network is what it was, whatever its forward method does and however a method ends."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, method, wrap
from crosslens.errors import ModelError
from torch import nn
from torch.utils.checkpoint import checkpoint

IMAGE = np.random.default_rng(0).random((1, 3, 12, 12), dtype=np.float32)


class Small(nn.Module):
    """A convolution, BatchNorm, ReLU and a linear head; `act` may do what it likes with the module and the maps."""

    def __init__(self, act=lambda self, x: x):
        super().__init__()
        self.conv, self.norm, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Linear(4, 5)
        self.register_buffer("count", torch.zeros(1))
        self.act = act

    def forward(self, x):
        return self.head(self.act(self, self.relu(self.norm(self.conv(x)))).mean((2, 3)))


def built(act=lambda self, x: x):
    torch.manual_seed(0)
    return Small(act).eval()


def fingerprint(net):
    return (
        {name: value.clone() for name, value in net.state_dict().items()},
        [(p.requires_grad, p.grad is None, p.is_inference()) for p in net.parameters()],
        [module.training for module in net.modules()],
        [[len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)] for m in net.modules()],
        [sorted(vars(module)) for module in net.modules()],
        torch.is_grad_enabled(),
    )


def same(one, other):
    return one[1:] == other[1:] and all(torch.equal(value, other[0][name]) for name, value in one[0].items())


def in_train_mode(self, x):
    self.train()
    return x


def counts(self, x):
    self.count += 1
    return x * self.count


def rebinds(self, x):
    self.count = self.count + 1
    return x * self.count


def failing(error):
    def act(self, x):
        raise error

    return act


ENDS = {
    "train": in_train_mode,
    "in place": counts,
    "another": rebinds,
    "none": lambda self, x: x,
    "raises": failing(ValueError("not this image\nat all")),
    "interrupted": failing(KeyboardInterrupt()),
    "exit": failing(SystemExit(3)),
    "complex": lambda self, x: torch.complex(x, x),
    "detached": lambda self, x: x.detach(),
    "overwritten": lambda self, x: torch.relu_(torch.sigmoid(x)),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("act", ENDS.values(), ids=ENDS)
def test_a_network_is_what_it_was(act, training):
    net = built(act).train(training)
    before = fingerprint(net)
    for name in ("gradient", "guided_backprop", "lrp"):
        with suppress(ModelError, KeyboardInterrupt):
            method(name)(wrap(net, preprocess=None), IMAGE, target=1)
        assert same(before, fingerprint(net))


@pytest.mark.parametrize("act", [counts, rebinds])
def test_a_network_that_counts_its_passes_gives_the_same_each_time(act):
    net = built(act)
    with torch.no_grad():
        expected = np.asarray(built(act)(torch.from_numpy(IMAGE)))
    model = wrap(net, preprocess=None)
    for _ in range(3):
        np.testing.assert_allclose(model.forward(IMAGE)[OUTPUT], expected, rtol=1e-5)
    dy = np.ones((1, 5), np.float32)
    plain = wrap(built(), preprocess=None).vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_allclose(model.vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT], plain, rtol=1e-5, atol=1e-7)


def test_a_network_built_in_inference_mode_is_explained_and_left_as_it_was():
    with torch.inference_mode():
        net = built()
    before = fingerprint(net)
    dy = np.ones((1, 5), np.float32)
    got = wrap(net, preprocess=None).vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT]
    np.testing.assert_array_equal(got, wrap(built(), preprocess=None).vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT])
    assert same(before, fingerprint(net))


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_of_both_kinds_have_the_gradient_of_the_plain_network(reentrant):
    net = built(lambda self, x: checkpoint(torch.tanh, x, use_reentrant=reentrant))
    dy = np.ones((1, 5), np.float32)
    got = wrap(net, preprocess=None).vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT]
    plain = wrap(built(lambda self, x: torch.tanh(x)), preprocess=None)
    np.testing.assert_array_equal(got, plain.vjp(IMAGE, {OUTPUT: dy}).gradients[INPUT])


def with_tensor_hook(self, x):
    if x.requires_grad:
        x.register_hook(lambda dy: failing(ValueError("a hook said no"))(self, dy))
    return x


REFUSED = {
    "complex": (
        lambda self, x: x, lambda y: torch.complex(y, y),
        "the network returns complex numbers (torch.complex64), which have no order to explain; wrap a module",
    ),
    "overwritten": (
        ENDS["overwritten"], lambda y: y, "it overwrites a tensor [1, 4, 10, 10] that the gradient of Sigmoid needs",
    ),
    "hook": (with_tensor_hook, lambda y: y, "torch cannot differentiate this network: a hook said no"),
    "exit": (ENDS["exit"], lambda y: y, "the network's forward method ends the program (sys.exit(3))"),
}  # fmt: skip


@pytest.mark.parametrize(("act", "end", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_differentiated_is_one_line(act, end, text):
    class Ended(Small):
        def forward(self, x):
            return end(super().forward(x))

    with pytest.raises(ModelError) as caught:
        method("gradient")(wrap(Ended(act).eval(), preprocess=None), IMAGE, target=1)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


class NoGradient(torch.autograd.Function):
    """As the operators of quantised layers: a graph, but no gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        return None


def test_guided_backprop_names_the_way_where_an_operator_gives_no_gradient():
    net = built(lambda self, x: NoGradient.apply(x))
    with pytest.raises(ModelError, match="no gradient gets from layer '<output>' to the image"):
        method("guided_backprop")(wrap(net, preprocess=None), IMAGE, target=1)
