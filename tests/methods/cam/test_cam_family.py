"""CAM and Grad-CAM from their papers' equations, and what binds them to each other."""

import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import channel, probability
from crosslens.plugins import method
from crosslens.testing import TinyModel


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


def cam_from_the_paper(maps, kernel, target):
    """Zhou et al., equation 2, one position at a time."""
    found = np.zeros(maps.shape[1:])
    for y in range(maps.shape[1]):
        for x in range(maps.shape[2]):
            found[y, x] = sum(kernel[target, k] * maps[k, y, x] for k in range(maps.shape[0]))
    return found


def grad_cam_from_the_paper(maps, gradient):
    """Selvaraju et al., equations 1 and 2, one pixel at a time."""
    channels, height, width = maps.shape
    found = np.zeros((height, width))
    for k in range(channels):
        weight = sum(gradient[k, i, j] for i in range(height) for j in range(width)) / (height * width)
        for i in range(height):
            for j in range(width):
                found[i, j] += weight * maps[k, i, j]
    return np.maximum(found, 0)


def test_cam_is_equation_2(images):
    model = TinyModel()
    found = method("cam")(model, images, target=3).values
    maps = model.forward(images, ["act2"])["act2"]
    for n in range(2):
        np.testing.assert_allclose(
            found[n], cam_from_the_paper(maps[n], model.weights("fc")["kernel"], 3), rtol=1e-4, atol=1e-5
        )


def test_the_mean_of_a_cam_is_the_logit_without_its_bias(images):
    model = TinyModel()
    found = method("cam")(model, images, target=1)
    logits = model.forward(images)[OUTPUT][:, 1]
    np.testing.assert_allclose(found.values.mean(axis=(1, 2)), logits - model.weights("fc")["bias"][1], rtol=1e-4)
    np.testing.assert_allclose(found.scores, logits, rtol=1e-6)


@pytest.mark.parametrize("layer", ["conv1", "act1", "act2", None])
def test_grad_cam_is_equations_1_and_2(images, layer):
    model = TinyModel(relu=True)
    found = method("grad_cam", layer=layer)(model, images, target=2).values
    name = layer or "act2"
    pull = model.vjp(images, {OUTPUT: np.eye(5, dtype=np.float32)[[2, 2]]}, wrt=[name], capture=[name])
    for n in range(2):
        expected = grad_cam_from_the_paper(pull.activations[name][n], pull.gradients[name][n])
        np.testing.assert_allclose(found[n], expected, rtol=1e-4, atol=1e-6)


def test_cam_is_grad_cam_times_the_positions_before_the_relu(images):
    model = TinyModel()
    cam, grad_cam = (method(name)(model, images, target=0).values for name in ("cam", "grad_cam"))
    np.testing.assert_allclose(np.maximum(cam, 0), 64 * grad_cam, rtol=1e-4, atol=1e-6)


def test_cam_refuses_a_layer_that_is_not_pooled_and_names_grad_cam(images):
    with pytest.raises(LayerError, match=r"global average pooling does not follow\. Use grad_cam"):
        method("cam", layer="act1")(TinyModel(), images)


def test_cam_refuses_a_softmax_and_names_the_way_round_it(images):
    with pytest.raises(LayerError, match=r"something that is not linear \(a softmax\?\) follows. Use grad_cam"):
        method("cam")(TinyModel(), images, probability(1))


def test_cam_explains_a_unit_before_the_softmax(images):
    model = TinyModel()
    found = method("cam")(model, images, channel("pool", 4)).values
    np.testing.assert_allclose(found, model.forward(images, ["act2"])["act2"][:, 4], rtol=1e-4)


def test_cam_refuses_a_target_that_its_layer_does_not_reach(images):
    with pytest.raises(LayerError, match="layer 'act2' has no influence on the target"):
        method("cam", layer="act2")(TinyModel(), images, channel("conv1", 0))


def test_a_layer_without_maps_is_refused(images):
    for name in ("cam", "grad_cam"):
        with pytest.raises(LayerError, match=r"layer 'pool' gives \(2, 6\), not maps \(N, C, H, W\); choose"):
            method(name, layer="pool")(TinyModel(), images)


def test_maps_that_are_zero_everywhere_are_said_to_be(images):
    model = TinyModel(relu=True)
    against = method("grad_cam", layer="act2")(model, images, -1 * channel("act2", 0))
    assert (against.values == 0).all()
    assert against.notes == ("2 of 2 maps are zero everywhere: no channel of 'act2' speaks for the target",)


def test_the_gradient_is_the_change_of_the_target(images):
    model = TinyModel()
    found = method("gradient")(model, images, target=2).values
    step = np.random.default_rng(1).normal(size=images.shape).astype(np.float32)
    up, down = (model.forward(images + sign * 1e-2 * step)[OUTPUT][:, 2] for sign in (1, -1))
    np.testing.assert_allclose((found * step).sum(axis=(1, 2, 3)), (up - down) / 2e-2, rtol=1e-3)


def test_the_gradient_of_a_prior_on_the_image_is_its_own(images):
    from crosslens.objective import norm

    np.testing.assert_allclose(method("gradient")(TinyModel(), images, norm(2, INPUT)).values, 2 * images, rtol=1e-6)


def test_maps_of_a_gradient_are_its_strongest_channel_with_its_sign(images):
    result = method("gradient")(TinyModel(), images, target=2)
    maps = result.maps()
    for n, y, x in [(0, 0, 0), (1, 4, 7)]:
        strongest = max(result.values[n, :, y, x], key=abs)
        assert maps[n, y, x] == strongest
