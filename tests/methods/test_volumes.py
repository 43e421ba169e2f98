"""Volumes (N, C, D, H, W): the same weights give the same values in three frameworks, and torch's autograd agrees."""

import json
import sys
from itertools import product
from pathlib import Path

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import CrosslensError, ImageError, ParameterError
from crosslens.model import OUTPUT
from crosslens.objective import channel
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent.parent / "conformance"))
import three_ways

SHAPE = (2, 8, 10, 12)
X = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
SEGMENTS = (np.arange(8)[:, None, None] // 4 * 4 + np.arange(10)[:, None] // 5 * 2 + np.arange(12) // 6).astype(
    np.int64
)
METHODS = [
    ("gradient", {}),
    ("gradient_x_input", {}),
    ("smooth_grad", {"samples": 3}),
    ("integrated_gradients", {"steps": 5}),
    ("integrated_gradients", {"steps": 5, "baseline": "blurred"}),
    ("expected_gradients", {"samples": 4}),
    ("guided_backprop", {}),
    ("deconvnet", {}),
    ("grad_cam", {}),
    ("grad_cam_plus_plus", {"exponential": True}),
    ("hires_cam", {}),
    ("x_grad_cam", {}),
    ("layer_cam", {}),
    ("cam", {}),
    ("eigen_cam", {}),
    ("occlusion", {"window": 4, "stride": 3}),
    ("occlusion", {"window": (3, 4, 5), "show": "value"}),
    ("rise", {"samples": 10}),
    ("rise", {"samples": 10, "cells": 4}),
    ("lime", {"samples": 40, "superpixels": SEGMENTS}),
    ("kernel_shap", {"samples": 300, "superpixels": SEGMENTS, "fill": "mean"}),
    ("deep_lift", {"baseline": "grey"}),
    ("deep_lift_shap", {"background": ("white", "grey")}),
    ("lrp", {}),
    ("attn_lrp", {"gamma_convolution": 0.25}),
    ("excitation_backprop", {}),
    ("layer_conductance", {"steps": 5}),
    ("internal_influence", {"steps": 5}),
]


