"""Other backward rules, against their formulas and published values, however a network calls its rectifier."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError, ParameterError
from torch import nn
from torch.nn import functional

SIZE = (3, 6, 6)


class Between(nn.Module):
    """A smooth layer, a rectifier, a smooth layer."""

    def __init__(self, rectify):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        self.rectifier = rectify if isinstance(rectify, nn.Module) else None
        self.rectify = None if self.rectifier else rectify

    def forward(self, x):
        x = 4 * self.first(x) + 1
        return self.second(self.rectifier(x) if self.rectifier else self.rectify(x))


def statement(x):
    """In place, the result ignored."""
    x.relu_()
    return x


PRELU = nn.PReLU(4)
PRELU.weight.data = torch.tensor([0.1, 0.5, -0.2, 1.5])
RELU, RELU6, CLIP, LEAKY, SLOPES = "relu", "relu6", "clip", "leaky", "prelu"
FORMS = {
    "nn.ReLU": (nn.ReLU(), RELU),
    "nn.ReLU(inplace)": (nn.ReLU(inplace=True), RELU),
    "F.relu": (functional.relu, RELU),
    "F.relu(x, True)": (lambda x: functional.relu(x, True), RELU),
    "F.relu_": (functional.relu_, RELU),
    "F.relu(input=x)": (lambda x: functional.relu(input=x), RELU),
    "torch.relu": (torch.relu, RELU),
    "torch.relu_": (torch.relu_, RELU),
    "Tensor.relu": (lambda x: x.relu(), RELU),
    "Tensor.relu_ as a statement": (statement, RELU),
    "clamp(min=0)": (lambda x: x.clamp(min=0), RELU),
    "torch.clamp_(x, 0)": (lambda x: torch.clamp_(x, 0), RELU),
    "clamp_min": (lambda x: x.clamp_min(0.0), RELU),
    "aten.relu": (torch.ops.aten.relu.default, RELU),
    "aten.relu_": (torch.ops.aten.relu_.default, RELU),
    "nn.ReLU6": (nn.ReLU6(), RELU6),
    "nn.ReLU6(inplace)": (nn.ReLU6(inplace=True), RELU6),
    "F.relu6": (functional.relu6, RELU6),
    "clip": (lambda x: torch.clip(x, 0, 6), RELU6),
    "nn.Hardtanh": (nn.Hardtanh(0, 2), CLIP),
    "F.hardtanh_": (lambda x: functional.hardtanh_(x, 0, 2), CLIP),
    "nn.LeakyReLU": (nn.LeakyReLU(0.3), LEAKY),
    "nn.LeakyReLU(inplace)": (nn.LeakyReLU(0.3, inplace=True), LEAKY),
    "F.leaky_relu": (lambda x: functional.leaky_relu(x, 0.3), LEAKY),
    "nn.PReLU": (PRELU, SLOPES),
    "F.prelu": (lambda x: functional.prelu(x, PRELU.weight.detach()), SLOPES),
}


def value_and_slope(kind, a):
    """f and f' by their definitions."""
    slopes = PRELU.weight.detach().numpy()[:, None, None]
    low, high = {RELU: (0, np.inf), RELU6: (0, 6), CLIP: (0, 2)}.get(kind, (0, np.inf))
    below = {LEAKY: 0.3, SLOPES: slopes}.get(kind)
    if below is not None:
        return np.where(a > 0, a, below * a), np.where(a > 0, 1, below)
    return np.clip(a, low, high), ((a > low) & (a < high)).astype(float)


def pulled_back(rule, slope, dy):
    """Model.modified's formulas, written again."""
    return {
        "exact": slope * dy,
        "guided": slope * np.maximum(dy, 0),
        "deconvnet": np.maximum(dy, 0),
        "linear": dy,
    }[rule]


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, *SIZE), np.float32)


