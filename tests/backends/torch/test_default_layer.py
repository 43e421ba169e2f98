"""The layer that methods explain where none is named: the last maps before the target, never the target's own."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from crosslens.introspection.default_layer import default_layer, last_maps
from crosslens.objective import channel, neuron
from torch import nn
from torch.nn import functional

from benchmarks import networks

X = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)


class Ending(nn.Module):
    """Maps of two classes, then a function that is no layer."""

    def __init__(self, end, classes=2):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()
        self.head, self.end = nn.Conv2d(8, classes, 1), end

    def forward(self, x):
        return self.end(self.head(self.act(self.body(x))))


def wrapped(net, size=16):
    return crosslens.wrap(net.eval(), preprocess=None, input_shape=(3, size, size))


ENDS = {
    "nothing": lambda y: y,
    "softmax": lambda y: y.softmax(1),
    "log of the softmax": lambda y: y.log_softmax(1),
    "sigmoid": lambda y: y.sigmoid(),
    "enlarged": lambda y: functional.interpolate(y, scale_factor=3, mode="bilinear"),
    "enlarged, then softmax": lambda y: functional.interpolate(y, size=(40, 40), mode="bilinear").softmax(1),
    "classes last": lambda y: y.permute(0, 2, 3, 1),
    "a row of classes for each pixel": lambda y: y.flatten(2).transpose(1, 2),
    "one class": lambda y: y[:, :1],
    "a quarter": lambda y: y[:, :, :8, :8],
    "flattened": lambda y: y.flatten(1),
    "a softmax over all pixels": lambda y: y.flatten(1).softmax(1),
    "pixels shuffled": lambda y: functional.pixel_shuffle(torch.cat([y, -y], 1), 2),
    "smoothed": lambda y: functional.avg_pool2d(y, 3, 1, 1),
    "squared": lambda y: y**2,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_targets_own_maps_are_not_the_default_however_they_are_handed_out(end):
    assert default_layer(wrapped(Ending(ENDS[end]))) == "act"


def test_maps_of_classes_that_are_averaged_over_the_image_are_the_default():
    """A class activation map: the class's score is the mean of its map."""
    assert default_layer(wrapped(Ending(lambda y: y.mean((2, 3))))) == "head"


def test_a_pixel_of_a_segmentation_is_explained_at_the_maps_before_its_head():
    """Grad-CAM by hand: the 1x1 convolution reads the pixel with its kernel, so the weights are kernel / (H W)."""
    net = Ending(lambda y: y).eval()
    model = wrapped(net)
    maps = net.act(net.body(torch.from_numpy(X))).detach().numpy()[0]
    kernel = net.head.weight.detach().numpy()[:, :, 0, 0]
    for index in (0, 1):
        made = crosslens.method("grad_cam")(model, X, target=neuron("head", index, 15, 9))
        by_hand = np.maximum(np.einsum("k,khw->hw", kernel[index] / 256, maps), 0)
        np.testing.assert_allclose(made.values[0], by_hand, rtol=1e-4, atol=1e-7)
        assert made.provenance["layers"] == ["act"]
        assert made.provenance["default_layer"]


def test_two_pixels_far_apart_have_different_maps_or_a_note_says_that_they_cannot():
    """By equation 1 the weights of all pixels behind a linear head are one; HiResCAM and LayerCAM keep the place."""
    model = wrapped(Ending(lambda y: y))
    pixels = [neuron("head", 1, 0, 0), neuron("head", 1, 15, 9)]
    for name in ("hires_cam", "layer_cam"):
        one, other = (crosslens.method(name)(model, X, target) for target in pixels)
        assert np.abs(one.values).max() > 0 or np.abs(other.values).max() > 0
        assert not np.array_equal(one.values, other.values)
        assert one.provenance["layers"] == ["act"]
    said = "the target depends on 1 of 256 places of 'act', and Grad-CAM averages the gradient"
    assert any(said in note for note in crosslens.method("grad_cam")(model, X, pixels[0]).notes)
    whole = crosslens.method("grad_cam")(model, X, channel("head", 1))
    assert not any("averages" in note for note in whole.notes)


