"""Kernels as they lie in what they read: the gradient of a unit's answer, which is what they must equal."""

import crosslens
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError
from crosslens.introspection.layer_kernels import first_filters, layer_kernels
from crosslens.introspection.linear_source import linear_source, single_path
from crosslens.model import INPUT
from crosslens.model.backend import BackendModel
from crosslens.model.preprocessing import Preprocess
from crosslens.testing import TinyModel


def gradient_in_the_middle(model, layer, source=INPUT):
    """Of each unit in the middle of the layer, with respect to the source, (out, C, h, w): one unit at a time."""
    shape = tuple(n or 0 for n in model.layer(layer).shape[1:])
    place = tuple(n // 2 for n in shape[1:])
    x = np.full((1, *model.input.example_shape), 0.5, np.float32)
    rows = []
    for unit in range(shape[0]):
        cotangent = np.zeros((1, *shape), np.float32)
        cotangent[(0, unit, *place)] = 1
        rows.append(as_numpy(model.vjp(x, {layer: cotangent}, wrt=[source]).gradients[source])[0])
    return np.stack(rows)


def smallest_box(values):
    used = np.abs(values).max(axis=(0, 1)) > 0
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    return values[:, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def same_as_gradient(model, layer, name=None, source=INPUT):
    found = layer_kernels(model, name or layer)
    assert found.reads == source
    expected = gradient_in_the_middle(model, layer, source)
    np.testing.assert_allclose(found.laid_out, smallest_box(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_preprocessing_is_undone_by_its_adjoint(order):
    model = TinyModel(preprocess=Preprocess(255.0, (103.0, 116.0, 123.0), (50.0, 60.0, 70.0), order))
    same_as_gradient(model, "conv1")
    raw = layer_kernels(model, "conv1").raw
    np.testing.assert_array_equal(raw, model.weights("conv1")["kernel"])
    assert not np.allclose(layer_kernels(model, "conv1").laid_out, raw)


def test_a_layer_that_does_not_read_the_image_keeps_its_kernels():
    found = layer_kernels(TinyModel(), "conv2")
    assert (found.reads, found.groups) == ("", 1)
    np.testing.assert_array_equal(found.laid_out, TinyModel().weights("conv2")["kernel"])


def test_without_kernels_the_error_says_so():
    with pytest.raises(
        LayerError, match=r"'act1' has no kernels, and it normalises no layer that has\. `crosslens lay"
    ):
        layer_kernels(TinyModel(), "act1")
    with pytest.raises(LayerError, match="layer 'conv1' has no weights 'deep'; it has kernel"):
        layer_kernels(TinyModel(), "conv1", "deep")


def test_the_first_filters_are_those_of_the_first_layer():
    assert first_filters(TinyModel()) == "conv1"


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def wrapped(torch, net, size=(3, 12, 10), **options):
    torch.manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return crosslens.wrap(net.eval(), input_shape=size, **options)


def preprocessing_inside(torch, then):
    """Bytes from [0, 1], channels turned round, each with a mean and deviation of its own, then padded."""

    class Inside(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.then = then

        def forward(self, x):
            scaled = x.flip(1) * torch.tensor([3.0, 4.0, 5.0])[None, :, None, None] - 1
            return self.then(torch.nn.functional.pad(scaled, (1, 2, 1, 2)))

    return Inside()


def test_preprocessing_within_the_network_is_undone_too(torch):
    net = preprocessing_inside(torch, torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU()))
    same_as_gradient(wrapped(torch, net, preprocess="imagenet"), "then.0")


def test_groups_that_read_one_channel_each_are_in_its_colour(torch):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, groups=3, padding=1), torch.nn.ReLU())
    model = wrapped(torch, net, preprocess="caffe")
    same_as_gradient(model, "0")
    lit = np.abs(layer_kernels(model, "0").laid_out).max(axis=(2, 3)) > 0
    np.testing.assert_array_equal(lit.argmax(axis=1), [2, 2, 1, 1, 0, 0])  # BGR: the first group reads blue
    assert (lit.sum(axis=1) == 1).all()


def test_a_dense_layer_over_flattened_pixels_is_laid_out_as_the_image(torch):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 6 * 5, 3), torch.nn.ReLU())
    same_as_gradient(wrapped(torch, net, (2, 6, 5), preprocess="unit"), "1")


