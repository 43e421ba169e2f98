"""Random transforms: their sizes, their draws, and how far they move."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.operators import Crop, Identity, Pad, PadResizeCrop, Resize
from crosslens.synthesis.transforms import Compose, RandomNoise, RandomResizedCrop, crop_transform, robust_transform


@pytest.mark.parametrize("size", [(8, 8), (33, 17), (224, 224)])
@pytest.mark.parametrize(("shift", "zoom"), [(0, 0.0), (0.2, 0.0), (0, 0.2), (0.3, 0.3)])
def test_a_view_keeps_the_pictures_size_and_has_an_exact_adjoint(size, shift, zoom):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 1, *size)), rng.normal(size=(1, 1, *size))
    transform = robust_transform(size, shift, zoom)
    for step in range(5):
        operator, to = transform.draw(size, np.random.default_rng([0, step]))
        seen = operator.apply(x)
        assert to == size == seen.shape[2:]
        linear = seen - operator.apply(np.zeros_like(x))
        np.testing.assert_allclose((linear * y).sum(), (x * operator.adjoint(y)).sum(), rtol=1e-9)


def test_the_same_seed_draws_the_same_view_and_another_another():
    x = np.random.default_rng(0).random((1, 3, 20, 20))
    transform = robust_transform((20, 20), 0.2, 0.1)

    def seen(seed):
        return transform.draw((20, 20), np.random.default_rng(seed))[0].apply(x)

    np.testing.assert_array_equal(seen([3, 1]), seen([3, 1]))
    assert np.abs(seen([3, 1]) - seen([3, 2])).max() > 0.1


def test_a_shift_moves_by_every_number_of_pixels_up_to_its_share_of_the_shorter_side():
    x = np.zeros((1, 1, 21, 40))
    x[..., 10, 10] = 1
    transform, rng = robust_transform((21, 40), 0.1, 0.0), np.random.default_rng(0)
    places = {divmod(int(transform.draw((21, 40), rng)[0].apply(x).argmax()), 40) for _ in range(400)}
    assert places == {(i, j) for i in range(8, 13) for j in range(8, 13)}


def test_a_zoom_makes_a_square_larger_and_smaller_by_up_to_its_amount():
    x = np.zeros((1, 1, 60, 60))
    x[..., 20:40, 20:40] = 1
    transform, rng = robust_transform((60, 60), 0, 0.25), np.random.default_rng(0)
    grey = transform.draw((60, 60), np.random.default_rng(0))[0]
    assert grey.apply(x).shape == x.shape
    areas = []
    for _ in range(200):
        operator, _ = transform.draw((60, 60), rng)
        areas.append((operator.apply(2 * x) - operator.apply(x)).sum() / 400)
    assert 0.75**2 - 0.05 < min(areas) < 0.8**2
    assert 1.2**2 < max(areas) < 1.25**2 + 0.05


@pytest.mark.parametrize("to", [(30, 41), (19, 20), (26, 26)])
def test_a_border_a_zoom_and_a_window_in_one_are_the_three_one_after_the_other(to):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 16, 18)), rng.normal(size=(2, 3, 16, 18))
    three = Pad(5) >> Resize((26, 28), to) >> Crop(to, (16, 18), (2, 1))
    one = PadResizeCrop((16, 18), 5, to, (2, 1))
    np.testing.assert_allclose(one.apply(x), three.apply(x), rtol=1e-12)
    np.testing.assert_allclose(one.adjoint(y), three.adjoint(y), rtol=1e-10, atol=1e-12)


def test_a_turn_moves_a_dot_along_an_arc_by_up_to_its_degrees():
    x = np.zeros((1, 1, 101, 101))
    x[..., 48:53, 88:93] = 1
    transform, rng = robust_transform((101, 101), 0, 0.0, turn=20.0), np.random.default_rng(0)
    angles = []
    for _ in range(100):
        operator, to = transform.draw((101, 101), rng)
        assert to == (101, 101)
        dot = operator.apply(2 * x) - operator.apply(x)
        y, x_ = (float((dot[0, 0] * grid).sum() / dot.sum()) - 50 for grid in np.mgrid[:101, :101])
        assert np.hypot(y, x_) == pytest.approx(40, abs=0.5)
        angles.append(np.rad2deg(np.arctan2(-y, x_)))
    assert -20.5 < min(angles) < -17
    assert 17 < max(angles) < 20.5


def test_no_shift_and_no_zoom_is_the_picture_itself():
    assert isinstance(robust_transform((8, 8), 0, 0.0).draw((8, 8), np.random.default_rng(0))[0], Identity)


@pytest.mark.parametrize(("shift", "zoom"), [(-0.1, 0.1), (0.1, 1.0), (0.1, -0.1), (4, 0.1)])
def test_impossible_transforms_are_refused(shift, zoom):
    with pytest.raises(ParameterError, match=r"both are shares of the picture's side, within \[0, 1\)"):
        robust_transform((8, 8), shift, zoom)


def test_a_turn_of_more_than_half_a_circle_is_refused():
    with pytest.raises(ParameterError, match=r"turn is 200 degrees; it must lie within \[0, 180\]"):
        robust_transform((8, 8), 0, 0.0, turn=200)


@pytest.mark.parametrize(
    "transform",
    [RandomResizedCrop(0.2, 0.7, (9, 11)), Compose((RandomResizedCrop(0.2, 1.0, (9, 11)), RandomNoise(0.1)))],
)
def test_a_random_crop_has_its_size_lies_inside_and_has_an_exact_adjoint(transform):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 1, 30, 40)), rng.normal(size=(1, 1, 9, 11))
    for step in range(20):
        operator, to = transform.draw((30, 40), np.random.default_rng([0, step]))
        seen = operator.apply(x)
        assert to == (9, 11) == seen.shape[2:]
        linear = seen - operator.apply(np.zeros_like(x))
        np.testing.assert_allclose((linear * y).sum(), (x * operator.adjoint(y)).sum(), rtol=1e-9)


def test_random_crops_are_of_every_share_and_their_middles_spread_by_fifteen_percent_of_a_side():
    x = np.stack(np.meshgrid(np.linspace(0, 1, 200), np.linspace(0, 1, 200)))[None]
    rng, seen = np.random.default_rng(0), []
    for _ in range(300):
        corner = RandomResizedCrop(0.1, 0.2, (8, 8)).draw((200, 200), rng)[0].apply(x)
        seen.append((corner.mean(), np.ptp(corner[0, 0]) * 8 / 7))
    middles, shares = np.transpose(seen)
    assert 0.48 < middles.mean() < 0.52
    assert middles.std() == pytest.approx(0.15 / np.sqrt(2), rel=0.15)  # the mean of two independent axes
    assert 0.09 < shares.min() < 0.115
    assert 0.185 < shares.max() < 0.21


def test_noise_comes_anew_with_each_draw():
    x, transform = np.zeros((1, 3, 20, 20)), robust_transform((20, 20), 0.0, 0.0, noise=0.2)
    a, b = (transform.draw((20, 20), np.random.default_rng([1, step]))[0].apply(x) for step in (0, 1))
    assert a.std() == pytest.approx(0.2, rel=0.1)
    assert np.abs(a - b).max() > 0.1


def test_impossible_crops_and_noise_are_refused():
    for crop in [(0.0, 0.5), (0.5, 0.4), (0.5, 1.1), (0.5,)]:
        with pytest.raises(
            ParameterError, match=r"it must be two shares of the sides within \(0, 1\], the least first"
        ):
            crop_transform(crop, 0.0, (8, 8))
    with pytest.raises(ParameterError, match=r"noise is 1\.5; its deviation must lie within \[0, 1\]"):
        robust_transform((8, 8), 0.0, 0.0, noise=1.5)
