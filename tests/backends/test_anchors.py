"""One anchor of a detector with two scales is explained at the maps of its own scale, on every backend."""

import crosslens
import keras
import numpy as np
import pytest
import torch
from crosslens.introspection.default_layer import default_layer
from crosslens.objective import each, neuron
from torch import nn
from torch.nn import functional

from benchmarks.networks import exported

X = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
UNITS = 6
SIZES = {"fine": (8, 8), "coarse": (4, 4)}
ANCHORS = {"fine": 27, "coarse": 64 + 6}
"""Of 64 anchors at the fine scale and, behind them, 16 at the coarse one."""
SIGNED = crosslens.method("grad_cam", rectified=False)
KINDS = ("one after the other", "pyramid")
LAYOUTS = ("anchors last", "anchors first")


class Detector(nn.Module):
    """Two scales, each with a head of one convolution; in a pyramid the fine maps are computed from the coarse ones."""

    def __init__(self, kind="one after the other", layout="anchors last", dead=()):
        super().__init__()
        torch.manual_seed(0)
        self.kind, self.layout, self.dead = kind, layout, dead
        self.stem, self.low, self.high, self.merged = (nn.Conv2d(n, 8, 3, padding=1) for n in (3, 8, 8, 8))
        self.fine, self.coarse = nn.Conv2d(8, UNITS, 1), nn.Conv2d(8, UNITS, 1)
        for scale in dead:
            nn.init.constant_(getattr(self, scale).bias, -1000.0)

    def maps(self, x):
        fine = functional.relu(self.low(functional.max_pool2d(functional.relu(self.stem(x)), 2)))
        coarse = functional.relu(self.high(functional.max_pool2d(fine, 2)))
        if self.kind == "pyramid":
            fine = functional.relu(self.merged(fine + functional.interpolate(coarse, scale_factor=2, mode="nearest")))
        return {"fine": fine, "coarse": coarse}

    def anchors(self, maps):
        heads = [self.fine(maps["fine"]), self.coarse(maps["coarse"])]
        heads = [functional.relu(head) for head in heads] if self.dead else heads
        found = torch.cat([head.flatten(2) for head in heads], 2)
        return found if self.layout == "anchors last" else found.transpose(1, 2)

    def forward(self, x):
        return self.anchors(self.maps(x))


def in_keras(net):
    """The same with the same weights."""

    def conv(name, x):
        kernel, bias = (p.detach().numpy() for p in getattr(net, name).parameters())
        made = keras.layers.Conv2D(kernel.shape[0], kernel.shape[2], padding="same", name=name)
        found = made(x)
        made.set_weights([kernel.transpose(2, 3, 1, 0), bias])
        return found

    def relu(x):
        return keras.layers.ReLU()(x)

    image = keras.Input((16, 16, 3))
    fine = relu(conv("low", keras.layers.MaxPooling2D()(relu(conv("stem", image)))))
    coarse = relu(conv("high", keras.layers.MaxPooling2D()(fine)))
    if net.kind == "pyramid":
        fine = relu(conv("merged", keras.layers.Add()([fine, keras.layers.UpSampling2D()(coarse)])))
    heads = [conv("fine", fine), conv("coarse", coarse)]
    heads = [relu(head) for head in heads] if net.dead else heads
    found = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((-1, UNITS))(head) for head in heads])
    return keras.Model(image, keras.layers.Permute((2, 1))(found) if net.layout == "anchors last" else found)


def wrapped(net):
    options = {"preprocess": None, "input_shape": (3, 16, 16)}
    return {
        "torch": crosslens.wrap(net.eval(), **options),
        "onnx": crosslens.wrap(exported(net.eval(), "legacy", (3, 16, 16)), preprocess=None),
        "keras": crosslens.wrap(in_keras(net), **options),
    }


def place(net, scale, unit=2):
    anchor = ANCHORS[scale]
    return (anchor, unit) if net.layout == "anchors last" else (unit, anchor)


def by_hand(net, scale):
    """Equations 1 and 2 of the paper before its ReLU for that anchor, by torch's autograd."""
    maps = {name: each.detach().requires_grad_() for name, each in net.maps(torch.from_numpy(X)).items()}
    channel, token = place(net, scale)
    net.anchors(maps)[:, token, channel].sum().backward()
    weights = maps[scale].grad.mean((2, 3), keepdim=True)
    return (weights * maps[scale]).sum(1).detach().numpy()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_grad_cam_of_an_anchor_is_that_of_the_maps_of_its_own_scale(kind, layout):
    net = Detector(kind, layout)
    for model in wrapped(net).values():
        for scale in SIZES:
            made = SIGNED(model, X, neuron("<output>", *place(net, scale)))
            wanted = by_hand(net, scale)
            np.testing.assert_allclose(made.values, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())
            assert made.provenance["default_layer"]


