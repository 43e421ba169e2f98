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
    ("rise", {"samples": 10, "cells": 4}),
    ("lime", {"samples": 40, "superpixels": SEGMENTS}),
    ("kernel_shap", {"samples": 300, "superpixels": SEGMENTS, "fill": "mean"}),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    ways = ("torch", "keras", "onnx")
    nets = {way: three_ways.network(way, SHAPE, tmp_path_factory.mktemp("net")) for way in ways}
    given = {"preprocess": {"mean": [0.5, 0.4], "std": [0.5, 0.25]}, "input_shape": SHAPE, "batch_size": 1}
    return {way: crosslens.wrap(net, **given) for way, net in nets.items()}


def run(name, parameters, model):
    method = crosslens.method(name, **parameters)
    return method(model, X, 1) if method.needs_target else method(model, X)


@pytest.mark.parametrize(("name", "parameters"), METHODS)
def test_three_frameworks_give_one_answer(models, name, parameters):
    want, *others = (run(name, parameters, model) for model in models.values())
    assert tuple(want.maps().shape[:2]) == (2, want.maps().shape[1])
    assert want.maps().ndim == 4
    for got in others:
        assert got.values.shape == want.values.shape
        np.testing.assert_allclose(got.values, want.values, rtol=1e-3, atol=1e-5 * max(1, np.abs(want.values).max()))


def by_torch():
    net = three_ways.torch_net(2, 3)
    x = torch.from_numpy(X).requires_grad_()
    mean, std = torch.tensor([0.5, 0.4]).reshape(2, 1, 1, 1), torch.tensor([0.5, 0.25]).reshape(2, 1, 1, 1)
    maps = net[:4]((x - mean) / std)
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
    from crosslens.methods.baselines import baselines
    from scipy.ndimage import gaussian_filter1d

    point = np.zeros((1, *SHAPE), np.float32)
    point[0, :, 4, 5, 6] = 1
    got = baselines("blurred", point, models["torch"], 0)[0, 0]
    along = gaussian_filter1d(np.eye(9)[4], 0.05 * 12, mode="constant")
    np.testing.assert_allclose(got.sum(axis=(1, 2))[1:8] / got.sum(), along[1:8], atol=2e-3)


@pytest.mark.parametrize(
    "name", ["insertion", "extremal", "activation_maximisation", "score_cam", "deep_dream", "sanity_check"]
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
    with pytest.raises(CrosslensError, match="switches=True"):
        crosslens.method("deconvnet", switches=False)(models["torch"], X)
    with pytest.raises(ImageError, match=r"looks like \(N, D, H, W, C\)"):
        crosslens.method("gradient")(models["torch"], np.moveaxis(X, 1, -1))