def test_recipro_cam_of_one_pixel_shows_that_pixel():
    """A pixel of the head reads one position of the layer before: all others change nothing."""
    model = wrapped(Ending(lambda y: y))
    far = [
        crosslens.method("recipro_cam", mask="single")(model, X, target=neuron("head", 1, *place)).values[0]
        for place in ((0, 0), (15, 9))
    ]
    assert np.abs(far[0]).argmax() == 0
    assert np.abs(far[1]).argmax() == 15 * 16 + 9
    assert np.count_nonzero(far[0]) == 1


def test_scores_that_are_added_up_from_several_depths_are_the_targets_own():
    """As in FCN-8s: coarse and fine maps of classes, enlarged and added."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.low, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()
            self.high, self.act2 = nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()
            self.fine, self.coarse = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            low = self.act(self.low(x))
            coarse = self.coarse(self.act2(self.high(low)))
            return functional.interpolate(coarse, scale_factor=2) + self.fine(low)

    assert default_layer(wrapped(Sum())) == "act2"


def test_a_units_own_rectifier_and_normalisation_are_its_own():
    parts = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.ReLU()]
    ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)]
    torch.manual_seed(0)
    model = wrapped(nn.Sequential(*parts, *ends))
    assert default_layer(model, channel("4", 3)) == "1"
    assert default_layer(model, ["2"]) == "1"
    assert default_layer(model) == "4"
    with pytest.raises(LayerError, match=r"no layer with maps .* but the target's own comes before 1; name a layer"):
        default_layer(model, ["1"])


class Laid(nn.Module):
    """A module that lays its input out anew, as Keras' Permute and Reshape do."""

    def __init__(self, kind, how):
        super().__init__()
        self.__class__ = type(kind, (Laid,), {})
        self.how = how

    def forward(self, x):
        return self.how(x)


def dense_after(*between, size=16, channels=6):
    torch.manual_seed(0)
    ends = [nn.Flatten(), nn.LazyLinear(3)]
    net = nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.ReLU(), *between, *ends)
    net(torch.zeros(1, 3, size, size))
    return wrapped(net, size)


@pytest.mark.parametrize(
    "layout",
    [
        Laid("Permute", lambda x: x.permute(0, 3, 1, 2)),
        Laid("Reshape", lambda x: x.reshape(len(x), 2, 3, 64)),
        Laid("Heads", lambda x: x.reshape(len(x), 2, 3, 64)),
        Laid("Rows", lambda x: x.reshape(len(x), 2, 64, 3)),
        Laid("Transpose", lambda x: x.transpose(2, 3)),
    ],
)
def test_what_is_only_laid_out_anew_is_no_default(layout):
    """Also where its kind says nothing: no row of it belongs to rows of the image."""
    assert default_layer(dense_after(layout)) == "1"


def test_a_layer_of_one_row_as_in_readers_of_lines_is_a_default():
    """A network that reads text leaves one row: (N, C, 1, W)."""
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 8, 3, (2, 1), 1), nn.ReLU(), nn.Conv2d(8, 8, (8, 3)), nn.ReLU()]
    net = nn.Sequential(*parts, nn.Flatten(), nn.Linear(8 * 14, 5))
    assert default_layer(wrapped(net)) == "3"


def test_what_pooling_leaves_of_a_side_is_no_default():
    parts = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d((1, None)), nn.AdaptiveAvgPool2d(1)]
    assert default_layer(wrapped(nn.Sequential(*parts, nn.Flatten(), nn.Linear(8, 5)))) == "1"


def test_a_detector_is_explained_before_its_heads():
    net = networks.yolo(num_classes=7, width=0.13, size=64)
    model = crosslens.wrap(net, preprocess="unit", input_shape=(3, 64, 64), output=0)
    assert default_layer(model) == "merge"