@pytest.mark.parametrize("rule", crosslens.model.BACKWARD_RULES)
@pytest.mark.parametrize("form", FORMS)
def test_each_rule_is_its_formula_however_the_rectifier_is_called(form, rule, images):
    rectify, kind = FORMS[form]
    net = Between(rectify)
    x = torch.from_numpy(images).requires_grad_()
    a = 4 * net.first(x) + 1
    y, slope = value_and_slope(kind, a.detach().numpy())
    middle = torch.tensor(y, dtype=torch.float32, requires_grad=True)
    output = net.second(middle)
    dy = np.random.default_rng(1).standard_normal(output.shape).astype(np.float32)
    (at_output,) = torch.autograd.grad(output, middle, torch.from_numpy(dy))
    at_input = torch.from_numpy(pulled_back(rule, slope, at_output.numpy()).astype(np.float32))
    (expected,) = torch.autograd.grad(a, x, at_input)
    model = crosslens.wrap(net, preprocess=None, input_shape=SIZE).modified(relu=rule)
    pull = model.vjp(images, {OUTPUT: dy}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.gradients[INPUT], expected.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pull.activations[OUTPUT], output.detach().numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fixed", [1, None])
def test_operators_of_an_exported_program_follow_the_rules_too(images, fixed):
    net = nn.Sequential(
        *(Between(nn.ReLU(inplace=True)), nn.ReLU6(), nn.Conv2d(2, 4, 1)),
        *(PRELU, nn.Conv2d(4, 4, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 2, 1)),
    ).eval()
    batch = None if fixed else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.zeros(fixed or 2, *SIZE),), dynamic_shapes=batch)
    dy = np.random.default_rng(1).standard_normal((2, 2, 2, 2)).astype(np.float32)
    for given in (program, program.run_decompositions()):
        for rule in ("guided", "deconvnet", "linear"):
            expected, got = (
                crosslens.wrap(n, preprocess=None, input_shape=SIZE)
                .modified(relu=rule)
                .vjp(images, {OUTPUT: dy}, wrt=["0.first", "2", "3", "4"])
                .gradients
                for n in (net, given)
            )
            for name in expected:
                np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rectify", [nn.SiLU(), nn.GELU(), lambda x: x.clamp(max=1), lambda x: x.clamp(min=-0.5)])
def test_a_network_without_rectifiers_has_no_rule_to_change(rectify):
    model = crosslens.wrap(Between(rectify), preprocess=None, input_shape=SIZE)
    with pytest.raises(ModelError, match=r"no rectifier \(ReLU, ReLU6, LeakyReLU, PReLU\) to change the rule of"):
        model.modified(relu="guided")


def test_an_unknown_rule_is_refused():
    with pytest.raises(ParameterError, match="no relu rule 'gided'; there are exact, guided, deconvnet, linear"):
        crosslens.wrap(Between(nn.ReLU()), preprocess=None, input_shape=SIZE).modified(relu="gided")


class OneConv(nn.Module):
    """captum's BasicModel_ConvNet_One_Conv, rebuilt: its tests publish the values below."""

    def __init__(self, inplace):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(1, 2, 3), nn.ReLU(inplace=inplace)
        self.fc1, self.relu2 = nn.Linear(8, 4), nn.ReLU(inplace=inplace)
        self.conv1.weight.data = torch.ones(2, 1, 3, 3)
        self.conv1.bias.data = torch.tensor([-50.0, -75.0])
        self.fc1.weight.data = torch.cat([torch.ones(4, 5), -torch.ones(4, 3)], dim=1)
        self.fc1.bias.data = torch.zeros(4)

    def forward(self, x):
        x = self.relu1(self.conv1(x))
        return self.relu2(self.fc1(x.view(-1, 8)))


@pytest.fixture(params=[False, True], ids=["out of place", "in place"])
def one_conv(request):
    wide = crosslens.InputSpec((1, 4, 4), bounds=(0.0, 16.0))
    return crosslens.wrap(OneConv(request.param), preprocess=None, input_shape=wide)


ARANGE = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
FIRST = np.eye(4, dtype=np.float32)[:1]


def test_guided_backpropagation_is_what_captum_publishes(one_conv):
    got = one_conv.modified(relu="guided").vjp(ARANGE, {OUTPUT: FIRST}).gradients[INPUT]
    np.testing.assert_array_equal(got[0, 0], [[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]])


def test_deconvnet_is_what_captum_publishes(one_conv):
    got = one_conv.modified(relu="deconvnet").vjp(ARANGE, {"fc1": FIRST}).gradients[INPUT]
    np.testing.assert_array_equal(got[0, 0], [[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]])


@pytest.mark.parametrize(
    ("layer", "expected"), [("conv1", [[11.25, 13.5], [20.25, 22.5]]), ("relu1", [[0, 4], [28, 32.5]])]
)
def test_grad_cam_is_what_captum_publishes(one_conv, layer, expected):
    pull = one_conv.vjp(ARANGE, {OUTPUT: FIRST}, wrt=[layer], capture=[layer])
    weights = pull.gradients[layer].mean(axis=(2, 3), keepdims=True)
    np.testing.assert_array_equal(np.maximum((weights * pull.activations[layer]).sum(axis=1)[0], 0), expected)


def test_a_clip_that_lets_negatives_through_is_no_rectifier():
    model = crosslens.wrap(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Hardtanh()), preprocess=None, input_shape=(3, 8, 8))
    with pytest.raises(ModelError, match="no rectifier"):
        model.modified(relu="guided")
