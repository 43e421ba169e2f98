"""A gradient that autograd loses on its way to the image is refused; zeros are an answer only without influence."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError
from torch import nn

X = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


class Lost(torch.autograd.Function):
    """What a kernel without a derivative does that still says it has one."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, _):
        return None


class Net(nn.Module):
    def __init__(self, cut):
        super().__init__()
        self.cut, self.conv, self.head, self.beside = cut, nn.Conv2d(3, 4, 3), nn.Linear(4, 5), nn.Linear(192, 2)
        self.rows = nn.Embedding(1, 5)

    def forward(self, x):
        y = self.conv(x).relu()
        y = self.cut(y)
        fixed = self.rows(torch.zeros(len(x), dtype=torch.long))
        return {"out": self.head(y.mean((2, 3))).softmax(1), "beside": self.beside(x.flatten(1)) + fixed[:, :2]}


CUTS = {
    "detach": lambda y: y.detach(),
    "kernel": Lost.apply,
    "places": lambda y: nn.functional.one_hot(y.argmax(1), 4).movedim(-1, 1).float(),
}


@pytest.fixture(params=CUTS)
def model(request):
    torch.manual_seed(0)
    return crosslens.wrap(Net(CUTS[request.param]).eval(), preprocess=None, input_shape=(3, 8, 8), output="out")


@pytest.mark.parametrize("target", [1, "probability:1", "output:1", "channel:head:2"])
def test_a_gradient_that_cannot_reach_the_image_is_refused(model, target):
    with pytest.raises(ModelError, match="no gradient gets from"):
        crosslens.method("gradient")(model, X, target)


def test_a_layer_before_the_cut_is_refused_too(model):
    with pytest.raises(ModelError, match="no gradient gets from"):
        crosslens.method("grad_cam", layer="conv")(model, X, 1)


@pytest.fixture
def uncut():
    return crosslens.wrap(Net(lambda y: y).eval(), preprocess=None, input_shape=(3, 8, 8), output="out")


def test_a_layer_that_the_image_does_not_decide_on_has_zeros(uncut):
    assert not uncut.vjp(X, {"rows": np.ones((2, 5), np.float32)}).gradients[INPUT].any()
    ones = np.ones((2, 2), np.float32)
    assert not uncut.vjp(X, {"beside": ones}, wrt=["conv"]).gradients["conv"].any()


def test_a_replaced_layer_cuts_with_zeros(uncut):
    maps = uncut.forward(X, ["conv"])["conv"]
    pull = uncut.vjp(X, {OUTPUT: np.ones((2, 5), np.float32)}, replace={"conv": maps})
    assert not pull.gradients[INPUT].any()


class Deviations(nn.Module):
    """Pooled by standard deviations, which are all that is read."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(torch.std(self.conv(x), dim=(2, 3)))


@pytest.mark.parametrize("method", ["lrp", "attn_lrp"])
def test_rules_that_take_a_deviation_as_a_constant_say_so_where_nothing_gets_past_it(method):
    model = crosslens.wrap(Deviations().eval(), preprocess=None, input_shape=(3, 8, 8))
    with pytest.raises(
        ModelError, match=r"no gradient gets from the output.*take roots and deviations .* as constants"
    ):
        crosslens.method(method)(model, X, 1)
    assert np.abs(crosslens.method("gradient")(model, X, 1).values).max() > 0
