"""The CAM variants from their papers' equations, one position at a time; slow on purpose."""

from math import exp, tanh

import numpy as np
import pytest
from crosslens.arrays import upsample
from crosslens.errors import ParameterError
from crosslens.model import INPUT, OUTPUT
from crosslens.plugins import method
from crosslens.testing import TinyModel

TARGET = 2


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def model():
    return TinyModel(relu=True)


def seen(model, images, layer):
    """Maps and gradient of the target at a layer, of each image."""
    seed = np.zeros((len(images), 5), np.float32)
    seed[:, TARGET] = 1
    pull = model.vjp(images, {OUTPUT: seed}, wrt=[layer], capture=[layer])
    return [
        (a.astype(float), g.astype(float)) for a, g in zip(pull.activations[layer], pull.gradients[layer], strict=True)
    ]


def weighted(weights, maps):
    return sum(w * a for w, a in zip(weights, maps, strict=True))


def plus_plus(maps, gradient):
    """Chattopadhay et al. 2018, equation 19."""
    weights = []
    for a, g in zip(maps, gradient, strict=True):
        total = 0.0
        for i, j in np.ndindex(a.shape):
            if g[i, j] > 0:
                total += g[i, j] ** 2 / (2 * g[i, j] ** 2 + a.sum() * g[i, j] ** 3) * g[i, j]
        weights.append(total)
    return np.maximum(weighted(weights, maps), 0)


def x_grad(maps, gradient):
    """Fu et al. 2020, equation 8."""
    weights = [(a / a.sum() * g).sum() if a.sum() else 0.0 for a, g in zip(maps, gradient, strict=True)]
    return np.maximum(weighted(weights, maps), 0)


def layer_cam(maps, gradient):
    """Jiang et al. 2021: each position weighted by its own positive gradient."""
    return np.maximum(sum(np.maximum(g, 0) * a for a, g in zip(maps, gradient, strict=True)), 0)


def hires(maps, gradient):
    """Draelos and Carin 2020, equation 5."""
    return sum(g * a for a, g in zip(maps, gradient, strict=True))


@pytest.mark.parametrize("layer", ["conv1", "act1", "act2"])
@pytest.mark.parametrize(
    ("name", "paper"),
    [("grad_cam_plus_plus", plus_plus), ("x_grad_cam", x_grad), ("layer_cam", layer_cam), ("hires_cam", hires)],
)
def test_it_is_its_papers_equation(model, images, name, paper, layer):
    found = method(name, layer=layer)(model, images, target=TARGET).values
    for n, (maps, gradient) in enumerate(seen(model, images, layer)):
        expected = paper(maps, gradient)
        np.testing.assert_allclose(found[n], expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_hires_cam_adds_up_to_the_score_less_its_bias(model, images):
    found = method("hires_cam", layer="act2")(model, images, target=TARGET)
    np.testing.assert_allclose(
        found.values.sum(axis=(1, 2)), found.scores - model.weights("fc")["bias"][TARGET], rtol=1e-4
    )


def test_several_layers_of_layer_cam_are_raised_and_the_largest_kept(model, images):
    found = method("layer_cam", layer=("act1", "act2"))(model, images, target=TARGET).values
    each = [method("layer_cam", layer=name)(model, images, target=TARGET).values for name in ("act1", "act2")]
    for n, y, x in np.ndindex(found.shape):
        expected = max(tanh(2 * m[n, y, x] / m[n].max()) for m in each)
        assert found[n, y, x] == pytest.approx(expected, rel=1e-4)


def test_several_layers_of_grad_cam_are_averaged(model, images):
    found = method("grad_cam", layer=("act1", "act2"))(model, images, target=TARGET).values
    each = [method("grad_cam", layer=name)(model, images, target=TARGET).values for name in ("act1", "act2")]
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, rtol=1e-5)


@pytest.mark.parametrize("name", ["grad_cam", "x_grad_cam", "score_cam", "ablation_cam", "recipro_cam"])
def test_counterfactual_explains_the_negative_of_the_target(model, images, name):
    from crosslens.objective import logit

    against = method(name, counterfactual=True, layer="act1")(model, images, TARGET)
    negated = method(name, layer="act1")(model, images, -logit(TARGET))
    np.testing.assert_allclose(against.values, negated.values, rtol=1e-5)
    np.testing.assert_allclose(against.scores, -negated.scores, rtol=1e-6)


def test_eigen_cam_is_the_projection_on_the_first_principal_direction(model, images):
    """By power iteration on O'O, which needs no singular value decomposition."""
    found = method("eigen_cam", layer="act1")(model, images).values
    for n, (maps, _) in enumerate(seen(model, images, "act1")):
        positions = maps.reshape(len(maps), -1).T
        v = np.ones(len(maps))
        for _ in range(500):
            v = positions.T @ (positions @ v)
            v /= np.linalg.norm(v)
        expected = (positions @ v).reshape(8, 8)
        np.testing.assert_allclose(found[n], expected * np.sign(expected.sum()), rtol=1e-3, atol=1e-4)


