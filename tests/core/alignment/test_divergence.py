"""Faults planted in a small network: the layer and the cause are named each time; an untouched copy has none."""

import json
from copy import deepcopy

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, diverge, wrap
from crosslens.alignment.preprocessing_faults import find_cause_in_images
from crosslens.alignment.probe_images import probes
from crosslens.errors import ComparisonError
from crosslens.testing import TinyModel

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

from benchmarks.planted_faults import Fault, Places, edit, faults, found, nudged  # noqa: E402

SHAPE = (3, 48, 48)
OPTIONS = {"preprocess": "lite", "input_shape": SHAPE}
PLACES = Places(first="norm1", kernel="conv2", window="conv3", norm="norm2", rectifier="relu2")


def small():
    """conv-norm-relu three times, an enlargement, a dense head; normalisations that do something."""
    torch.manual_seed(0)
    return Small().eval()


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm1, self.relu1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        self.conv2, self.norm2, self.relu2 = nn.Conv2d(8, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6()
        self.conv3, self.norm3, self.relu3 = nn.Conv2d(12, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU()
        self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
        self.conv4, self.relu4, self.pool = nn.Conv2d(12, 16, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        self.flatten, self.fc = nn.Flatten(), nn.Linear(16, 10)
        for norm in (self.norm1, self.norm2, self.norm3):
            norm.eps = 1e-3
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, 0, 0.3)
            norm.running_var.uniform_(0.05, 1)
            norm.running_mean.normal_(0, 0.2)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


def coarse(x):
    """The same pictures by a pipeline with another filter: each 2 x 2 block is one colour."""
    return np.repeat(np.repeat(x[:, :, ::2, ::2], 2, axis=2), 2, axis=3)


X = probes(wrap(small(), **OPTIONS))
FAULTS = list(faults(PLACES, coarse(X)))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_planted_layer_and_what_was_done_to_it_are_named(fault):
    said = found(small(), fault, OPTIONS, X)
    assert said.cause is not None, said.text
    assert (said.cause.layer, said.cause.kind) in {(fault.layer, kind) for kind in fault.kinds}, said.text


def test_an_untouched_copy_does_not_part():
    said = found(small(), Fault("none", INPUT, set()), OPTIONS, X)
    assert (said.first, said.cause, said.faults) == (None, None, ())
    assert "do not part: no layer's own error leaves rounding" in said.text
    assert [said.steps[0].a, said.steps[-1].a] == [INPUT, OUTPUT]


def corners(net):
    net.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


def border(net):
    net.conv2.padding_mode = "reflect"
    net.conv2._reversed_padding_repeated_twice = [1, 1, 1, 1]


MORE = [
    Fault("an enlargement by corners", "enlarge", {"resize"}, corners),
    Fault("the border reflected", "conv2", {"padding"}, border),
    Fault("the last layer's weights", "fc", {"weights"}, edit("fc.weight", nudged)),
    Fault("the last layer's bias", "fc", {"weights"}, edit("fc.bias", nudged)),
    Fault("an offset", "norm2", {"weights"}, edit("norm2.bias", nudged)),
    Fault("the first layer's weights", "conv1", {"weights"}, edit("conv1.weight", nudged)),
    Fault("a small error late", "conv4", {"weights"}, edit("conv4.weight", lambda w: 1.0001 * w)),
]


@pytest.mark.parametrize("fault", MORE, ids=lambda fault: fault.name)
def test_faults_that_the_table_does_not_have_are_named_too(fault):
    said = found(small(), fault, OPTIONS, X)
    assert said.cause is not None, said.text
    assert (said.cause.layer, said.cause.kind) in {(fault.layer, kind) for kind in fault.kinds}, said.text


@pytest.mark.parametrize("fault", FAULTS[:8], ids=lambda fault: fault.name)
def test_a_fault_is_named_in_one_framework_too(fault):
    """torch against torch: nothing is folded, tensors are compared one by one."""
    net, faulty = small(), small()
    fault.plant(faulty)
    said = diverge(wrap(net, **OPTIONS), wrap(faulty.eval(), **OPTIONS), X)
    assert said.cause is not None, said.text
    assert (said.cause.layer, said.cause.kind) in {(fault.layer, kind) for kind in fault.kinds}, said.text


def test_two_faults_are_two_and_the_first_is_named():
    net = small()
    wrong = deepcopy(net)
    edit("conv2.weight", nudged)(wrong)
    edit("conv4.weight", nudged)(wrong)
    said = diverge(wrap(net, **OPTIONS), wrap(wrong, **OPTIONS), X)
    assert [step.a for step in said.faults] == ["conv2", "conv4"]
    assert said.first.a == "conv2"
    assert "1 more layers add an error of their own" in said.text


def test_errors_grow_from_the_fault_on_and_are_owned_there_only():
    said = found(small(), FAULTS[0], OPTIONS, X)
    place = [step.a for step in said.steps].index("norm2")
    assert all(step.error < 1e-5 for step in said.steps[:place])
    assert all(step.error > 1e-5 for step in said.steps[place:])
    assert [step.a for step in said.faults] == ["norm2"]


def test_the_json_holds_every_step_and_the_cause():
    said = json.loads(json.dumps(found(small(), FAULTS[0], OPTIONS, X).as_json()))
    assert said["cause"]["kind"] == "weights"
    assert said["first"]["a"] == "norm2"
    assert [step["leaves_noise"] for step in said["steps"]].count(True) == 1
    assert "one float32 rounding" in said["noise"]


def test_pictures_in_other_colours_or_another_range_are_told_from_resized_ones():
    assert find_cause_in_images(X, X[:, ::-1]).text == "the pictures' channels are in reverse order (BGR for RGB)"
    assert "they are 255 x + " in find_cause_in_images(X, 255 * X).text
    assert find_cause_in_images(X, coarse(X)).kind == "resize"
    assert find_cause_in_images(X, np.random.default_rng(0).random(X.shape).astype(np.float32)).kind == "pictures"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (
            (TinyModel(), TinyModel(classes=4)),
            r"different outputs: tiny \(5,\), tiny 2 \(4,\); they are not one network",
        ),
        ((TinyModel(), TinyModel(size=9)), r"tiny \(3, 8, 8\), tiny 2 \(3, 9, 9\); resize one of them"),
    ],
)
def test_models_that_are_not_one_network_are_refused(models, message):
    with pytest.raises(ComparisonError, match=message):
        diverge(*models)


def test_models_that_name_their_classes_differently_are_refused():
    other = TinyModel()
    other.labels = ["class 0", "class 2", "class 1", "class 3", "class 4"]
    with pytest.raises(
        ComparisonError, match=r"class 1 is 'class 1' in tiny and 'class 2' in tiny 2 \(2 of 5 differ\)"
    ):
        diverge(TinyModel(), other)


def test_padding_by_a_function_is_a_part_of_the_convolution_behind_it():
    """Else the padding parts first, where no cause can be told."""
    from torch.nn import functional

    class Net(nn.Module):
        def __init__(self, before):
            super().__init__()
            torch.manual_seed(0)
            self.pads = (before, 1 - before, before, 1 - before)
            self.first, self.conv, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 2), nn.Linear(6, 4)

        def forward(self, x):
            x = self.conv(functional.pad(self.first(x).relu(), self.pads))
            return self.fc(x.relu().mean((2, 3)))

    a, b = (wrap(Net(n).eval(), preprocess=None, input_shape=(3, 12, 12)) for n in (0, 1))
    divergence = diverge(a, b, images=np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32))
    assert divergence.first.b == "conv"
