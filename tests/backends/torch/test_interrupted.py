"""ctrl-C in the middle of a long explanation: the network is as it was, no file is left, the next call is the same."""

import signal

import crosslens
import numpy as np
import pytest
import torch

LONG = {
    "smooth_grad": {"samples": 40},
    "rise": {"samples": 40},
    "integrated_gradients": {"steps": 40},
    "expected_gradients": {"samples": 40},
    "occlusion": {"window": 4, "stride": 2},
}


class Interruptible(torch.nn.Module):
    """A network of which pass number `at` gets a real SIGINT while it runs."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 5)
        self.at = None

    def forward(self, x):
        maps = torch.tanh(self.first(x))
        if self.at is not None:
            self.at -= 1
            if self.at == 0:
                signal.raise_signal(signal.SIGINT)
        return self.last(maps.mean(dim=(2, 3)))


@pytest.fixture(autouse=True)
def heard():
    """Python's own answer to ctrl-C: a shell that starts tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def net():
    return Interruptible().train()


def state_of(net):
    """All of a module that running it could change."""
    modules = {
        name: (m.training, [len(v) for k, v in vars(m).items() if k.endswith("hooks")])
        for name, m in net.named_modules()
    }
    parameters = {
        name: (p.requires_grad, p.grad is None, p.detach().numpy().copy()) for name, p in net.named_parameters()
    }
    return modules, parameters, torch.is_grad_enabled(), torch.get_num_threads()


@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_within_a_pass_leaves_no_trace(net, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12))
    method = crosslens.method(name, **LONG[name])
    image = np.random.default_rng(0).random((1, 3, 12, 12), np.float32)
    before, pixels, expected = state_of(net), image.copy(), method(model, image, target=2)

    net.at = 3
    with pytest.raises(KeyboardInterrupt):
        method(model, image, target=2)
    net.at = None

    np.testing.assert_equal(state_of(net), before)
    np.testing.assert_array_equal(image, pixels)
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(method(model, image, target=2).values, expected.values)
