"""Parts of a torch network that run alone, against the whole network; and what cannot be cut out of one."""

from itertools import pairwise

import crosslens
import numpy as np
import pytest
import torch
from crosslens.backends.torch import model as torch_model
from crosslens.backends.torch.occlusion import recorded_graphs
from crosslens.backends.torch.occlusion.local_share import local_share
from crosslens.backends.torch.occlusion.recorded_graphs import PATIENCE
from crosslens.errors import ModelError
from crosslens.model import OUTPUT
from crosslens.occlusion import cost, occluded
from torch import nn

SIZE = (20, 24)


class Net(nn.Module):
    """A write in place, a dropout that a shortcut bypasses, a layer that runs twice, a batch axis that is reshaped."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout()
        self.second, self.last = nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        x = self.relu(self.second(self.drop(x)) + x)
        return self.last(x.mean((2, 3)).view(x.shape[0], -1))


class Windows(Net):
    """Sizes that are multiples of the batch's, as where a transformer cuts windows."""

    def forward(self, x):
        x = self.relu(self.norm(self.first(x)))
        parts = x.view(x.shape[0], 6, 2, 5, 12).transpose(1, 2).reshape(-1, 6, 5, 12)
        parts = self.second(parts)
        x = parts.view(parts.shape[0] // 2, -1, 6, 5 * 12)
        return self.last(x.mean((1, 3)))


class Asks(Net):
    """Its path hangs on a number."""

    def forward(self, x):
        return super().forward(x if x.mean() > 0.1 else -x)


class Counts(Net):
    """Its path hangs on how many images there are."""

    def forward(self, x):
        return super().forward(x) * (2 if x.shape[0] == 3 else 1)


def wrapped(kind: type[nn.Module], **options):
    torch.manual_seed(0)
    return crosslens.wrap(kind().eval(), preprocess="imagenet", input_shape=(3, *SIZE), **options)


@pytest.fixture(scope="module")
def model():
    return wrapped(Net)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((3, 3, *SIZE), np.float32)


@pytest.mark.parametrize("layer", ["first", "norm", "relu", "drop", "second", "relu#2", "last"])
def test_what_follows_a_layer_gives_the_bits_of_the_whole_network(layer, images, model):
    values = np.random.default_rng(1).standard_normal(model.forward(images, [layer])[layer].shape).astype(np.float32)
    captured = ["norm", "relu", "second", OUTPUT]
    found = [model.forward(images, captured, replace={layer: values}) for _ in range(PATIENCE + 2)]
    assert any(layer in given for _, given, _ in model._graphs._subgraphs)
    for before, after in pairwise(found):
        for name in captured:
            np.testing.assert_array_equal(after[name], before[name], f"{layer} {name}")


def test_sizes_that_are_multiples_of_the_batch_follow_it(images):
    windows = wrapped(Windows)
    for count in (3, 3, 3, 3, 2, 1):
        values = windows.forward(images[:count], ["relu", OUTPUT])
        got = windows.forward(images[:count], replace={"relu": values["relu"]})[OUTPUT]
        np.testing.assert_allclose(got, values[OUTPUT], rtol=1e-5, atol=1e-6)
    assert windows._graphs._subgraphs


def test_what_comes_before_a_layer_does_not_run(images, model):
    values = model.forward(images, ["relu#2"])
    expected = model.forward(images)[OUTPUT]
    for _ in range(PATIENCE + 1):
        model.forward(images, replace=values)
    ran = []
    hook = model.network.net.first.register_forward_hook(lambda *_: ran.append(1))
    np.testing.assert_allclose(model.forward(images, replace=values)[OUTPUT], expected, rtol=1e-5, atol=1e-6)
    hook.remove()
    assert not ran


def test_parameters_that_change_are_seen_and_exchanged_ones_too(images):
    model = wrapped(Net)
    values = model.forward(images, ["relu#2"])
    for _ in range(PATIENCE + 1):
        before = model.forward(images, replace=values)[OUTPUT]
    net = model.network.net
    with torch.no_grad():
        net.last.bias += 1
    np.testing.assert_allclose(model.forward(images, replace=values)[OUTPUT], before + 1, rtol=1e-5, atol=1e-6)
    net.last.bias = nn.Parameter(net.last.bias.detach() + 1)
    np.testing.assert_allclose(model.forward(images, replace=values)[OUTPUT], before + 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [Asks, Counts])
def test_a_path_that_hangs_on_numbers_or_on_the_batch_runs_whole(kind, images):
    model = wrapped(kind)
    values = model.forward(images, ["relu"])
    expected = model.forward(images, replace=values)[OUTPUT]
    for count in (3, 3, 3, 3, 2, 1):
        got = model.forward(images[:count], replace={"relu": values["relu"][:count]})[OUTPUT]
        scale = 2 if kind is Counts and count != 3 else 1
        np.testing.assert_allclose(scale * got, expected[:count], rtol=1e-5, atol=1e-6)
    assert not model._graphs._subgraphs


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        (Asks, "whole images: the network mixes the images of a batch at layer 'first'"),
        (Counts, "whole images: its code asks how many images"),
    ],
)
def test_occlusion_says_why_whole_images_are_computed(kind, way, images, monkeypatch):
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    found = crosslens.method("occlusion", window=8, stride=4)(wrapped(kind), images[:2], target=1)
    assert found.provenance["computed"].startswith(way)


