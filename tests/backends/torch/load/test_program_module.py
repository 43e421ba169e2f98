"""Exported programs of every make open, and compute what the module that they were exported from computes."""

import io

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn import functional


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


class Attends(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.conv, self.attend = nn.Conv2d(3, 8, 4, 4), nn.MultiheadAttention(8, 2, batch_first=batch_first)
        self.token, self.fc, self.first = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 5), batch_first

    def forward(self, x):
        x = self.conv(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        y = x if self.first else x.transpose(0, 1)
        y = self.attend(y, y, y, need_weights=False)[0]
        return self.fc((x + (y if self.first else y.transpose(0, 1)))[:, 0])


class WeightsAlone(nn.Module):
    """Parameters used without a call of the module that holds them, as in timm's weight-standardised convolutions."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.inner, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Module(), Head()
        self.inner.deep = nn.Module()
        self.inner.deep.bias = nn.Parameter(torch.randn(8))

    def forward(self, x):
        weight = self.conv.weight - self.conv.weight.mean((1, 2, 3), keepdim=True)
        x = functional.conv2d(x, weight, self.inner.deep.bias)
        x = functional.batch_norm(x, self.norm.running_mean, self.norm.running_var, self.norm.weight, self.norm.bias)
        return self.head(functional.relu(x))


class Repeated(nn.Module):
    """One block under two names, called three times; tied weights."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Identity(), nn.BatchNorm2d(8), nn.ReLU())
        self.same, self.tied, self.head = self.block, nn.Conv2d(8, 8, 3), Head()
        self.tied.weight = self.block[0].weight

    def forward(self, x):
        x = self.same(self.block(self.stem(x)))
        return self.head(self.block(self.tied(functional.max_pool2d(x, 2))))


class Writes(nn.Module):
    cut = True

    def __init__(self):
        super().__init__()
        self.conv, self.again, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), Head()
        self.register_buffer("on", torch.tensor(True))
        self.register_buffer("scale", torch.rand(8, 1, 1), persistent=False)

    def forward(self, x):
        y = self.again(self.conv(x).relu_())
        y[:, 0] = y[:, 1] * 2
        y = torch.where(self.on, y * self.scale, y) + torch.arange(y.shape[-1])
        with torch.set_grad_enabled(not self.cut):
            gate = self.conv(x).sigmoid()
        return self.head(functional.interpolate(y * gate, size=(9, 9), mode="bilinear"))


class Recurs(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.conv, self.cells = nn.Conv2d(3, 8, 4, 4), kind(8, 6, batch_first=True, bidirectional=True)
        self.weight = nn.Parameter(torch.randn(5, 12))

    def forward(self, x):
        y = self.cells(self.conv(x).flatten(2).transpose(1, 2))[0]
        return torch.einsum("ntc,kc->nk", y, self.weight)


class Region(nn.Module):
    """Modules called in a region of another precision, which a program holds as a graph in its graph."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Identity()), Head()

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = self.body(x)
        return self.head(x.float())


NETWORKS = {
    "identity": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Identity(), nn.ReLU(), nn.Sequential(), Head()),
    "identities": lambda: nn.Sequential(nn.Identity(), nn.Conv2d(3, 8, 3), nn.Sequential(nn.Identity()), Head()),
    "attention": Attends,
    "attention of time first": lambda: Attends(False),
    "weights alone": WeightsAlone,
    "repeated": Repeated,
    "writes": Writes,
    "lstm": lambda: Recurs(nn.LSTM),
    "gru": lambda: Recurs(nn.GRU),
    "region": Region,
}


def exported(net, way):
    dynamic = ({0: torch.export.Dim("batch", min=1)},) if way == "dynamic" else None
    kept = tuple(name for name, _ in net.named_modules() if name) if way == "signatures" else ()
    program = torch.export.export(
        net, (torch.rand(2, 3, 16, 16),), dynamic_shapes=dynamic, preserve_module_call_signature=kept
    )
    return program.run_decompositions() if way == "decomposed" else program


OTHER_WAYS = [
    *[(name, "dynamic") for name in ("identity", "attention", "repeated")],
    *[(name, "decomposed") for name in ("attention", "writes")],
    *[(name, "signatures") for name in ("identities", "repeated", "region")],
]


@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # torch.export's, about its own LSTM
@pytest.mark.parametrize(("name", "way"), [*[(name, "fixed") for name in NETWORKS], *OTHER_WAYS])
def test_a_program_is_the_module_it_was_exported_from(name, way):
    torch.manual_seed(0)
    net = NETWORKS[name]().eval()
    model = crosslens.wrap(exported(net, way), preprocess=None)
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 16, 16), np.float32)).requires_grad_()
    cotangent = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
    net.cut = way != "decomposed"  # decompositions forget no_grad
    y = net(images)
    (gradient,) = torch.autograd.grad(y, images, torch.from_numpy(cotangent))
    pull = model.vjp(images.detach().numpy(), {OUTPUT: cotangent}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], y.detach().numpy(), rtol=1e-4, atol=1e-5)
    largest = float(gradient.abs().max())
    np.testing.assert_allclose(pull.gradients[INPUT], gradient.numpy(), rtol=1e-3, atol=1e-5 * largest)
    named = {name.partition("#")[0].partition("/")[0] for name in model.layers} - {INPUT, OUTPUT, ""}
    own = {name for name, _ in net.named_modules(remove_duplicate=False)}
    assert all(name in own or name.startswith("submod_") for name in named)  # torch's name for a region without grad
    assert len(named) >= 1


def test_a_program_with_regions_is_left_as_it_is():
    program = exported(Region().eval(), "signatures")
    before = program.graph_module.print_readable(print_output=False)
    crosslens.wrap(program, preprocess=None)
    assert program.graph_module.print_readable(print_output=False) == before
    torch.export.save(program, io.BytesIO())
