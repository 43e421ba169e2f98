"""GridSample's rule against torch's grid_sample in float64, points outside the image included."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

MODES = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def check(vjp_of_node, x, grid, mode, padding, corners, opset):
    wrt = ["x", "g"]
    exact = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, grid)]
    y = F.grid_sample(*exact, mode, padding, bool(corners))
    dy = rand(*y.shape, seed=2)
    want = torch.autograd.grad(y, exact, torch.tensor(dy, dtype=torch.float64))
    named = mode if opset < 20 else MODES[mode]
    got = vjp_of_node(
        "GridSample", {"x": x, "g": grid}, {"y": dy}, wrt=wrt, mode=named, padding_mode=padding, align_corners=corners,
        opset=opset,
    )  # fmt: skip
    for name, gradient in zip(wrt, want, strict=True):
        scale = gradient.abs().max().item() or 1
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-4, atol=1e-5 * scale, err_msg=name)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("opset", [18, 20])
def test_grid_sample_at_points_in_and_outside_the_image(vjp_of_node, mode, padding, corners, opset):
    grid = np.random.default_rng(1).uniform(-2.6, 2.6, (2, 6, 7, 2)).astype(np.float32)
    check(vjp_of_node, rand(2, 3, 4, 5), grid, mode, padding, corners, opset)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_cubic_grid_sample(vjp_of_node, padding, corners):
    """Each of the sixteen pixels is brought into the image by itself; the point stays where it is."""
    grid = np.random.default_rng(1).uniform(-2.6, 2.6, (2, 6, 7, 2)).astype(np.float32)
    check(vjp_of_node, rand(2, 3, 4, 5), grid, "bicubic", padding, corners, 18)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_volumes_are_sampled_too(vjp_of_node, mode, padding, corners):
    grid = np.random.default_rng(3).uniform(-1.7, 1.7, (2, 2, 3, 4, 3)).astype(np.float32)
    check(vjp_of_node, rand(2, 3, 4, 5, 3), grid, mode, padding, corners, 20)


def test_an_image_of_one_pixel_across_can_be_sampled(vjp_of_node):
    grid = np.random.default_rng(4).uniform(-0.9, 0.9, (1, 3, 3, 2)).astype(np.float32)
    for padding in ("zeros", "border"):
        check(vjp_of_node, rand(1, 2, 1, 4), grid, "bilinear", padding, 1, 18)
