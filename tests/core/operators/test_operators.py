"""Operators against their transposes, torch and the formula written slowly; steps against differences."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy, interpolation
from crosslens.errors import ImageError, ParameterError
from crosslens.model.preprocessing import PRESETS
from crosslens.operators import (
    LUCID,
    PHOTOGRAPHS,
    Blur,
    Clip,
    Colour,
    Crop,
    Fourier,
    Identity,
    Jitter,
    Noise,
    Normalise,
    Operator,
    Pad,
    Phase,
    Pyramid,
    Resize,
    Rotate,
    SharedPart,
    Sigmoid,
    SmoothMax,
    natural_magnitude,
)

SIZES = [(8, 8), (7, 9), (6, 5), (9, 4)]


def operators(size):
    height, width = size
    return {
        "normalise": (Normalise(PRESETS["imagenet"]), (2, 3, *size)),
        "normalise BGR": (Normalise(PRESETS["caffe"]), (2, 3, *size)),
        "shrink": (Resize(size, (height - 3, width - 1)), (2, 3, *size)),
        "enlarge": (Resize(size, (height + 4, 2 * width + 1)), (2, 3, *size)),
        "pad": (Pad(3), (2, 3, *size)),
        "crop": (Crop(size, (height - 3, width - 2), (2, 1)), (2, 3, *size)),
        "jitter": (Jitter(3, -2), (2, 3, *size)),
        "fourier": (Fourier(size), (2, 2, 3, height, width // 2 + 1)),
        "flat fourier": (Fourier(size, decay=0.0), (2, 2, 3, height, width // 2 + 1)),
        "colour": (Colour(PHOTOGRAPHS), (2, 3, *size)),
        "blur": (Blur(1.5), (2, 3, *size)),
        "turn": (Rotate(11.0), (2, 3, *size)),
        "turn back over": (Rotate(-130.0), (2, 3, *size)),
        "quarter": (Rotate(90.0), (2, 3, *size)),
        "pyramid": (Pyramid(size, 3), (2, 3, Pyramid(size, 3).length)),
        "noise": (Noise(0.3, 5), (2, 3, *size)),
        "shared": (SharedPart(size, (3, 2)), (4, 3, *size)),
        "identity": (Identity(), (2, 3, *size)),
        "composed": (Pad(2) >> Crop((height + 4, width + 4), size, (1, 3)) >> Colour(LUCID), (2, 3, *size)),
    }


EVERY = [pytest.param(size, name, id=f"{name} {size}") for size in SIZES for name in operators((8, 8))]


def draw(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(("size", "name"), EVERY)
def test_the_adjoint_is_the_transpose(size, name):
    operator, shape = operators(size)[name]
    assert isinstance(operator, Operator)
    x = draw(shape)
    linear = operator.apply(x) - operator.apply(np.zeros_like(x))
    y = draw(linear.shape, seed=1)
    back = operator.adjoint(y)
    assert back.shape == x.shape
    np.testing.assert_allclose((linear * y).sum(), (x * back).sum(), rtol=1e-12)


@pytest.mark.parametrize(("size", "name"), EVERY)
def test_any_array_namespace_gives_what_numpy_gives(size, name):
    operator, shape = operators(size)[name]
    x = draw(shape, dtype=np.float32)
    expected = operator.apply(x)
    got = operator.apply(strict.asarray(x))
    assert got.dtype == strict.float32
    np.testing.assert_array_equal(as_numpy(got), expected)
    y = draw(expected.shape, seed=1, dtype=np.float32)
    np.testing.assert_array_equal(as_numpy(operator.adjoint(strict.asarray(y))), operator.adjoint(y))


@pytest.mark.parametrize(("size", "name"), EVERY)
def test_torch_tensors_stay_torch_tensors_with_the_same_values(size, name):
    torch = pytest.importorskip("torch")
    operator, shape = operators(size)[name]
    x = draw(shape, dtype=np.float32)
    expected = operator.apply(x)
    got = operator.apply(torch.from_numpy(x))
    assert got.dtype == torch.float32
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-5)
    y = draw(expected.shape, seed=1, dtype=np.float32)
    np.testing.assert_allclose(operator.adjoint(torch.from_numpy(y)).numpy(), operator.adjoint(y), atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "name", ["normalise", "normalise BGR", "pad", "jitter", "fourier", "colour", "pyramid", "identity"]
)
def test_applying_the_inverse_of_a_picture_gives_it_back(size, name):
    operator, shape = operators(size)[name]
    y = operator.apply(draw(shape))
    np.testing.assert_allclose(operator.apply(operator.inverse(y)), y, atol=1e-10)


@pytest.mark.parametrize("to", [(5, 7), (8, 20), (16, 16), (31, 9), (1, 1)])
def test_resize_is_torchs_antialiased_bilinear(to):
    torch = pytest.importorskip("torch")
    x = draw((2, 3, 12, 13))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(x), to, mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_allclose(Resize((12, 13), to).apply(x), expected.numpy(), atol=1e-6)


def test_resizing_to_the_same_size_changes_nothing_and_a_flat_picture_stays_flat():
    x = draw((1, 3, 6, 7))
    np.testing.assert_allclose(Resize((6, 7), (6, 7)).apply(x), x, atol=1e-12)
    np.testing.assert_allclose(Resize((6, 7), (4, 11)).apply(np.full((1, 3, 6, 7), 0.3)), 0.3)
    np.testing.assert_allclose(interpolation(6, 4).sum(axis=1), 1)


def slow_fourier(parameters, size):
    """Each pixel as a sum of waves: a column that has a conjugate twin counts twice, the others once."""
    height, width = size
    picture = np.zeros((*parameters.shape[:1], parameters.shape[2], height, width))
    i, j = np.arange(height)[:, None], np.arange(width)[None, :]
    for u in range(height):
        for v in range(width // 2 + 1):
            fu, fv = min(u, height - u) / height, v / width
            scale = 1 / max(np.hypot(fu, fv), 1 / max(height, width)) / 4 / np.sqrt(height * width)
            twins = 1 if v == 0 or 2 * v == width else 2
            angle = 2 * np.pi * (u * i / height + v * j / width)
            re, im = parameters[:, 0, :, u, v, None, None], parameters[:, 1, :, u, v, None, None]
            picture += scale * twins * (re * np.cos(angle) - im * np.sin(angle))
    return picture


@pytest.mark.parametrize("size", SIZES)
def test_fourier_is_a_sum_of_waves_with_amplitudes_over_frequency(size):
    parameters = draw((2, 2, 3, size[0], size[1] // 2 + 1))
    np.testing.assert_allclose(Fourier(size).apply(parameters), slow_fourier(parameters, size), atol=1e-12)


def test_normalise_is_the_preprocessing_that_networks_publish():
    x = np.random.default_rng(0).random((1, 3, 4, 4))
    caffe = Normalise(PRESETS["caffe"]).apply(x)
    mean = (103.939, 116.779, 123.68)
    for c in range(3):
        np.testing.assert_allclose(caffe[0, c], 255 * x[0, 2 - c] - mean[c], rtol=1e-5)


def test_pad_surrounds_with_grey_and_crop_cuts_where_it_says():
    x = draw((1, 1, 2, 3))
    padded = Pad(2).apply(x)
    assert padded.shape == (1, 1, 6, 7)
    assert (padded[..., :2, :] == 0.5).all()
    assert (padded[..., :, -2:] == 0.5).all()
    np.testing.assert_array_equal(Crop((6, 7), (2, 3), (2, 2)).apply(padded), x)
    np.testing.assert_array_equal(Crop.centre((6, 7), (2, 3)).apply(padded), x)


def test_jitter_moves_down_and_right_and_wraps_round():
    x = np.arange(6.0).reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(Jitter(1, 1).apply(x)[0, 0], [[5, 3, 4], [2, 0, 1]])


def test_the_decorrelated_colours_longest_axis_has_length_one():
    lengths = np.linalg.norm(np.array(Colour.decorrelated(LUCID).matrix), axis=0)
    np.testing.assert_allclose(lengths.max(), 1)
    np.testing.assert_allclose(np.array(Colour.decorrelated(LUCID).matrix)[0, 0], 0.26 / np.sqrt(0.26**2 + 2 * 0.27**2))


def test_our_colour_axes_are_near_lucids():
    ours, theirs = np.array(PHOTOGRAPHS), np.array(LUCID)
    cosines = (ours * theirs).sum(axis=0) / np.linalg.norm(ours, axis=0) / np.linalg.norm(theirs, axis=0)
    assert (np.abs(cosines) > 0.97).all()


@pytest.mark.parametrize("step", [Sigmoid(), Clip(-0.5, 0.75), Colour(LUCID) >> Sigmoid(), Sigmoid() >> Clip(0.3, 0.6)])
def test_a_steps_pull_is_its_derivative(step):
    x = draw((1, 3, 4, 5))
    dy = draw((1, 3, 4, 5), seed=1)
    _, pull = step.linearize(x)
    got = pull(dy)
    for place in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[place] = 1e-6
        slope = (dy * (step.apply(x + nudge) - step.apply(x - nudge))).sum() / 2e-6
        np.testing.assert_allclose(got[place], slope, atol=1e-8)


def test_sigmoid_neither_overflows_nor_warns_and_comes_back_from_pictures():
    y = Sigmoid().apply(np.array([-1e4, 0.0, 1e4], np.float32))
    np.testing.assert_array_equal(y, [0, 0.5, 1])
    pictures = np.array([0.0, 0.001, 0.3, 0.999, 1.0])
    np.testing.assert_allclose(Sigmoid().apply(Sigmoid().inverse(pictures)), [0.001, 0.001, 0.3, 0.999, 0.999])


def test_a_chain_of_operators_is_an_operator_and_one_with_a_sigmoid_is_not():
    assert isinstance(Pad(1) >> Jitter(1, 0), Operator)
    assert not isinstance(Pad(1) >> Sigmoid(), Operator)
    assert not isinstance(Sigmoid() >> Pad(1), Operator)


def test_wrong_sizes_are_named():
    with pytest.raises(ImageError, match=r"a window of \(5, 5\) pixels at \(2, 2\) does not lie within \(6, 6\)"):
        Crop((6, 6), (5, 5), (2, 2))
    with pytest.raises(ImageError, match=r"Resize was made for \(6, 6\) pixels, not \(5, 6\)"):
        Resize((6, 6), (3, 3)).apply(np.zeros((1, 3, 5, 6)))
    with pytest.raises(ImageError, match=r"Fourier was made for \(6, 4\) pixels, not \(6, 6\)"):
        Fourier((6, 6)).apply(np.zeros((1, 2, 3, 6, 6)))
    with pytest.raises(ParameterError, match="a colour matrix for 3 channels cannot mix 1"):
        Colour(LUCID).apply(np.zeros((1, 1, 4, 4)))


def test_what_loses_pixels_cannot_be_turned_back():
    with pytest.raises(ParameterError, match="Crop cannot be turned back: start from noise, not from an image"):
        (Crop((6, 6), (5, 5), (0, 0)) >> Sigmoid()).inverse(np.zeros((1, 3, 5, 5)))


@pytest.mark.parametrize("deviation", [0.4, 1.5, 6.0])
def test_blur_is_scipys_gaussian_over_the_share_of_it_that_lies_within_the_picture(deviation):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = draw((7, 9))
    how = {"sigma": deviation, "mode": "constant", "truncate": 40.0}
    expected = ndimage.gaussian_filter(x, **how) / ndimage.gaussian_filter(np.ones_like(x), **how)
    np.testing.assert_allclose(Blur(deviation).apply(x), expected, rtol=1e-9, atol=1e-12)


def test_a_blur_without_width_is_refused():
    with pytest.raises(ParameterError, match="deviation of a blur is 0 pixels; it must be more than 0"):
        Blur(0)


def smooth_max_by_hand(step, grid):
    """Every pixel, over the grid points within reach: a mean weighted by exp(f / T)."""
    mask, reach = np.zeros(step.size), 1 + int(np.ceil(step.width / step.every))
    for y, x in np.ndindex(*step.size):
        top = bottom = 0.0
        for i, j in np.ndindex(*grid.shape):
            if max(abs(y // step.every - i), abs(x // step.every - j)) <= reach:
                centre = np.array([i, j]) * step.every + (step.every - 1) / 2
                z = np.hypot(*(np.array([y, x]) - centre)) / step.width
                f = np.exp(-2 * max(z - 0.5, 0) ** 2) * grid[i, j]
                top, bottom = top + f * np.exp(f / 0.05), bottom + np.exp(f / 0.05)
        mask[y, x] = top / bottom
    return mask


@pytest.mark.parametrize("step", [SmoothMax((12, 9), 3, 4.0), SmoothMax((10, 8), 3, 2.0), SmoothMax((5, 5), 1, 1.5)])
def test_a_smooth_maximum_is_its_formula_and_its_pull_the_derivative(step):
    grid = np.random.default_rng(0).random(step.grid)
    mask, pull = step.linearize(grid)
    np.testing.assert_allclose(mask, smooth_max_by_hand(step, grid), rtol=1e-9)
    dy = draw(step.size, seed=1)
    gradient = pull(dy)
    for place in np.ndindex(*step.grid):
        up, down = grid.copy(), grid.copy()
        up[place], down[place] = grid[place] + 1e-6, grid[place] - 1e-6
        by_hand = ((step.apply(up) - step.apply(down)) * dy).sum() / 2e-6
        np.testing.assert_allclose(gradient[place], by_hand, rtol=1e-5, atol=1e-8)


def test_a_smooth_maximum_is_a_mask():
    step = SmoothMax((24, 24), 2, 6.0)
    full, empty = step.apply(np.ones(step.grid)), step.apply(np.zeros(step.grid))
    assert 0.9 < full.min() <= full.max() <= 1
    assert (empty == 0).all()


def test_a_turn_by_a_quarter_is_numpys_and_a_whole_one_changes_nothing():
    x = draw((1, 2, 7, 7))
    np.testing.assert_allclose(Rotate(90.0).apply(x), np.rot90(x, axes=(2, 3)), atol=1e-12)
    np.testing.assert_allclose(Rotate(360.0).apply(x), x, atol=1e-12)


@pytest.mark.parametrize("degrees", [7.0, -33.0, 171.0])
def test_a_turn_is_scipys_bilinear_one_inside_and_grey_outside(degrees):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = draw((24, 15))
    expected = ndimage.rotate(np.pad(x - 0.5, 30), degrees, order=1, reshape=False, mode="constant")[30:-30, 30:-30]
    np.testing.assert_allclose(Rotate(degrees).apply(x[None, None])[0, 0], expected + 0.5, atol=1e-9)


def test_a_pyramids_bands_are_the_picture_at_halving_sizes_and_flat_pictures_lie_in_the_coarsest():
    pyramid = Pyramid((9, 6), 3)
    assert pyramid.sizes == [(9, 6), (5, 3), (3, 2)]
    fine, middle, coarse = pyramid.bands(pyramid.inverse(np.full((1, 1, 9, 6), 0.7)))
    np.testing.assert_allclose(coarse, 0.7)
    np.testing.assert_allclose([np.abs(fine).max(), np.abs(middle).max()], 0, atol=1e-12)


def test_doubling_every_band_doubles_the_picture():
    x = draw((1, 3, 8, 8))
    np.testing.assert_allclose(Pyramid((8, 8)).each(x, lambda band: 2 * band), 2 * x, atol=1e-12)


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_the_phases_gradient_is_the_derivative_and_the_magnitude_stays(size):
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(0.5, 2, (2, size[0], size[1] // 2 + 1))
    step, phases = Phase(size, magnitude), rng.uniform(-3, 3, (1, *magnitude.shape))
    picture, back = step.linearize(phases)
    spectrum = np.abs(np.fft.rfft2(picture, norm="ortho"))
    paired = slice(1, (size[1] + 1) // 2)  # the other columns drop what a real picture cannot have
    np.testing.assert_allclose(spectrum[0, :, :, paired], magnitude[:, :, paired])
    dy, way = rng.normal(size=picture.shape), rng.normal(size=phases.shape)
    slope = (dy * (step.apply(phases + 1e-6 * way) - step.apply(phases - 1e-6 * way))).sum() / 2e-6
    np.testing.assert_allclose((back(dy) * way).sum(), slope, rtol=1e-7)
    np.testing.assert_allclose(step.inverse(picture)[..., paired], phases[..., paired], atol=1e-9)


def test_natural_magnitudes_fall_with_frequency_and_grow_with_the_picture_as_a_unitary_transform_does():
    small, large = natural_magnitude((64, 64)), natural_magnitude((256, 256))
    assert small.shape == (3, 64, 33)
    assert (np.diff(small[:, 0, 1:], axis=1) < 0).all()
    np.testing.assert_allclose(large[:, :32, :32] / small[:, :32, :32], 4, rtol=1e-9)
    assert large[0, 0, 128] == pytest.approx(256 * 0.00116)
    assert natural_magnitude((1024, 1024))[0, 0, 512] < large[0, 0, 128]


def test_noise_has_its_deviation_is_the_same_for_a_batch_and_follows_its_seed():
    x = draw((2, 3, 40, 40))
    noise = Noise(0.3, 5).apply(x) - x
    assert noise.std() == pytest.approx(0.3, rel=0.05)
    np.testing.assert_allclose(noise[0], noise[1], atol=1e-6)
    np.testing.assert_array_equal(Noise(0.3, 5).apply(x), Noise(0.3, 5).apply(x))
    assert np.abs(Noise(0.3, 6).apply(x) - Noise(0.3, 5).apply(x)).max() > 0.1


def test_what_is_shared_comes_to_lie_alike_in_every_picture_and_only_what_is_coarse():
    x = np.zeros((3, 1, 16, 16))
    x[0, 0, 2, 3] = 7.0
    x[2, 0, :, 8:] = 1.0  # the shared row: an edge, and under it a chequerboard that is too fine
    x[2, 0] += 1.0 - 2.0 * (np.indices((16, 16)).sum(axis=0) % 2)
    y = SharedPart((16, 16), (4, 4)).apply(x)
    assert y.shape == (2, 1, 16, 16)
    np.testing.assert_allclose(y[0] - x[0], y[1], atol=1e-12)
    assert y[1, 0, :, :5].max() < 0.1
    assert y[1, 0, :, 11:].min() > 0.9
    assert y[1, 0, :, 1:].min() > -0.1


def test_a_clip_scales_before_it_cuts():
    cut = Clip(gain=0.25, offset=0.5)
    y, back = cut.linearize(np.array([-9.0, -1.0, 0.0, 1.0, 9.0]))
    np.testing.assert_array_equal(y, [0.0, 0.25, 0.5, 0.75, 1.0])
    np.testing.assert_array_equal(back(np.ones(5)), [0.0, 0.25, 0.25, 0.25, 0.0])
    np.testing.assert_array_equal(cut.inverse(y[1:4]), [-1.0, 0.0, 1.0])
