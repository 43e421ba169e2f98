"""Mean activation against the mean of all activations, one image at a time in float64."""

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.data import ArraySource
from crosslens.errors import ImageError, LayerError, ModelError

IMAGES = np.random.default_rng(1).random((9, 3, 8, 8), dtype=np.float32)


def mean_of(model, images, layer):
    """Over all images and positions, units on axis 1."""
    values = [model.forward(image[None], [layer])[layer].astype(np.float64) for image in images]
    return np.stack([v.reshape(v.shape[1], -1) for v in values]).mean(axis=(0, 2))


@pytest.mark.parametrize("layer", ["<input>", "conv1", "act2", "pool", "fc", "<output>"])
def test_it_is_the_mean_over_images_and_positions(layer):
    model = testing.TinyModel()
    columns = crosslens.method("mean_activation", layer=layer)(model, IMAGES).columns
    np.testing.assert_allclose(columns["mean"], mean_of(model, IMAGES, layer), rtol=1e-6)
    np.testing.assert_array_equal(columns["unit"], np.arange(len(columns["mean"])))


def test_units_of_tokens_are_on_the_last_axis():
    from crosslens.data import Batch, Samples
    from crosslens.methods.dataset.mean_activation import ActivationSum

    tokens = np.random.default_rng(0).normal(size=(2, 5, 3))
    samples = Samples((0, 1), ("0", "1"), None, ({}, {}))
    asked = ActivationSum("tokens")
    state = asked.add(asked.empty(), Batch(samples, {"tokens": tokens}))
    np.testing.assert_allclose(state["sum"] / state["values"], tokens.mean(axis=(0, 1)), rtol=1e-12)


def test_images_that_cannot_be_read_do_not_count():
    images = IMAGES.copy()
    images[4, 0, 0, 0] = np.nan
    model = testing.TinyModel()
    result = crosslens.method("mean_activation", layer="conv1")(model, ArraySource(images))
    np.testing.assert_allclose(result.columns["mean"], mean_of(model, np.delete(images, 4, 0), "conv1"), rtol=1e-6)
    (note,) = result.notes
    assert note.startswith("1 of 9 images could not be read and are left out: 4; 4: images hold NaN")


def test_the_default_is_the_last_maps_before_the_output():
    result = crosslens.method("mean_activation")(testing.TinyModel(), IMAGES)
    assert result.provenance["layers"] == ["act2"]
    assert result.provenance["default_layer"]


def test_what_is_wrong_is_one_clear_line():
    method, model = crosslens.method("mean_activation"), testing.TinyModel()
    with pytest.raises(LayerError, match="no layer 'conv3'"):
        crosslens.method("mean_activation", layer="conv3")(model, IMAGES)
    with pytest.raises(ImageError, match="a picture has 1, 3 or 4 channels"):
        method(model, np.zeros((2, 2, 8, 8), np.float32))
    with pytest.raises(ImageError, match="'gone' does not exist"):
        method(model, "gone")
    model._parameters["conv2"]["bias"][0] = np.nan
    with pytest.raises(ModelError, match="mean activation of layer 'act2' is NaN or infinite"):
        method(model, IMAGES)
