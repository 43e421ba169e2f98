"""The zoo in PyTorch as users write it: functions and operators in `forward`, in place where torch allows."""

import torch
from torch import nn
from torch.nn import functional

from . import torch as modules

FUNCTIONS = {
    "silu": lambda s, x: x * torch.sigmoid(x),
    "gelu": lambda s, x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "relu": lambda s, x: functional.relu(x, inplace=True),
    "relu6": lambda s, x: functional.relu6(x),
    "leaky_relu": lambda s, x: functional.leaky_relu(x, s.slope),
    "add": lambda s, a, b: a + b,
    "concat": lambda s, a, b: torch.cat([a, b], dim=1),
    "avg_pool": lambda s, x: functional.avg_pool2d(x, s.size, s.stride),
    "max_pool": lambda s, x: functional.max_pool2d(x, s.size, s.stride),
    "gap": lambda s, x: x.mean(3).mean(2),
}


class Function(nn.Module):
    """A module of the plan's name whose `forward` is the function."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, *inputs):
        return FUNCTIONS[self.step.kind](self.step, *inputs)


class Net(modules.Net):
    """The steps one after another; the image is doubled and halved first, in the root's own code."""

    def __init__(self, plan):
        super().__init__(plan)
        for step in plan:
            if step.kind in FUNCTIONS:
                setattr(self, step.name, Function(step))

    def forward(self, x):
        return super().forward((x * 2.0) / 2.0)


def build(plan, shape):
    net = Net(plan).eval()
    next(net.parameters()).requires_grad_(False)
    return net


state = modules.state