def test_few_windows_are_not_worth_a_graph(images, model):
    found = crosslens.method("occlusion", window=8, stride=8)(model, images[:1], target=1)
    assert found.provenance["computed"] == "whole images: recording the network's graph takes longer than 9 of them"


class Gated(nn.Module):
    """Squeeze and excitation in front of nearly all of the work, or behind it."""

    def __init__(self, early: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.squeeze, self.gate = nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1)
        self.work, self.last, self.early = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1), early

    def weighed(self, x):
        return x * torch.sigmoid(self.gate(self.squeeze(x)))

    def forward(self, x):
        x = self.first(x)
        x = self.work(self.weighed(x)) if self.early else self.weighed(self.work(x))
        return self.last(x).mean(dim=(2, 3))


def test_a_graph_is_recorded_only_where_windows_could_spare_a_tenth_of_the_work(images, monkeypatch):
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    first, work, last = 3 * 4, 9 * 4 * 4, 4 * 4
    early, late = wrapped(lambda: Gated(early=True)), wrapped(lambda: Gated(early=False))
    shares = [local_share(m.layers, {n: o.source for n, o in m._outputs.items()}) for m in (early, late)]
    assert shares[0] == pytest.approx(first / (first + work + last))
    assert shares[1] == pytest.approx((first + work) / (first + work + last))

    def refuse(*_):
        raise AssertionError("recorded in vain")

    monkeypatch.setattr(recorded_graphs, "record_graph", refuse)
    found = crosslens.method("occlusion", window=8, stride=4)(early, images[:1], target=1)
    assert found.provenance["computed"] == "whole images: layers that see all of the image come before most of the work"
    with pytest.raises(AssertionError, match="in vain"):
        crosslens.method("occlusion", window=8, stride=4)(late, images[:1], target=1)


def test_occlusion_says_how_many_stages_are_computed_again(images, model, monkeypatch):
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    found = crosslens.method("occlusion", window=4, stride=4)(model, images[:1], target=1)
    assert found.provenance["computed"] == "2 of 2 stages computed again only where a window can change them"


def test_a_network_that_fails_still_says_so(images, model):
    wrong = np.zeros((3, 6, 3, 3), np.float32)
    for _ in range(PATIENCE + 2):
        with pytest.raises((crosslens.errors.LayerError, ModelError), match="replace"):
            model.forward(images, replace={"relu": wrong})


def test_an_exported_program_is_cut_like_the_module_it_came_from(images, model, monkeypatch):
    monkeypatch.setattr(cost, "MAX_COST_SHARE", 10.0)
    monkeypatch.setattr(torch_model, "MIN_BOXES", 0)
    program = torch.export.export(
        model.network.net, (torch.zeros(2, 3, *SIZE),), dynamic_shapes=({0: torch.export.Dim("N")},)
    )
    exported = crosslens.wrap(program, preprocess="imagenet")
    boxes = [(y, y + 4, x, x + 4) for y in range(0, 17, 4) for x in range(0, 21, 4)]
    for which, found in occluded(exported, images[:1], images[1:2], boxes, batch=5):
        whole = np.repeat(images[:1], len(which), axis=0)
        for row, place in enumerate(which):
            top, bottom, left, right = boxes[place]
            whole[row, :, top:bottom, left:right] = images[1, :, top:bottom, left:right]
        np.testing.assert_allclose(found[OUTPUT], model.forward(whole)[OUTPUT], rtol=1e-5, atol=1e-6)
    assert [len(each.staged_network(SIZE, (OUTPUT,)).stages) for each in (exported, model)] == [2, 2]