CAMS = [
    ("score_cam", {}),
    ("score_cam", {"fill": "mean", "enlargement": "corners", "scaled": "small"}),
    ("ablation_cam", {}),
    ("ablation_cam", {"ablated": "below", "share_of": "value"}),
    ("recipro_cam", {}),
    ("recipro_cam", {"mask": "single"}),
    ("guided_grad_cam", {}),
    ("guided_grad_cam", {"enlargement": "nearest"}),
    ("full_grad", {}),
    ("full_grad", {"scaled": "channel"}),
]
AGAINST = -channel(OUTPUT, 2)
"""Minus a class's score: with these weights the maps of the three classes themselves are zero almost everywhere."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    ways = ("torch", "keras", "onnx")
    nets = {way: three_ways.network(way, SHAPE, tmp_path_factory.mktemp("net")) for way in ways}
    given = {"preprocess": {"mean": [0.5, 0.4], "std": [0.5, 0.25]}, "input_shape": SHAPE, "batch_size": 1}
    return {way: crosslens.wrap(net, **given) for way, net in nets.items()}


def run(name, parameters, model, target=1):
    method = crosslens.method(name, **parameters)
    return method(model, X, target) if method.needs_target else method(model, X)


@pytest.mark.parametrize(("name", "parameters"), METHODS)
def test_three_frameworks_give_one_answer(models, name, parameters):
    want, *others = (run(name, parameters, model) for model in models.values())
    assert tuple(want.maps().shape[:2]) == (2, want.maps().shape[1])
    assert want.maps().ndim == 4
    for got in others:
        assert got.values.shape == want.values.shape
        np.testing.assert_allclose(got.values, want.values, rtol=1e-3, atol=1e-5 * max(1, np.abs(want.values).max()))


@pytest.mark.parametrize(("name", "parameters"), CAMS)
def test_three_frameworks_agree_on_what_speaks_against_a_class(models, name, parameters):
    want, *others = (run(name, parameters, model, AGAINST).values for model in models.values())
    scale = np.abs(want).max()
    assert scale > 0
    for got in others:
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4 * scale)


def preprocessed(x):
    mean, std = torch.tensor([0.5, 0.4]).reshape(2, 1, 1, 1), torch.tensor([0.5, 0.25]).reshape(2, 1, 1, 1)
    return (x - mean) / std


def by_torch():
    net = three_ways.torch_net(2, 3)
    x = torch.from_numpy(X).requires_grad_()
    maps = net[:4](preprocessed(x))
    maps.retain_grad()
    net[4:](maps)[:, 1].sum().backward()
    return x.grad.numpy(), maps


def test_the_gradient_is_that_of_torch(models):
    np.testing.assert_allclose(run("gradient", {}, models["onnx"]).values, by_torch()[0], rtol=1e-4, atol=1e-7)


def test_grad_cam_is_equations_1_and_2_with_three_axes(models):
    _, maps = by_torch()
    weights = maps.grad.mean(dim=(2, 3, 4), keepdim=True)
    want = torch.relu((weights * maps).sum(dim=1)).detach().numpy()
    got = run("grad_cam", {}, models["torch"])
    np.testing.assert_allclose(got.values, want, rtol=1e-4, atol=1e-7)
    large = functional.interpolate(torch.from_numpy(want)[:, None], SHAPE[1:], mode="trilinear", align_corners=False)
    np.testing.assert_allclose(got.upsampled(SHAPE[1:]), large[:, 0].numpy(), rtol=1e-4, atol=1e-6)


def trilinear(maps, size):
    """Maps (C, d, h, w) at a size (D, H, W), by torch."""
    return functional.interpolate(maps[None], size, mode="trilinear", align_corners=False)[0]


@torch.no_grad()
def test_score_cam_is_algorithm_1_with_three_axes(models):
    net = three_ways.torch_net(2, 3)
    got = run("score_cam", {}, models["torch"], AGAINST).values
    for n, image in enumerate(torch.from_numpy(X)):
        maps = net[:4](preprocessed(image[None]))[0]
        scores = []
        for large in trilinear(maps, SHAPE[1:]):
            mask = (large - large.min()) / (large.max() - large.min()) if large.max() > large.min() else 0 * large
            scores.append(-net(preprocessed((image * mask)[None]))[0, 2])
        weights = torch.softmax(torch.stack(scores), dim=0)
        want = torch.relu(sum(w * a for w, a in zip(weights, maps, strict=True)))
        np.testing.assert_allclose(got[n], want, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_ablation_cam_takes_each_channel_of_a_volume_away(models):
    net = three_ways.torch_net(2, 3)
    got = run("ablation_cam", {}, models["torch"], AGAINST).values
    for n, maps in enumerate(net[:4](preprocessed(torch.from_numpy(X)))):
        y, want = -net[4:](maps[None])[0, 2], torch.zeros(maps.shape[1:])
        for k in range(len(maps)):
            without = maps.clone()
            without[k] = 0
            want += (y + net[4:](without[None])[0, 2]) / abs(y) * maps[k]
        assert want.max() > 0
        np.testing.assert_allclose(got[n], torch.relu(want), rtol=1e-3, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("mask", "beside"), [("gaussian", 0.5), ("single", 0.0)])
def test_recipro_cam_leaves_three_by_three_by_three_places(models, mask, beside):
    """The centre's weight is 1/8 in the Gaussian mask, and half as much for each step along an axis."""
    net = three_ways.torch_net(2, 3)
    maps = net[:4](preprocessed(torch.from_numpy(X[:1])))[0]
    want, nothing = np.zeros(maps.shape[1:]), net[4:](0 * maps[None])[0, 1]
    for place in np.ndindex(*want.shape):
        kept = torch.zeros(maps.shape[1:])
        for other in np.ndindex(*want.shape):
            steps = [abs(a - b) for a, b in zip(place, other, strict=True)]
            if max(steps) <= 1:
                kept[other] = (0.125 if mask == "gaussian" else 1) * beside ** sum(steps)
        want[place] = net[4:]((maps * kept)[None])[0, 1] - nothing
    got = run("recipro_cam", {"mask": mask}, models["torch"]).values[0]
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


