"""Pictures of kernels: in the image's colours, or the strongest channels, or none where there is nothing to see."""

import io
from base64 import b64decode

import crosslens
import numpy as np
import pytest
from crosslens.explorer.network.filters import filters, kernel_norms
from crosslens.testing import TinyModel
from PIL import Image
from torch import nn

from tests.core.explorer.network import networks


def tile(made, slot):
    """The pixels of one picture of a sheet."""
    sheet = made["sheet"]
    picture = Image.open(io.BytesIO(b64decode(sheet["image"].partition(",")[2]))).convert("RGB")
    row, column = divmod(slot, sheet["across"])
    top, left = row * sheet["height"], column * sheet["width"]
    return np.asarray(picture)[top : top + sheet["height"], left : left + sheet["width"]]


def test_kernels_that_read_the_image_are_in_its_colours():
    model = TinyModel(relu=True)
    made = filters(model, "act1")
    assert made["title"] == "3 x 3 kernels of conv1, in the colours of the image"
    assert made["sheet"]["count"] == 4
    for unit, kernel in enumerate(model.weights("conv1")["kernel"]):
        expected = 128 + 127 * kernel.transpose(1, 2, 0) / np.abs(kernel).max()
        np.testing.assert_allclose(tile(made, unit).astype(float), expected, atol=1)


def test_others_show_the_channels_with_the_largest_norms_blue_below_zero_and_red_above():
    net = nn.Sequential(nn.Conv2d(3, 20, 1), nn.Conv2d(20, 2, 3, padding=1), nn.Flatten(), nn.Linear(512, 3))
    nn.init.zeros_(net[1].weight)
    for channel in range(4, 20):
        nn.init.constant_(net[1].weight[0, channel], 0.5 if channel == 4 else -1.0)
    made = filters(networks.wrapped(net.eval()), "1")
    assert made["title"] == ("3 x 3 kernels, the 16 strongest of 20 input channels; blue is negative, red positive")
    picture = tile(made, 0).astype(int)
    assert picture.shape == (15, 15, 3)
    assert picture[1, 1, 0] > picture[1, 1, 2]  # channel 4 is red, the others blue
    assert picture[1, 5, 2] > picture[1, 5, 0]
    assert (picture[3] == 255).all()  # between channels
    assert len({tuple(pixel) for pixel in tile(made, 1).reshape(-1, 3)}) == 2  # no kernel, and what is between


def test_one_number_for_each_input_has_no_picture():
    model = networks.wrapped(networks.mobile())
    assert filters(model, "blocks.1.project") is None
    assert filters(model, "fc") is None
    assert filters(model, "blocks.1.relu1")["title"] == (
        "3 x 3 kernels of blocks.1.depthwise, of one input channel each; blue is negative, red positive"
    )


def test_norms_are_those_of_the_kernels_behind_a_layer():
    model = networks.wrapped(networks.mobile())
    kernel = model.weights("blocks.1.project")["kernel"].reshape(6, -1)
    np.testing.assert_allclose(kernel_norms(model, "blocks.1"), np.linalg.norm(kernel, axis=1), rtol=1e-6)
    assert kernel_norms(TinyModel(), "<input>") is None


@pytest.mark.parametrize("layer", ["1", "2"])
def test_dense_kernels_over_the_image_are_pictures_of_it(layer):
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    made = filters(networks.wrapped(net, 8), layer)
    kernel = net[1].weight.detach().numpy().reshape(4, 3, 8, 8)[2]
    np.testing.assert_allclose(
        tile(made, 2).astype(float), 128 + 127 * kernel.transpose(1, 2, 0) / np.abs(kernel).max(), atol=1
    )


def test_of_a_keras_layer_with_an_activation_of_its_own_they_are_those_of_the_layer_without():
    torch_s, keras_s = networks.wrapped(networks.plain()), crosslens.wrap(networks.plain_keras(), preprocess="none")
    assert filters(keras_s, "conv_a") == filters(torch_s, "conv_a")
    assert "in the colours of the image" in filters(keras_s, "conv_a")["title"]
    assert filters(keras_s, "conv_b") == filters(torch_s, "conv_b")
