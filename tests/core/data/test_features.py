"""Features against plain NumPy on whole activations, on every backend of the zoo and without any framework."""

import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, sweep
from crosslens.data.features import Features, features_of
from crosslens.errors import LayerError, ParameterError
from crosslens.introspection.default_layer import default_layer
from crosslens.testing import TinyModel

from tests.conformance.plans import images
from tests.conformance.zoo import BUILDERS, net

IMAGES = np.random.default_rng(0).random((11, 3, 8, 8), np.float32)
SLOW = {
    "mean": lambda maps: np.float64(maps).mean(axis=(2, 3)),
    "max": lambda maps: maps.max(axis=(2, 3)),
    "flatten": lambda maps: np.stack([each.ravel() for each in maps]),
    "centre": lambda maps: maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2],
}


class Asks:
    """Asks for one statistic."""

    def __init__(self, statistic):
        self.statistic = statistic

    def statistics(self, model, source, gathered=None):
        return [self.statistic]


def gathered(model, pictures, layer, pooling):
    statistic = features_of(model, layer, pooling)
    return sweep(model, ArraySource(pictures), [Asks(statistic)]).states[statistic]


@pytest.mark.parametrize("pooling", SLOW)
@pytest.mark.parametrize("backend", BUILDERS)
def test_rows_are_those_of_numpy_on_whole_activations(backend, pooling):
    model = net(backend, "smooth").model
    layer, pictures = default_layer(model), images(5)
    maps = as_numpy(model.forward(pictures, [layer])[layer])
    rows = gathered(model, pictures, layer, pooling)["rows"]
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, SLOW[pooling](maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", SLOW)
def test_of_the_input_rows_are_the_images_as_given(pooling):
    rows = gathered(TinyModel(), IMAGES, "<input>", pooling)["rows"]
    np.testing.assert_allclose(rows, SLOW[pooling](IMAGES), rtol=1e-6)


@pytest.mark.parametrize("pooling", SLOW)
def test_a_vector_is_its_own_row_whatever_the_pooling(pooling):
    model = TinyModel()
    rows = gathered(model, IMAGES, "<output>", pooling)["rows"]
    np.testing.assert_array_equal(rows, as_numpy(model.forward(IMAGES, ["<output>"])["<output>"]))


def test_an_image_that_cannot_be_read_has_no_row():
    pictures = IMAGES.copy()
    pictures[4] = np.nan
    state = gathered(TinyModel(), pictures, "conv2", "mean")
    assert state["index"].tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert np.isnan(state["rows"]).all(axis=1).nonzero()[0].tolist() == [4]


def test_what_cannot_be_a_row_is_refused():
    with pytest.raises(ParameterError, match=r"no pooling 'men'.*mean"):
        features_of(TinyModel(), "conv2", "men")
    with pytest.raises(LayerError, match=r"no layer 'conv9'"):
        features_of(TinyModel(), "conv9")
    with pytest.raises(ParameterError, match="features_of"):
        Features("conv2")


def test_images_are_compared_by_all_their_pixels_unless_told_otherwise():
    """The mean over positions of an image is one colour, which tells no two pictures of that colour apart."""
    assert features_of(TinyModel(), "<input>").pooling == "flatten"
    assert features_of(TinyModel(), "conv2").pooling == "mean"