class Focal(nn.Module):
    """The head of YOLOv8: sides of boxes as distributions over 16 bins, classes, two scales side by side."""

    def __init__(self, classes=5):
        super().__init__()
        torch.manual_seed(0)
        self.classes = classes
        self.fine, self.coarse = (nn.Sequential(nn.Conv2d(c, 8, 3, 2, 1), nn.SiLU()) for c in (3, 8))
        self.boxes = nn.ModuleList(nn.Conv2d(8, 64, 1) for _ in range(2))
        self.scores = nn.ModuleList(nn.Conv2d(8, classes, 1) for _ in range(2))
        self.bins = nn.Conv2d(16, 1, 1, bias=False)
        self.bins.weight.data[:] = torch.arange(16.0).view(1, 16, 1, 1)

    def forward(self, x):
        fine = self.fine(x)
        maps = fine, self.coarse(fine)
        heads = zip(self.boxes, self.scores, maps, strict=True)
        rows = torch.cat([torch.cat([b(m), s(m)], 1).flatten(2) for b, s, m in heads], 2)
        boxes, scores = rows.split((64, self.classes), 1)
        sides = boxes.view(len(x), 4, 16, -1).transpose(2, 1).softmax(1)
        return torch.cat([self.bins(sides).view(len(x), 4, -1), scores.sigmoid()], 1)


@pytest.mark.parametrize("size", [32, 64])
def test_a_detectors_distribution_focal_convolution_is_no_default(size):
    """It sees (N, 16, 4, anchors): four sides of each box, no rows of the image."""
    model = wrapped(Focal(), size)
    assert model.layer("bins").has_maps
    assert default_layer(model) == "coarse"


def test_volumes_have_a_default_layer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    model = crosslens.wrap(net, input_shape=(1, 8, 16, 16), preprocess=None)
    assert last_maps(model) == "1"
    dense = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Conv3d(4, 2, 1), nn.Softmax(1)).eval()
    assert last_maps(crosslens.wrap(dense, input_shape=(1, 8, 16, 16), preprocess=None)) == "1"


def test_a_folded_network_finds_the_same_layer_after_its_weights_are_redrawn():
    model = wrapped(Ending(lambda y: y.softmax(1)))
    assert default_layer(model.randomised(["head", "body"], 3)) == default_layer(model)


class Columns(nn.Module):
    """Reads its maps column by column: as many steps as the maps are wide, as many numbers as a column holds."""

    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()
        self.lstm, self.fc = nn.LSTM(72, 5, batch_first=True), nn.Linear(5, 4)

    def forward(self, x):
        columns = self.act(self.conv(x)).permute(0, 3, 1, 2).flatten(2)
        return self.fc(self.lstm(columns)[0][:, -1])


def test_maps_as_wide_as_a_recurrent_network_takes_steps_are_no_attention():
    model = crosslens.wrap(Columns().eval(), preprocess=None, input_shape=(3, 12, 12))
    x = np.random.default_rng(0).random((1, 3, 12, 12), dtype=np.float32)
    assert crosslens.method("grad_cam")(model, x, 1).provenance["layers"] == ["act"]


class Cut(nn.Module):
    """Maps cut into tokens and put back, early on; then layers whose every place sees all of the image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.mix = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 8)
        self.body = nn.ModuleList(nn.Conv2d(8, 8, 5, padding=2) for _ in range(6))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        y = self.first(x)
        tokens = self.mix(y.flatten(2).transpose(1, 2))
        y = tokens.transpose(1, 2).reshape(y.shape)
        for conv in self.body:
            y = functional.relu(conv(functional.max_pool2d(y, 2) if y.shape[-1] > 2 else y))
        return self.fc(y.mean((2, 3)))


def test_deep_layers_behind_tokens_put_back_into_maps_are_maps():
    """Each place of two by two sees the whole image, so that its own gradient does not tell where it is."""
    assert default_layer(wrapped(Cut())) == "/relu#6"
