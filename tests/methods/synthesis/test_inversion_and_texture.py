"""Feature inversion, caricature and texture synthesis: their losses are the papers' written slowly in torch."""

import numpy as np
import pytest
from crosslens import method, wrap
from crosslens.errors import LayerError, ParameterError
from crosslens.methods.style._parameterisation import choose_coordinates
from crosslens.testing import TinyModel

torch = pytest.importorskip("torch")
MODEL = TinyModel(size=16)
RELU = TinyModel(size=16, relu=True)
PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)


def torch_layers(x, model, rectify):
    found = {}
    for k in (1, 2):
        weights = {key: torch.from_numpy(value).to(x.dtype) for key, value in model.weights(f"conv{k}").items()}
        found[f"conv{k}"] = torch.nn.functional.conv2d(x, weights["kernel"], weights["bias"], padding=1)
        x = found[f"act{k}"] = rectify(found[f"conv{k}"])
    return found


def smooth(x):
    return torch_layers(torch.as_tensor(x, dtype=torch.float64), MODEL, torch.nn.functional.softplus)


def rectified(x):
    return torch_layers(torch.as_tensor(x, dtype=torch.float64), RELU, torch.relu)


def invert(images=PICTURES[:1], model=MODEL, **parameters):
    return method("feature_inversion", **{"layer": "act2", "steps": 60, **parameters})(model, images)


def loss_from_the_paper(picture, image, alpha, beta, alpha_weight, tv_weight):
    """Mahendran and Vedaldi's equation 2 with the norms of their section 2, one pixel at a time."""
    f0, f = smooth(image)["act2"], smooth(picture)["act2"]
    loss = float(((f - f0) ** 2).sum() / (f0**2).sum())
    x = picture[0].astype(np.float64)
    norm = variation = 0.0
    for c, i, j in np.ndindex(x.shape):
        norm += abs(x[c, i, j] - 0.5) ** alpha
        right = x[c, i, j + 1] - x[c, i, j] if j + 1 < x.shape[2] else 0.0
        below = x[c, i + 1, j] - x[c, i, j] if i + 1 < x.shape[1] else 0.0
        variation += (right**2 + below**2) ** (beta / 2)
    return loss + alpha_weight * norm / x.size + tv_weight * variation / x.size


