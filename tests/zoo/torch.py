"""The zoo in PyTorch."""

import torch
from torch import nn


class Add(nn.Module):
    def forward(self, a, b):
        return a + b


class Concat(nn.Module):
    def forward(self, a, b):
        return torch.cat([a, b], dim=1)


class Gap(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3))


def conv(step):
    out, width, size, _ = step.weights["kernel"].shape
    bias = "bias" in step.weights
    return nn.Conv2d(width * step.groups, out, size, step.stride, step.pad, groups=step.groups, bias=bias)


LAYERS = {
    "conv": conv,
    "norm": lambda s: nn.BatchNorm2d(len(s.weights["scale"]), eps=1e-3),
    "linear": lambda s: nn.Linear(*s.weights["kernel"].shape[::-1]),
    "silu": lambda s: nn.SiLU(),
    "gelu": lambda s: nn.GELU(),
    "relu": lambda s: nn.ReLU(inplace=True),
    "relu6": lambda s: nn.ReLU6(),
    "leaky_relu": lambda s: nn.LeakyReLU(s.slope),
    "add": lambda s: Add(),
    "concat": lambda s: Concat(),
    "avg_pool": lambda s: nn.AvgPool2d(s.size, s.stride),
    "max_pool": lambda s: nn.MaxPool2d(s.size, s.stride),
    "gap": lambda s: Gap(),
}
NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


class Net(nn.Module):
    def __init__(self, plan):
        super().__init__()
        self.plan = plan
        for step in plan:
            layer = LAYERS[step.kind](step)
            for name, values in step.weights.items():
                getattr(layer, NAMES[name]).data = torch.from_numpy(values.copy())
            self.add_module(step.name, layer)

    def forward(self, x):
        found = {self.plan[0].reads[0]: x}
        for step in self.plan:
            found[step.name] = getattr(self, step.name)(*(found[name] for name in step.reads))
        return found[self.plan[-1].name]


def build(plan, shape):
    """A module whose layers are called as the plan's steps, in eval mode, one weight frozen."""
    net = Net(plan).eval()
    next(net.parameters()).requires_grad_(False)
    return net


def state(net):
    """Weights, modes, hooks, gradients, and torch's settings."""
    return {
        "weights": {name: values.numpy().tobytes() for name, values in net.state_dict().items()},
        "versions": [values._version for values in net.state_dict().values()],
        "requires_grad": [p.requires_grad for p in net.parameters()],
        "grad": [p.grad is None for p in net.parameters()],
        "training": [module.training for module in net.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in net.modules()],
        "inplace": [getattr(module, "inplace", None) for module in net.modules()],
        "settings": (torch.is_grad_enabled(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()),
    }
