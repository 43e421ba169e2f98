"""Which layers read the image: a rule for first layers reads pixels, or what lays pixels out, and nothing else."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from torch import nn
from torch.nn import functional

IMAGES = np.random.default_rng(5).random((2, 3, 8, 8), dtype=np.float32)


class HiddenConvolution(nn.Module):
    """Its first convolution is a call with a parameter, which is no layer; a dense layer is the first that is one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.kernel, self.head = nn.Parameter(torch.randn(6, 3, 3, 3)), nn.Linear(6, 4)

    def forward(self, x):
        return self.head(functional.relu(functional.conv2d(x, self.kernel, padding=1)).mean((2, 3)))


def relevance(net, **settings):
    model = crosslens.wrap(net, preprocess=None, input_shape=IMAGES.shape[1:])
    return crosslens.method("lrp", **({"per_channel": True} | settings))(model, IMAGES, target=1)


def test_a_convolution_that_is_no_layer_keeps_its_gradient():
    """Without a stabiliser relevance of a network of rectifiers is gradient times input (Ancona et al. 2018)."""
    net, image = HiddenConvolution(), torch.tensor(IMAGES, requires_grad=True)
    net(image)[:, 1].sum().backward()
    got = relevance(net, composite="epsilon", epsilon=0.0)
    want = (image * image.grad).detach().numpy()
    np.testing.assert_allclose(np.asarray(got.values), want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_a_rule_for_first_layers_is_not_that_of_a_layer_behind_a_convolution_that_is_none():
    got, want = (relevance(HiddenConvolution(), composite=name) for name in ("epsilon_plus_flat", "epsilon_plus"))
    np.testing.assert_array_equal(np.asarray(got.values), np.asarray(want.values))
    with pytest.raises(LayerError, match="'head' reads other layers"):
        relevance(HiddenConvolution(), rules=("head=flat",))