def test_score_cam_is_algorithm_1(model, images):
    found = method("score_cam", layer="act1")(model, images, target=TARGET).values
    for n, (maps, _) in enumerate(seen(model, images, "act1")):
        scores = []
        for a in maps:
            mask = np.asarray(upsample(a[None].astype(np.float32), (8, 8)))[0]
            mask = (mask - mask.min()) / (np.ptp(mask) or 1)
            scores.append(float(model.forward(images[n : n + 1] * mask)[OUTPUT][0, TARGET]))
        weights = [exp(s) / sum(map(exp, scores)) for s in scores]
        np.testing.assert_allclose(found[n], np.maximum(weighted(weights, maps), 0), rtol=1e-3, atol=1e-5)


def test_ablation_cam_weights_channels_by_what_is_lost_without_them(model, images):
    found = method("ablation_cam", layer="act1")(model, images, target=TARGET).values
    whole = model.forward(images)[OUTPUT][:, TARGET]
    for n, (maps, _) in enumerate(seen(model, images, "act1")):
        weights = []
        for k in range(len(maps)):
            left = maps.copy()
            left[k] = 0
            y = model.forward(images[n : n + 1], replace={"act1": left[None].astype(np.float32)})[OUTPUT][0, TARGET]
            weights.append((whole[n] - y) / abs(whole[n]))
        np.testing.assert_allclose(found[n], np.maximum(weighted(weights, maps), 0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mask", ["single", "gaussian"])
def test_recipro_cam_leaves_one_position_after_the_other(model, images, mask):
    found = method("recipro_cam", layer="act1", mask=mask)(model, images, target=TARGET).values
    around = {
        "single": {(0, 0): 1.0},
        "gaussian": {(i, j): 0.25 * 2.0 ** -(abs(i) + abs(j)) for i in (-1, 0, 1) for j in (-1, 0, 1)},
    }
    maps = model.forward(images[:1], ["act1"])["act1"]
    nothing = model.forward(images[:1], replace={"act1": 0 * maps})[OUTPUT][0, TARGET]
    for y, x in [(0, 0), (3, 4), (7, 7)]:
        kept = np.zeros((8, 8), np.float32)
        for (i, j), share in around[mask].items():
            if 0 <= y + i < 8 and 0 <= x + j < 8:
                kept[y + i, x + j] = share
        score = model.forward(images[:1], replace={"act1": maps * kept})[OUTPUT][0, TARGET]
        assert found[0, y, x] == pytest.approx(score - nothing, rel=1e-3, abs=1e-5)


def test_guided_grad_cam_is_the_product_of_its_parts(model, images):
    found = method("guided_grad_cam", layer="act1")(model, images, target=TARGET).values
    guided = method("guided_backprop")(model, images, target=TARGET).values
    where = method("grad_cam", layer="act1")(model, images, target=TARGET).upsampled((8, 8))
    np.testing.assert_allclose(found, guided * where[:, None], rtol=1e-5)


@pytest.mark.parametrize(("name", "rule"), [("guided_backprop", "guided"), ("deconvnet", "deconvnet")])
def test_rules_for_rectifiers_by_hand(model, images, name, rule):
    """Two convolutions and two ReLUs, gone back through with the rule written out."""
    at = model.forward(images, ["conv1", "conv2"])
    dy = np.broadcast_to(model.weights("fc")["kernel"][TARGET][None, :, None, None] / 64, at["conv2"].shape)
    for layer in ("conv2", "conv1"):
        dy = np.maximum(dy, 0) * ((at[layer] > 0) if rule == "guided" else 1)
        dy = transposed(dy, model.weights(layer)["kernel"])
    np.testing.assert_allclose(method(name)(model, images, target=TARGET).values, dy, rtol=1e-3, atol=1e-6)


def transposed(dy, kernel):
    """The adjoint of a convolution 3 x 3 with a border of zeros: each output spreads over the pixels it was made of."""
    dx = np.zeros((len(dy), kernel.shape[1], 10, 10))
    for i, j in np.ndindex(3, 3):
        dx[:, :, i : i + 8, j : j + 8] += np.einsum("noyx,oc->ncyx", dy, kernel[:, :, i, j])
    return dx[:, :, 1:-1, 1:-1]


def test_full_grad_adds_up_what_input_and_biases_contribute(model, images):
    """The first ingredient, <df/dx, x> + sum <df/db, b> = f, is the method's own check; here the map from section 4."""
    found = method("full_grad")(model, images, target=TARGET).values
    seed = np.eye(5, dtype=np.float32)[[TARGET, TARGET]]
    pull = model.vjp(images, {OUTPUT: seed}, wrt=[INPUT, "conv1", "conv2"])
    shares = [pull.gradients[INPUT] * images]
    shares += [pull.gradients[name] * model.weights(name)["bias"][None, :, None, None] for name in ("conv1", "conv2")]
    expected = np.zeros((2, 8, 8))
    for share in map(np.abs, shares):
        low, high = share.min(axis=(1, 2, 3), keepdims=True), share.max(axis=(1, 2, 3), keepdims=True)
        expected += ((share - low) / (high - low)).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_mask_that_is_none_is_refused(model, images):
    with pytest.raises(ParameterError, match="mask is 'square'; it must be gaussian or single"):
        method("recipro_cam", mask="square")(model, images)