@pytest.mark.parametrize("method", ["recipro_cam", "score_cam", "eigen_cam", "guided_grad_cam"])
def test_other_methods_take_the_same_maps(method):
    net = Detector("pyramid")
    model = wrapped(net)["torch"]
    made = crosslens.method(method)(model, X, neuron("<output>", *place(net, "coarse")))
    size = "fine" if method == "eigen_cam" else "coarse"  # it explains no target
    assert model.layers[made.provenance["layers"][0]].shape[2:] == SIZES[size]


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_that_is_off_keeps_the_maps_of_its_scale_and_says_so(kind):
    """A closed rectifier stops the gradient by chance; no other place is shown for it."""
    net = Detector(kind, dead=("fine", "coarse"))
    for model in wrapped(net).values():
        for scale, size in SIZES.items():
            made = crosslens.method("grad_cam")(model, X, neuron("<output>", *place(net, scale)))
            assert made.values.shape[1:] == size
            assert not made.values.any()
            assert any("maps are zero everywhere" in note for note in made.notes)


def test_anchors_of_two_scales_in_one_batch_take_maps_that_both_depend_on():
    net = Detector("one after the other")
    both = each([neuron("<output>", *place(net, scale)) for scale in SIZES])
    for model in wrapped(net).values():
        assert model.layers[default_layer(model, both, X)].shape[2:] == SIZES["fine"]
        assert model.layers[default_layer(model, both.select(1, 2), X[1:])].shape[2:] == SIZES["coarse"]


def test_anchors_that_share_no_maps_keep_the_last_ones_of_the_output():
    """Two towers side by side: no maps but the image's own are read by both."""

    class Apart(Detector):
        def maps(self, x):
            return {"fine": functional.relu(self.low(functional.relu(self.stem(x)))), "coarse": self._own(x)}

        def _own(self, x):
            return functional.relu(self.high(functional.relu(self.stem(x + 1))))

    model = crosslens.wrap(Apart().eval(), preprocess=None, input_shape=(3, 16, 16))
    both = each([neuron("<output>", 27, 2), neuron("<output>", 256 + 27, 2)])
    assert default_layer(model, both, X) == default_layer(model)


def test_a_head_that_is_laid_out_before_does_not_hide_the_maps_of_the_next_scale():
    """Coarse maps see nearly all of the image from every place, which is no sign of another layout."""

    class InTurn(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            parts = [part for n in (3, 8, 8, 8, 8) for part in (nn.Conv2d(n, 8, 3, 2, 1), nn.ReLU())]
            self.fine, self.coarse = nn.Sequential(*parts[:6]), nn.Sequential(*parts[6:])
            self.tower = nn.Sequential(*[part for _ in "12" for part in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())])
            self.heads = nn.ModuleList(nn.Conv2d(8, UNITS, 1) for _ in range(2))

        def forward(self, x):
            fine = self.fine(x)
            coarse = self.coarse(fine)
            first = self.heads[0](fine).flatten(2)
            return torch.cat([first, self.heads[1](self.tower(coarse)).flatten(2)], 2)

    net = InTurn().eval()
    for model in (
        crosslens.wrap(net, preprocess=None, input_shape=(3, 64, 64)),
        crosslens.wrap(exported(net, "legacy", (3, 64, 64)), preprocess=None),
    ):
        images = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
        layers = [default_layer(model, neuron("<output>", anchor, 2), images) for anchor in (9, 64 + 2)]
        assert [model.layers[layer].shape[1:] for layer in layers] == [(8, 8, 8), (8, 2, 2)]
        maps = model.forward(images, layers)[layers[1]]
        wanted = net.tower(net.coarse(net.fine(torch.from_numpy(images)))).detach().numpy()
        np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-5)


def test_compare_explains_the_anchors_own_scale_in_every_model():
    net = Detector("pyramid")
    models = wrapped(net)
    for scale, size in SIZES.items():
        channel, token = place(net, scale)
        made = crosslens.compare(models, SIGNED, X, f"neuron:<output>:{channel}:{token}")
        for row in made.layers:
            assert models[row["model"]].layers[row["layers"][0]].shape[2:] == size
            assert row["default"]
        for result in made.results.values():
            wanted = by_hand(net, scale)
            np.testing.assert_allclose(result.values, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())
            assert not any("another layer is explained" in note for note in result.notes)


def test_a_class_costs_no_pass_to_find_its_layer(monkeypatch):
    """Only a target in a layer with positions may depend on a part of the maps."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    model = crosslens.wrap(net.eval(), preprocess=None, input_shape=(3, 16, 16))
    layer = default_layer(model)
    for name in ("vjp", "linearize", "forward"):
        monkeypatch.setattr(type(model), name, lambda *_, **__: pytest.fail("a pass"))
    assert default_layer(model, crosslens.objective.logit(1), X) == layer
