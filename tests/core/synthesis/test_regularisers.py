"""Rules between steps, each against its paper's sentence written slowly."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import ParameterError
from crosslens.operators import Blur
from crosslens.synthesis.regularisers import REGULARISERS, normalise_bands, read_regularisers

RNG = np.random.default_rng(0)
IMAGE, GRADIENT = RNG.random((2, 3, 9, 8)), RNG.normal(size=(2, 3, 9, 8))
SPELLED = ["decay:0.1", "blur:0.8:3", "bilateral:1:0.2:2", "clip_norm:40", "clip_contribution:70:5", "blur_gradient:1"]
SPELLED += ["laplacian:2"]


def picture(text):
    (rule,) = read_regularisers([text])
    return rule.picture(IMAGE, GRADIENT)


def test_decay_draws_every_pixel_towards_grey():
    np.testing.assert_allclose(picture("decay:0.1"), 0.5 + 0.9 * (IMAGE - 0.5))


def test_a_blur_is_due_every_so_many_steps_only():
    (rule,) = read_regularisers(["blur:0.8:3"])
    assert [step for step in range(1, 8) if rule.due(step)] == [3, 6]
    np.testing.assert_allclose(picture("blur:0.8:3"), Blur(0.8).apply(IMAGE))


def bilateral_slowly(x, space, spread):
    """Each pixel the mean of its neighbours, near in place and in colour; the border's pixels go on beyond it."""
    _, height, width = x.shape
    made, reach = np.zeros_like(x), round(2 * space)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for di in range(-reach, reach + 1):
                for dj in range(-reach, reach + 1):
                    other = x[:, min(max(i + di, 0), height - 1), min(max(j + dj, 0), width - 1)]
                    apart = ((other - x[:, i, j]) ** 2).sum()
                    weight = np.exp(-(di**2 + dj**2) / (2 * space**2) - apart / (2 * spread**2))
                    made[:, i, j] += weight * other
                    total += weight
            made[:, i, j] /= total
    return made


def test_the_bilateral_filter_weighs_by_place_and_colour():
    np.testing.assert_allclose(picture("bilateral:1:0.3:2"), [bilateral_slowly(x, 1.0, 0.3) for x in IMAGE])


@pytest.mark.parametrize("name", ["clip_norm", "clip_contribution"])
def test_pixels_below_a_percentile_of_their_own_picture_become_grey(name):
    made = picture(f"{name}:60")
    for n in range(2):
        centred = IMAGE[n] - 0.5
        measure = (centred**2).sum(0) if name == "clip_norm" else abs((centred * GRADIENT[n]).sum(0))
        order = np.sort(measure.ravel())
        kept = measure >= order[int(0.6 * (order.size - 1))]
        assert 0.35 < kept.mean() < 0.45
        np.testing.assert_array_equal(made[n][:, kept], IMAGE[n][:, kept])
        assert (made[n][:, ~kept] == 0.5).all()


def test_a_gradients_bands_weigh_the_same_however_strong_each_was():
    coarse = np.kron(RNG.normal(size=(1, 1, 4, 4)), np.ones((16, 16)))
    fine = RNG.normal(size=(1, 1, 64, 64))
    spectrum = [abs(np.fft.fft2(normalise_bands(coarse + s * fine, 4)[0, 0])) for s in (0.01, 1.0)]
    high = [s[20:44, 20:44].mean() for s in spectrum]
    raw = [abs(np.fft.fft2(coarse + s * fine))[0, 0][20:44, 20:44].mean() for s in (0.01, 1.0)]
    assert raw[1] / raw[0] > 3 * high[1] / high[0]
    scaled = normalise_bands(1000 * GRADIENT, 3)
    np.testing.assert_allclose(scaled, normalise_bands(GRADIENT, 3))
    assert not normalise_bands(0 * GRADIENT, 3).any()


def test_a_blurred_gradient_is_blurred():
    (rule,) = read_regularisers(["blur_gradient:1.5"])
    np.testing.assert_allclose(rule.gradient(GRADIENT), Blur(1.5).apply(GRADIENT))


@pytest.mark.parametrize("text", SPELLED)
def test_any_array_namespace_gives_what_numpy_gives(text):
    (rule,) = read_regularisers([text])
    image, gradient = strict.asarray(IMAGE), strict.asarray(GRADIENT)
    np.testing.assert_allclose(as_numpy(rule.picture(image, gradient)), rule.picture(IMAGE, GRADIENT), rtol=1e-12)
    np.testing.assert_allclose(as_numpy(rule.gradient(gradient)), rule.gradient(GRADIENT), rtol=1e-9, atol=1e-12)


def test_every_rule_is_spelled_here():
    assert {text.partition(":")[0] for text in SPELLED} == set(REGULARISERS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blurr:1", r"no rule 'blurr'; there are decay, .*Did you mean 'blur'"),
        ("blur:1:2:3", "rule 'blur:1:2:3' has 3 numbers; it is blur:DEVIATION:EVERY"),
        ("blur:x", "rule 'blur:x' cannot be read .*; it is blur:DEVIATION:EVERY"),
        ("decay", "rule 'decay' cannot be read .*; it is decay:RATE"),
        ("blur:1:0", "rule 'blur:1:0': every number must be more than 0"),
        ("clip_norm:100", "a percentage less than 100; it is clip_norm:PERCENT:EVERY"),
    ],
)
def test_a_misspelled_rule_is_refused_with_its_form(text, message):
    with pytest.raises(ParameterError, match=message):
        read_regularisers([text])
