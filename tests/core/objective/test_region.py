"""A channel summed over a region: a mask, or a box in pixels of the image."""

import numpy as np
import pytest
from crosslens import INPUT
from crosslens.errors import LayerError, TargetError
from crosslens.objective import box, region
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel

RNG = np.random.default_rng(0)


def painted_shares(size, mask):
    """The share of each of the cells of a map that is painted, from 60 x 60 points in each."""
    (h, w), (mask_height, mask_width) = size, mask.shape
    y, x = (np.arange(60 * n) / (60 * n) + 0.5 / (60 * n) for n in (h, w))
    fine = mask[np.floor(y * mask_height + 1e-9).astype(int)][:, np.floor(x * mask_width + 1e-9).astype(int)]
    return fine.reshape(h, 60, w, 60).mean((1, 3))


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (40, 24), (4, 2), (20, 10)])
def test_a_region_is_the_channel_s_sum_by_painted_shares(size):
    a = RNG.standard_normal((2, 3, 8, 4)).astype(np.float32)
    mask = (RNG.random(size) > 0.6).astype(np.float32)
    objective = region("maps", 1, mask)
    shares = painted_shares((8, 4), mask)
    np.testing.assert_allclose(objective.value({"maps": a}), (a[:, 1] * shares).sum((1, 2)), rtol=1e-4, atol=1e-5)
    slope = objective.cotangents({"maps": a})["maps"]
    np.testing.assert_allclose(slope[:, 1], np.stack([shares, shares]), atol=1e-6)
    assert not slope[:, [0, 2]].any()


def test_a_box_is_the_sum_over_its_pixels_at_any_size():
    a = RNG.standard_normal((1, 2, 4, 4)).astype(np.float32)
    for pixels in (8, 4):
        at = {"maps": a, INPUT: np.zeros((1, 3, pixels, pixels), np.float32)}
        scale = pixels // 4
        value = box("maps", 1, 1 * scale, 2 * scale, 3 * scale, 4 * scale).value(at)
        np.testing.assert_allclose(value, a[:, 1, 2:4, 1:3].sum((1, 2)), rtol=1e-6)
    half = box("maps", 0, 0, 0, 1, 2).value({"maps": a, INPUT: np.zeros((1, 3, 8, 8), np.float32)})
    np.testing.assert_allclose(half, a[:, 0, 0, 0] / 2, rtol=1e-6)


def test_regions_out_of_range_are_refused_with_the_ranges():
    model = TinyModel()
    with pytest.raises(LayerError, match="channel 9 is out of range; layer 'conv1' has 4 channels, 0 to 3"):
        resolve_target(region("conv1", 9, np.ones((2, 2))), model, 1)
    with pytest.raises(LayerError, match=r"a region needs maps \(N, C, H, W\); layer 'fc' gives \(None, 5\)"):
        resolve_target(region("fc", 1, np.ones((2, 2))), model, 1)
    for corners in [(0, 0, 9, 4), (4, 0, 4, 4), (-1, 0, 2, 2)]:
        with pytest.raises(
            TargetError, match=r"does not lie inside the image: 0 <= X0 < X1 <= 8 and 0 <= Y0 < Y1 <= 8"
        ):
            resolve_target(box("conv1", 1, *corners), model, 1)
    with pytest.raises(TargetError, match="nothing is painted"):
        region("conv1", 1, np.zeros((4, 4)))
    with pytest.raises(TargetError, match="values from 0 to 1; this one has shape"):
        region("conv1", 1, np.full((4, 4), 255))


def test_a_region_in_text_is_read_at_its_layer(tmp_path):
    model, inside = TinyModel(), np.zeros((8, 8), bool)
    inside[2:5, 1:7] = True
    np.save(tmp_path / "m.npy", inside)
    images = RNG.random((2, 3, 8, 8), np.float32)
    objective = resolve_target(f"region:conv2:3:{tmp_path / 'm.npy'}", model, 2)
    at = model.forward(images, ["conv2"])
    np.testing.assert_allclose(objective.value(at), at["conv2"][:, 3, 2:5, 1:7].sum((1, 2)), rtol=1e-5)
