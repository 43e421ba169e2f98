"""Projecting a unit back to the pixels: every step by hand, with the pooling's switches and without."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from crosslens.objective import channel, neuron
from torch import nn
from torch.nn import functional

X = np.random.default_rng(0).random((2, 3, 21, 21), dtype=np.float32)
UNIT = neuron("conv3", 2, 1, 1)


class Pooled(nn.Module):
    """conv - relu - pool 2 - conv - relu - pool 3, stride 2 - conv."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3), nn.Conv2d(6, 5, 2)
        self.relu1, self.relu2, self.pool1, self.pool2 = nn.ReLU(), nn.ReLU(), nn.MaxPool2d(2), nn.MaxPool2d(3, 2)
        self.fc = nn.Linear(5, 4)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.conv3(self.pool2(self.relu2(self.conv2(x))))
        return self.fc(x.mean((2, 3)))


class Strided(nn.Module):
    """conv with stride 2 - relu - conv with stride 2 that leaves a remainder - relu - conv."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.conv3, self.relu1, self.relu2, self.fc = nn.Conv2d(6, 5, 3), nn.ReLU(), nn.ReLU(), nn.Linear(5, 4)

    def forward(self, x):
        return self.fc(self.conv3(self.relu2(self.conv2(self.relu1(self.conv1(x))))).mean((2, 3)))


class Around(nn.Module):
    """A pooling, and a way around it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.conv1, self.relu1, self.pool = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.shorter, self.fc = nn.Conv2d(4, 4, 1, stride=2), nn.Linear(4, 4)

    def forward(self, x):
        x = self.relu1(self.conv1(x))[:, :, :20, :20]
        return self.fc((self.pool(x) + self.shorter(x)).mean((2, 3)))


def wrapped(net):
    return crosslens.wrap(net.eval(), preprocess=None, input_shape=X.shape[1:])


def seed(net):
    """One at the unit, of the shape of conv3's output."""
    at = {}
    handle = net.conv3.register_forward_hook(lambda m, i, o: at.setdefault("y", o))
    net(torch.from_numpy(X))
    handle.remove()
    one = torch.zeros_like(at["y"])
    one[:, 2, 1, 1] = 1
    return one


def transposed(dy, conv, size):
    """The filters transposed; what a stride left over at the far border is padded back."""
    done = functional.conv_transpose2d(dy, conv.weight, stride=conv.stride, padding=conv.padding)
    return functional.pad(done, (0, size - done.shape[3], 0, size - done.shape[2]))


def pooled_back(net, unpool):
    r1 = net.relu1(net.conv1(torch.from_numpy(X)))
    r2 = net.relu2(net.conv2(net.pool1(r1)))
    g = unpool(transposed(seed(net), net.conv3, 3), r2, 3, 2)
    g = transposed(functional.relu(g), net.conv2, 10)
    return transposed(functional.relu(unpool(g, r1, 2, 2)), net.conv1, 21).detach().numpy()


def to_the_maxima(dy, x, kernel, stride):
    """Each value to where its window's maximum was; windows that share it add up."""
    found = torch.zeros_like(x)
    for n, c, i, j in np.ndindex(*dy.shape):
        window = x[n, c, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        down, right = divmod(int(window.argmax()), window.shape[1])
        found[n, c, i * stride + down, j * stride + right] += dy[n, c, i, j]
    return found


def evenly(dy, x, kernel, stride):
    """Each value in equal parts to all places of its window."""
    found = torch.zeros_like(x)
    for i, j in np.ndindex(*dy.shape[2:]):
        window = found[:, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        window += dy[:, :, i, j][:, :, None, None] / (window.shape[2] * window.shape[3])
    return found


@pytest.mark.parametrize(("switches", "unpool"), [(True, to_the_maxima), (False, evenly)])
def test_a_unit_is_projected_back_step_by_step(switches, unpool):
    net = Pooled().eval()
    values = crosslens.method("deconvnet", switches=switches)(wrapped(net), X, UNIT).values
    expected = pooled_back(net, unpool)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_a_strided_convolution_is_transposed_and_nothing_else():
    """The grid that it leaves in the picture is the method's own."""
    net = Strided().eval()
    values = crosslens.method("deconvnet")(wrapped(net), X, UNIT).values
    g = functional.relu(transposed(seed(net), net.conv3, 5))
    g = functional.relu(transposed(g, net.conv2, 10))
    expected = transposed(g, net.conv1, 21).detach().numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_without_a_pooling_there_are_no_switches_to_leave_out():
    model = wrapped(Strided())
    with_them, without = (crosslens.method("deconvnet", switches=s)(model, X, UNIT).values for s in (True, False))
    np.testing.assert_array_equal(with_them, without)


def test_a_unit_is_projected_back_to_a_layer_between_the_poolings():
    net = Pooled().eval()
    values = crosslens.method("deconvnet", switches=False, layer="pool1")(wrapped(net), X, UNIT).values
    r2 = net.relu2(net.conv2(net.pool1(net.relu1(net.conv1(torch.from_numpy(X))))))
    expected = transposed(functional.relu(evenly(transposed(seed(net), net.conv3, 3), r2, 3, 2)), net.conv2, 10)
    np.testing.assert_allclose(values, expected.detach().numpy(), rtol=1e-5, atol=1e-7)


def test_a_way_around_the_pooling_is_refused_without_switches():
    model = wrapped(Around())
    crosslens.method("deconvnet")(model, X, 1)
    with pytest.raises(LayerError, match=r"not only through the pooling 'pool'.*leave switches=True"):
        crosslens.method("deconvnet", switches=False)(model, X, 1)


def test_a_pooling_with_other_windows_is_refused_without_switches():
    net = Pooled()
    net.pool1 = nn.MaxPool2d(4, 2)
    with pytest.raises(LayerError, match=r"the input of the pooling 'pool1' is not a layer .* neither 2 nor 3 wide"):
        crosslens.method("deconvnet", switches=False)(wrapped(net), X, channel("conv3", 2))