def guided_by_torch():
    """Guided backpropagation by a hook at each ReLU: a negative gradient does not pass either."""
    net, x = three_ways.torch_net(2, 3), torch.from_numpy(X).requires_grad_()
    for relu in (net[1], net[3]):
        relu.register_full_backward_hook(lambda module, before, after: (before[0].clamp(min=0),))
    (-net(preprocessed(x))[:, 2]).sum().backward()
    return x.grad


def test_guided_grad_cam_is_the_product_with_the_trilinear_map(models):
    net = three_ways.torch_net(2, 3)
    maps = net[:4](preprocessed(torch.from_numpy(X)))
    (gradient,) = torch.autograd.grad(-net[4:](maps)[:, 2].sum(), maps)
    small = torch.relu((gradient.mean(dim=(2, 3, 4), keepdim=True) * maps).sum(dim=1)).detach()
    want = guided_by_torch() * trilinear(small, SHAPE[1:])[:, None]
    assert want.abs().max() > 0
    got = run("guided_grad_cam", {}, models["torch"], AGAINST)
    np.testing.assert_allclose(got.values, want, rtol=1e-3, atol=1e-4 * want.abs().max())


def test_full_grad_adds_up_the_biases_maps_with_three_axes(models):
    """Section 4 of the paper: psi of gradient times input and of gradient times bias, for both convolutions."""
    net, seen = three_ways.torch_net(2, 3), preprocessed(torch.from_numpy(X)).requires_grad_()
    first = net[0](seen)
    second = net[2](net[1](first))
    at_input, at_first, at_second = torch.autograd.grad(net[3:](second)[:, 1].sum(), (seen, first, second))
    biases = (net[0].bias.reshape(-1, 1, 1, 1), net[2].bias.reshape(-1, 1, 1, 1))
    want = np.zeros((2, *SHAPE[1:]))
    for share in (at_input * seen, at_first * biases[0], at_second * biases[1]):
        for n, one in enumerate(share.detach().abs()):
            want[n] += trilinear((one - one.min()) / (one.max() - one.min()), SHAPE[1:]).sum(dim=0).numpy()
    np.testing.assert_allclose(run("full_grad", {}, models["torch"]).values, want, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_the_cells_of_rise_are_no_more_than_a_flat_volume_has_slices():
    shape, samples = (2, 5, 10, 12), 6
    net, x = three_ways.torch_net(2, 3), torch.from_numpy(X[:1, :, :5])
    given = {"preprocess": {"mean": [0.5, 0.4], "std": [0.5, 0.25]}, "input_shape": shape}
    got = crosslens.method("rise", samples=samples, centred=False)(crosslens.wrap(net, **given), x.numpy(), 1)
    rng, want = np.random.default_rng(0), 0
    for _ in range(samples):  # 5 x 7 x 7 cells of 1 x 2 x 2 pixels
        grid = torch.from_numpy((rng.random((5, 7, 7)) < 0.5).astype(np.float32))
        z, y, x0 = (int(rng.integers(cell)) for cell in (1, 2, 2))
        mask = trilinear(grid[None], (6, 16, 16))[0, z : z + 5, y : y + 10, x0 : x0 + 12]
        want = want + net(preprocessed(x * mask))[0, 1] * mask / (samples * 0.5)
    np.testing.assert_allclose(got.values[0], want, rtol=1e-4, atol=1e-6)
    assert got.provenance["cells"] == [5, 7, 7]


def test_occlusion_covers_boxes_of_three_sides(models):
    model, window, stride = models["torch"], 4, 3
    image, grey = X[:1], np.full_like(X[:1], 0.5)
    score = model.forward(image)["<output>"][0, 1]
    total, count = np.zeros(SHAPE[1:]), np.zeros(SHAPE[1:])
    starts = [range(0, max(-(-(n - window) // stride), 0) * stride + 1, stride) for n in SHAPE[1:]]
    for corner in product(*starts):
        box = tuple(slice(c, c + window) for c in corner)
        covered = image.copy()
        covered[(0, slice(None), *box)] = grey[(0, slice(None), *box)]
        total[box] += score - model.forward(covered)["<output>"][0, 1]
        count[box] += 1
    got = run("occlusion", {"window": window, "stride": stride}, model).values[0]
    np.testing.assert_allclose(got, total / count, rtol=1e-3, atol=1e-6)


def test_a_volume_is_saved_whole_and_drawn_as_slices(models, tmp_path):
    result = run("grad_cam", {}, models["torch"])
    saved = np.load(result.save(tmp_path / "r.npz"))
    np.testing.assert_array_equal(saved["values"], result.values)
    assert json.loads(str(saved["record"]))["method"] == "grad_cam"
    result.save(tmp_path / "r.png")
    one = result.drawn(0)
    assert one.shape == (3 * 10, 3 * 12, 3)  # 8 slices of 10 x 12 in 3 rows of 3
    assert run("gradient", {}, models["torch"]).drawn(1).shape == one.shape
    shown = result.shown(0)
    np.testing.assert_array_equal(shown[0, 10:20, 24:36], X[0, 0, 5])
    np.testing.assert_array_equal(shown[1, :10, :12], X[0, 1, 0])


def test_a_blurred_baseline_is_blurred_along_the_depth_too(models):
    from crosslens.method.baselines import baselines
    from scipy.ndimage import gaussian_filter1d

    point = np.zeros((1, *SHAPE), np.float32)
    point[0, :, 4, 5, 6] = 1
    got = baselines("blurred", point, models["torch"], 0)[0, 0]
    along = gaussian_filter1d(np.eye(9)[4], 0.05 * 12, mode="constant")
    np.testing.assert_allclose(got.sum(axis=(1, 2))[1:8] / got.sum(), along[1:8], atol=2e-3)


@pytest.mark.parametrize(
    "name",
    ["insertion", "extremal", "activation_maximisation", "meaningful_perturbation", "deep_dream", "sanity_check"],
)
def test_a_method_that_takes_no_volumes_says_so_in_one_line(models, name):
    method = crosslens.method(name)
    with pytest.raises(ImageError, match=f"{name} takes pictures .* and this model volumes") as told:
        method(models["torch"], X if method.needs_images else None)
    assert "\n" not in str(told.value)


def test_what_pictures_alone_have_is_refused(models):
    for name in ("lime", "kernel_shap"):
        with pytest.raises(ParameterError, match=f"{name} needs superpixels= for volumes"):
            crosslens.method(name)(models["torch"], X)
    with pytest.raises(ImageError, match="preset 'xplique' of grad_cam ends in steps for pictures"):
        crosslens.method("grad_cam", preset="xplique")(models["torch"], X)
    with pytest.raises(ImageError, match="preset 'torchcam' of score_cam ends in steps for pictures"):
        crosslens.method("score_cam", preset="torchcam")(models["torch"], X)
    with pytest.raises(ParameterError, match="cells is 9; it must be at most 8, the shorter side"):
        crosslens.method("rise", cells=9)(models["torch"], X)
    with pytest.raises(CrosslensError, match="switches=True"):
        crosslens.method("deconvnet", switches=False)(models["torch"], X)


def test_channels_may_stand_last(models):
    gradient = crosslens.method("gradient")
    for model in models.values():
        last = gradient(model, np.moveaxis(X, 1, -1))
        np.testing.assert_array_equal(last.values, gradient(model, X).values)
