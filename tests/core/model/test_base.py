"""What core does for every backend: names, aliases, shapes and images checked, the messages by their text."""

import re
from dataclasses import replace

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, InputSpec, Layer
from crosslens.errors import ImageError, LayerError, ModelError
from crosslens.introspection.default_layer import classes, default_layer, last_maps, spatial_layers
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
C = np.random.default_rng(1).standard_normal((2, 5), dtype=np.float32)


class Aliased(TinyModel):
    """conv2 is called "features.2" too."""

    @property
    def layers(self):
        found = dict(super().layers)
        found["conv2"] = replace(found["conv2"], aliases=("features.2", "block2/conv"))
        return found


@pytest.fixture
def model():
    return TinyModel()


def says(message):
    """pytest.raises for an error with exactly this text."""
    return {"match": "^" + re.escape(message) + "$"}


TAKES = "this model takes (N, 3, 8, 8) float32 in [0, 1]"
IMAGES = [
    (lambda x: x.tolist(), f"images are list; {TAKES.replace('takes', 'takes an array')}: see crosslens.load_image"),
    (
        lambda x: x[0],
        f"images have shape (3, 8, 8) and dtype float32; {TAKES}. Add the batch axis: images[None]",
    ),
    (
        lambda x: np.moveaxis(x, 1, -1),
        f"images have shape (2, 8, 8, 3) and dtype float32; {TAKES}. "
        "Move the channels to the front: images.transpose(0, 3, 1, 2)",
    ),
    (
        lambda x: x[:, :1],
        f"images have shape (2, 1, 8, 8) and dtype float32; {TAKES}. "
        "Load it for the model: crosslens.load_image(images, like=model)",
    ),
    (
        lambda x: x[:, :, :1, :1],
        f"images have shape (2, 3, 1, 1) and dtype float32; {TAKES}. "
        "Load it for the model: crosslens.load_image(images, like=model)",
    ),
    (lambda x: x[:0], "the batch holds no image"),
    (
        lambda x: (x * 255).astype(np.uint8),
        f"images have shape (2, 3, 8, 8) and dtype uint8; {TAKES}. "
        "Divide by 255, convert to float32: (images / 255).astype('float32')",
    ),
    (
        lambda x: (np.moveaxis(x[0], 0, -1) * 255).astype(np.uint8),
        f"images have shape (8, 8, 3) and dtype uint8; {TAKES}. Move the channels to the front, add the batch axis, "
        "divide by 255, convert to float32: (images.transpose(2, 0, 1)[None] / 255).astype('float32')",
    ),
    (
        lambda x: x.astype(np.float64),
        f"images have shape (2, 3, 8, 8) and dtype float64; {TAKES}. Convert to float32: images.astype('float32')",
    ),
    (lambda x: x * np.nan, "images hold NaN or infinite values; every value must be finite"),
    (lambda x: x / np.float32(0), "images hold NaN or infinite values; every value must be finite"),
]


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
@pytest.mark.parametrize(("spoil", "message"), IMAGES)
def test_bad_images_are_refused(model, spoil, message):
    wrong = spoil(X)
    with pytest.raises(ImageError, **says(message)):
        model.forward(wrong)
    with pytest.raises(ImageError, **says(message)):
        model.vjp(wrong, {OUTPUT: C})
    with pytest.raises(ImageError, **says(message)):
        model.linearize(wrong, [OUTPUT])


def test_a_picture_of_0_to_255_is_refused():
    spec = InputSpec((3, None, None))
    x = np.zeros((1, 3, 4, 4), np.float32)
    x[0, 0, 0, 0] = 255
    message = (
        "images have shape (1, 3, 4, 4) and dtype float32, values from 0 to 255; this model takes "
        "(N, 3, any, any) float32 in [0, 1]. Divide by 255: images / 255"
    )
    with pytest.raises(ImageError, **says(message)):
        spec.check(x)