@pytest.mark.parametrize("parameterisation", ["pixels", "fourier", "pyramid"])
@pytest.mark.parametrize(("alpha", "beta"), [(6.0, 2.0), (2.0, 1.5)])
def test_the_loss_of_an_inversion_is_the_papers(parameterisation, alpha, beta):
    weights = {"alpha_weight": 3.0, "tv_weight": 0.7}
    result = invert(parameterisation=parameterisation, alpha=alpha, beta=beta, steps=10, **weights)
    expected = loss_from_the_paper(result.images, PICTURES[:1], alpha, beta, **weights)
    assert result.history[-1, 0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("parameterisation", ["pixels", "fourier", "pyramid"])
def test_an_inversion_without_priors_finds_the_activations_again(parameterisation):
    result = invert(parameterisation=parameterisation, alpha_weight=0.0, tv_weight=0.0, steps=200)
    f0, f = smooth(PICTURES[:1])["act2"], smooth(result.images)["act2"]
    error = float(torch.linalg.norm(f - f0) / torch.linalg.norm(f0))
    assert error < 0.04
    assert float(result.notes[0].split()[-1]) == pytest.approx(error, rel=0.05, abs=1e-4)


def test_a_sheet_has_a_picture_for_each_scale_and_adam_descends_as_well():
    assert invert(PICTURES, sheet=True, steps=2).images.shape == (2, 3, 16, 16)
    history = invert(optimiser="adam", steps=40).history
    assert history[-1, 0] < 0.3 * history[0, 0]


def test_the_pictures_of_a_batch_are_inverted_each_by_itself():
    both = invert(PICTURES, steps=5)
    np.testing.assert_allclose(both.images[1:], invert(PICTURES[1:], steps=5).images, rtol=1e-4, atol=1e-4)


def test_the_default_layer_is_the_last_rectified_or_the_last_with_a_kernel_of_the_last_scale_but_one():
    np.testing.assert_array_equal(invert(layer=None, steps=2).images, invert(layer="conv2", steps=2).images)
    rectified = invert(layer=None, model=RELU, steps=2), invert(layer="act2", model=RELU, steps=2)
    np.testing.assert_array_equal(rectified[0].images, rectified[1].images)


def test_a_caricature_is_more_like_the_image_in_its_layers_eyes_than_noise_is_and_stronger():
    result = method("caricature", layer="act2", steps=60, shift=0.0, zoom=0.0)(MODEL, PICTURES)
    t, a = smooth(PICTURES)["act2"].flatten(1), smooth(result.images)["act2"].flatten(1)
    dot = (a * t).sum(1)
    np.testing.assert_array_less(dot.numpy() * 0 + 1.5 * result.history[0], result.history[-1])
    np.testing.assert_array_less((t * t).sum(1).numpy(), dot.numpy())  # exaggerated: further along t than the image


def weave(images=PICTURES[:1], model=RELU, **parameters):
    return method("texture_synthesis", **{"texture_layers": ("conv1", "act2"), "steps": 20, **parameters})(
        model, images
    )


def texture_loss_from_the_paper(picture, image, names):
    """Equations 1 to 4 with equal weights that add up to one."""
    ours, wanted = rectified(picture), rectified(image)
    loss = 0.0
    for name in names:
        f, g = (layers[name][0].flatten(1) for layers in (ours, wanted))
        n, m = f.shape
        loss += float(((f @ f.T - g @ g.T) ** 2).sum()) / (4 * n**2 * m**2) / len(names)
    return loss


@pytest.mark.parametrize("parameterisation", ["fourier", "pixels"])
def test_the_loss_of_a_texture_is_a_hand_written_gram_loss_and_falls(parameterisation):
    result = weave(parameterisation=parameterisation, steps=120)
    expected = texture_loss_from_the_paper(result.images, PICTURES[:1], ("conv1", "act2"))
    assert result.history[-1, 0] == pytest.approx(expected, rel=1e-3)
    assert result.history[-1, 0] < 0.1 * result.history[0, 0]
    assert np.abs(result.images - PICTURES[:1]).mean() > 0.05
    assert 0 <= result.images.min() <= result.images.max() <= 1


def test_pixels_where_the_first_layer_sees_each_else_frequencies():
    assert choose_coordinates(None, RELU, PICTURES) == "pixels"
    assert choose_coordinates("fourier", RELU, PICTURES) == "fourier"
    strides = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.ReLU())
    assert choose_coordinates(None, wrap(strides, preprocess=None, input_shape=(3, 16, 16)), PICTURES) == "fourier"


def test_a_sheet_of_depths_ends_with_the_texture_of_all_layers():
    sheet = weave(sheet=True, steps=4)
    assert sheet.images.shape == (2, 3, 16, 16)
    np.testing.assert_allclose(sheet.images[1:], weave(steps=4).images, rtol=1e-4, atol=1e-4)
    alone = weave(steps=4, texture_layers=("conv1",)).images
    np.testing.assert_allclose(sheet.images[:1], alone, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_is_refused_with_what_would_be_right():
    with pytest.raises(ParameterError, match="optimiser is 'sgd'; it must be lbfgs or adam"):
        invert(optimiser="sgd")
    with pytest.raises(LayerError, match=r"layer 'fc' gives \(1, 5\); a texture needs maps"):
        weave(texture_layers=("act1", "fc"))
    dead = TinyModel(size=16, relu=True)
    dead._parameters["conv2"]["bias"] = np.full(6, -1e3, np.float32)
    with pytest.raises(ParameterError, match="layer 'act2' is zero everywhere at this image"):
        invert(model=dead)