def test_a_dense_layer_over_flattened_maps_is_laid_out_as_these(torch):
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Dropout(), torch.nn.Linear(4 * 6 * 5, 3),
    )  # fmt: skip
    same_as_gradient(wrapped(torch, net, preprocess="unit"), "5", source="2")


def test_pixels_put_into_channels_are_put_back(torch):
    net = torch.nn.Sequential(torch.nn.PixelUnshuffle(2), torch.nn.Conv2d(12, 4, 3, padding=1), torch.nn.ReLU())
    model = wrapped(torch, net, preprocess="imagenet")
    same_as_gradient(model, "1")
    assert layer_kernels(model, "1").laid_out.shape == (4, 3, 6, 6)


def test_patches_cut_out_by_reshaping_are_shown_as_patches(torch):
    class Patches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Linear(3 * 4 * 4, 5)

        def forward(self, x):
            cut = x.reshape(len(x), 3, 3, 4, 3, 4).permute(0, 2, 4, 3, 5, 1).reshape(len(x), 9, 48)
            return torch.tanh(self.embed(cut)).mean(1)

    model = wrapped(torch, Patches(), (3, 12, 12), preprocess="imagenet")
    found = layer_kernels(model, "embed")
    assert (found.reads, found.laid_out.shape) == (INPUT, (5, 3, 4, 4))
    x, cotangent = np.full((1, 3, 12, 12), 0.5, np.float32), np.zeros((1, 9, 5), np.float32)
    cotangent[0, 4, 2] = 1
    gradient = model.vjp(x, {"embed": cotangent}).gradients[INPUT]
    np.testing.assert_allclose(found.laid_out[2], gradient[0, :, 4:8, 4:8], rtol=1e-5)


def test_a_normalisation_stands_for_the_convolution_before_it(torch):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    model = wrapped(torch, net, preprocess="imagenet")
    with torch.no_grad():
        net[1].running_var.copy_(torch.tensor([0.1, 2.0, 3.0, 4.0]))
    model = wrapped(torch, net, preprocess="imagenet")
    assert first_filters(model) == "1"
    same_as_gradient(model, "1")
    assert layer_kernels(model, "1").layer == "0"
    gains = (net[1].weight / torch.sqrt(net[1].running_var + net[1].eps)).detach().numpy()
    expected = net[0].weight.detach().numpy() * gains[:, None, None, None]
    np.testing.assert_allclose(layer_kernels(model, "1").raw, expected, rtol=1e-5)


def test_what_mixes_units_or_positions_is_no_normalisation_of_them(torch):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.GroupNorm(1, 4), torch.nn.ReLU())
    model = wrapped(torch, net, preprocess="unit")
    assert first_filters(model) == "0"
    with pytest.raises(LayerError, match="'1' has no kernels"):
        layer_kernels(model, "1")


def test_a_transposed_convolution_keeps_the_patches_that_it_paints(torch):
    net = torch.nn.Sequential(torch.nn.ConvTranspose2d(3, 4, 2, stride=2), torch.nn.ReLU())
    found = layer_kernels(wrapped(torch, net, preprocess="unit"), "0")
    assert found.reads == ""
    np.testing.assert_array_equal(found.laid_out, net[0].weight.detach().numpy().swapaxes(0, 1))


class Untold(TinyModel):
    """Of a backend that cannot tell what its layers read."""

    reads = BackendModel.reads


def test_a_source_is_found_where_values_only_move_and_not_where_they_mix(torch):
    class Moves(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.moved, self.mixed, self.twice = torch.nn.Identity(), torch.nn.Identity(), torch.nn.Identity()

        def forward(self, x):
            moved = self.moved(x.flip(3).transpose(2, 3) * 2)
            mixed = self.mixed(moved + moved.roll(1, 2))
            return self.twice(mixed**2).mean((2, 3))

    model = wrapped(torch, Moves(), (3, 4, 5), preprocess="unit")
    source = linear_source(model, "moved", INPUT)
    np.testing.assert_array_equal(source.places, np.arange(60).reshape(3, 5, 4).transpose(0, 2, 1)[:, :, ::-1])
    np.testing.assert_array_equal(source.gains, np.full((3, 4, 5), 2))
    assert linear_source(model, "mixed", INPUT) is None
    assert linear_source(model, "twice", "mixed") is None
    assert list(single_path(TinyModel(), "conv2")) == ["act1", "conv1", INPUT]
    assert list(single_path(Untold(), "conv2")) == []