def test_a_normalised_picture_is_refused_to_a_method_but_not_to_a_model():
    spec = InputSpec((3, None, None))
    x = np.full((1, 3, 4, 4), -1.5, np.float32)
    spec.check(x)  # noise and optimisers may leave [0, 1] for a while
    message = (
        "images have shape (1, 3, 4, 4) and dtype float32, values from -1.5 to -1.5; this model takes "
        "(N, 3, any, any) float32 in [0, 1]. Undo the normalisation (the model does its own): give pixels in [0, 1]"
        "; to give it normalised, wrap(..., preprocess=None, bounds=(-2, -1))"
    )
    with pytest.raises(ImageError, **says(message)):
        spec.check(x, strict=True)


@pytest.mark.parametrize(("low", "high"), [(-2.12, 2.64), (-1.0, 1.0), (-1.8, 0.3)])
def test_a_picture_normalised_for_imagenet_is_not_told_to_be_divided(low, high):
    x = np.linspace(low, high, 48, dtype=np.float32).reshape(1, 3, 4, 4)
    with pytest.raises(ImageError, match=re.escape("Undo the normalisation (the model does its own)")) as raised:
        InputSpec((3, None, None)).check(x, strict=True)
    assert "ivide" not in str(raised.value)


def test_a_latent_input_has_no_bounds_and_no_picture():
    spec = InputSpec.latent((100,))
    assert not spec.is_image
    assert spec.example_shape == (100,)
    spec.check(np.full((2, 100), 50, np.float32), strict=True)
    with pytest.raises(
        ImageError, match=re.escape("images have shape (2, 99) and dtype float32; this model takes (N, 100) float32")
    ):
        spec.check(np.zeros((2, 99), np.float32))


def test_any_size_means_224():
    spec = InputSpec((3, None, None))
    assert (spec.size, spec.example_shape) == ((224, 224), (3, 224, 224))
    assert InputSpec((1, 64, 48)).size == (64, 48)


def test_a_model_is_one_line_in_a_notebook(model):
    assert repr(model) == f"<TinyModel: (3, 8, 8) -> (5,), {len(model.layers)} layers>"


def test_a_free_side_is_any_in_a_models_line(model):
    model.input = InputSpec((3, None, None))
    assert repr(model).startswith("<TinyModel: (3, any, any) -> (5,)")


def test_an_unknown_layer_names_the_nearest(model):
    message = (
        "no layer 'conv3' in this model (8 layers). Did you mean 'conv2' or 'conv1'? "
        "List them with model.layers, or `crosslens layers MODEL`."
    )
    with pytest.raises(LayerError, **says(message)):
        model.forward(X, ["conv3"])


def test_a_layer_unlike_any_gets_the_last_ones(model):
    with pytest.raises(LayerError, match=re.escape("The last ones are act2, pool, fc, <output>.")):
        model.layer("zzzzzzzz")


def test_a_single_name_is_no_list(model):
    message = "layers are given as a list of names, not as one string: ['conv1']"
    with pytest.raises(LayerError, **says(message)):
        model.forward(X, "conv1")


def test_an_alias_works_everywhere_and_comes_back_as_asked():
    model = Aliased()
    plain = model.forward(X, ["conv2"])["conv2"]
    assert list(model.forward(X, ["features.2", "conv2"])) == ["features.2", "conv2"]
    np.testing.assert_array_equal(model.forward(X, ["features.2"])["features.2"], plain)
    pull = model.vjp(X, {OUTPUT: C}, wrt=["features.2", "conv2"], capture=["block2/conv"])
    np.testing.assert_array_equal(pull.gradients["features.2"], pull.gradients["conv2"])
    np.testing.assert_array_equal(pull.activations["block2/conv"], plain)
    changed = model.forward(X, replace={"features.2": plain * 2})[OUTPUT]
    np.testing.assert_array_equal(changed, model.forward(X, replace={"conv2": plain * 2})[OUTPUT])
    with model.linearize(X, ["features.2", OUTPUT], wrt=["block2/conv"]) as at:
        assert list(at.activations) == ["features.2", OUTPUT]
        assert list(at.vjp({"features.2": plain})) == ["block2/conv"]


def test_an_unknown_layer_may_be_near_an_alias():
    with pytest.raises(LayerError, match=re.escape("Did you mean 'features.2'?")):
        Aliased().layer("features.3")


def test_a_cotangent_of_another_shape_is_refused_not_broadcast(model):
    message = "the cotangent at '<output>' has shape (1, 5), its layer (2, 5)"
    with pytest.raises(LayerError, **says(message)):
        model.vjp(X, {OUTPUT: C[:1]})
    with model.linearize(X, [OUTPUT]) as at, pytest.raises(LayerError, **says(message)):
        at.vjp({OUTPUT: C[:1]})


def test_a_cotangent_of_another_shape_at_the_image_is_refused(model):
    with pytest.raises(LayerError, **says("the cotangent at '<input>' has shape (2, 3, 8, 1), its layer (2, 3, 8, 8)")):
        model.vjp(X, {INPUT: X[..., :1]})


def test_a_replacement_of_another_shape_is_refused(model):
    with pytest.raises(LayerError, **says("replace['conv1'] holds 1 activations for 2 images")):
        model.forward(X, replace={"conv1": np.zeros((1, 4, 8, 8), np.float32)})
    with pytest.raises(LayerError, **says("replace['conv1'] has shape (2, 3, 8, 8), its layer (2, 4, 8, 8)")):
        model.forward(X, replace={"conv1": X})


def test_a_cotangent_at_a_layer_not_captured_is_refused(model):
    with (
        model.linearize(X, [OUTPUT]) as at,
        pytest.raises(LayerError, **says("cotangents at ['conv1'], but only ['<output>'] were captured")),
    ):
        at.vjp({"conv1": np.zeros((2, 4, 8, 8), np.float32)})


def test_a_layer_without_weights_cannot_be_redrawn(model):
    message = "layer 'act1' has no weights to redraw; layers with weights: conv1, conv2, fc"
    with pytest.raises(LayerError, **says(message)):
        model.randomised(["act1"], 0)


def test_maps_are_layers_with_more_than_one_position(model):
    assert [layer.name for layer in spatial_layers(model)] == ["conv1", "act1", "conv2", "act2"]
    assert last_maps(model) == "act2"
    assert not Layer("gap", "Pool", (None, 6, 1, 1)).has_maps
    assert not Layer("tokens", "Block", (None, 197, 64)).has_maps


def test_a_network_that_shows_no_layers_says_what_explains_it(model):
    class Closed(TinyModel):
        @property
        def layers(self):
            return {name: layer for name, layer in super().layers.items() if name in {INPUT, OUTPUT}}

    with pytest.raises(
        LayerError,
        match=r"shows no layers between its image and its output.*gradient, occlusion, rise and lime need none",
    ):
        default_layer(Closed())


def test_a_network_without_maps_says_so(model):
    model.layers = {name: layer for name, layer in model.layers.items() if not layer.has_maps}
    with pytest.raises(LayerError, match=r"no layer with maps \(N, C, H, W\).*last ones are .*'pool'"):
        last_maps(model)


def test_an_output_that_is_no_row_of_classes_says_so(model):
    assert classes(TinyModel()) == 5
    model.layers = {**model.layers, OUTPUT: Layer(OUTPUT, "Output", (None, 6, 8, 8))}
    with pytest.raises(ModelError, match=re.escape("the output has shape (None, 6, 8, 8), not (N, classes)")):
        classes(model)


def test_the_digest_tells_networks_apart(model):
    assert model.digest == TinyModel().digest
    assert model.digest != TinyModel(seed=1).digest
    assert model.digest != model.randomised(["fc"], 0).digest


def test_cotangents_of_one_layer_under_two_names_are_added():
    """One of them used to be lost."""
    model, one = Aliased(), np.ones((2, 6, 8, 8), np.float32)
    both = {"conv2": one, "features.2": 2 * one}
    expected = 3 * model.vjp(X, {"conv2": one}).gradients[INPUT]
    np.testing.assert_allclose(model.vjp(X, both).gradients[INPUT], expected, rtol=1e-5)
    with model.linearize(X, list(both)) as at:
        np.testing.assert_allclose(at.vjp(both)[INPUT], expected, rtol=1e-5)
