"""Parameterisations: noise that every backend shares, pictures in [0, 1], and the way back to parameters."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.synthesis.parameterisation import BOUNDS, COLOURS, PARAMETERISATIONS, parameterisation, phases, phases_of


@pytest.mark.parametrize("name", PARAMETERISATIONS)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_noise_becomes_a_nearly_grey_picture_and_a_picture_comes_back(name, colour, size):
    made = parameterisation(name, size, 3, colour)
    noise = made.noise(2, np.random.default_rng(0))
    assert noise.dtype == np.float32
    picture = made.image.apply(noise)
    assert picture.shape == (2, 3, *size)
    assert np.abs(picture - 0.5).max() < 0.15
    photograph = np.random.default_rng(1).uniform(0.05, 0.95, (2, 3, *size)).astype(np.float32)
    np.testing.assert_allclose(made.image.apply(made.of(photograph)), photograph, atol=1e-5)


@pytest.mark.parametrize("name", PARAMETERISATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_at_the_parameters_is_the_derivative(name, channels):
    made = parameterisation(name, (5, 6), channels)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, *made.shape))
    dy = rng.normal(size=(1, channels, 5, 6))
    _, back = made.image.linearize(x)
    for _ in range(5):
        direction = rng.normal(size=x.shape)
        slope = (dy * (made.image.apply(x + 1e-6 * direction) - made.image.apply(x - 1e-6 * direction))).sum() / 2e-6
        np.testing.assert_allclose((back(dy) * direction).sum(), slope, rtol=1e-6)


def test_fourier_noise_has_its_energy_at_low_frequencies_and_pixel_noise_everywhere():
    def slope(name):
        made = parameterisation(name, (64, 64), 1)
        picture = made.image.apply(made.noise(1, np.random.default_rng(0)))[0, 0] - 0.5
        power = np.abs(np.fft.fft2(picture)) ** 2
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
        inside = frequency > 0
        return np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)[0]

    assert -2.7 < slope("fourier") < -2.1
    assert abs(slope("pixels")) < 0.3


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_random_phases_spread_as_photographs_do(channels):
    made = phases((48, 64), channels)
    picture = made.image.apply(made.noise(8, np.random.default_rng(0)))
    assert picture.shape == (8, channels, 48, 64)
    assert 0.15 < picture.std(axis=(2, 3)).mean() < 0.3
    photograph = np.random.default_rng(1).uniform(0.1, 0.9, (1, channels, 48, 64))
    again = made.of(made.image.apply(made.of(photograph)))
    turn = np.angle(np.exp(1j * (again - made.of(photograph))))[..., 1:-1]
    np.testing.assert_allclose(turn, 0, atol=0.05)  # the sigmoid's inverse cuts the darkest and brightest off


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ParameterError, match=r"no parameterisation 'furier'; there are .*Did you mean 'fourier'\?"):
        parameterisation("furier", (8, 8))
    with pytest.raises(ParameterError, match="no colour 'cmyk'; there are photographs, lucid, rgb"):
        parameterisation("pixels", (8, 8), 3, "cmyk")


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("name", PARAMETERISATIONS)
@pytest.mark.parametrize("shared", [0, 2])
def test_each_bound_and_a_shared_component_keep_the_range_and_have_the_derivative_as_gradient(bound, name, shared):
    made = parameterisation(name, (6, 6), 3, bound=bound, shared=shared)
    rng = np.random.default_rng(0)
    x = made.noise(2, rng).astype(np.float64)
    assert x.shape == (2 + bool(shared), *made.shape)
    wild = made.image.apply(30 * x / x.std())
    assert wild.shape == (2, 3, 6, 6)
    assert 0 <= wild.min() <= wild.max() <= 1
    picture, back = made.image.linearize(x)
    dy, way = rng.normal(size=picture.shape), rng.normal(size=x.shape)
    slope = (dy * (made.image.apply(x + 1e-6 * way) - made.image.apply(x - 1e-6 * way))).sum() / 2e-6
    np.testing.assert_allclose((back(dy) * way).sum(), slope, rtol=1e-6)
    photographs = rng.uniform(0.05, 0.95, (2, 3, 6, 6))
    np.testing.assert_allclose(made.image.apply(made.of(photographs)), photographs, atol=1e-8)


def test_both_bounds_have_the_same_slope_at_grey():
    way = np.random.default_rng(0).normal(size=(1, 3, 6, 6))
    moved = [parameterisation("pixels", (6, 6), bound=bound).image.apply(1e-3 * way) - 0.5 for bound in BOUNDS]
    np.testing.assert_allclose(moved[0], moved[1], atol=1e-8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_pictures_are_where_their_own_phases_lead_each_with_its_own_magnitudes(channels, size):
    images = np.random.default_rng(0).uniform(0.05, 0.95, (2, channels, *size)).astype(np.float32)
    made = phases_of(images)
    np.testing.assert_allclose(made.image.apply(made.of(images)), images, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bound": "tanh"}, "no bound 'tanh'; there are sigmoid, clip"),
        ({"shared": 9}, "shared is 9; a side of 8 pixels holds 1 to 8, 0 for none"),
        ({"shared": -1}, "shared is -1; a side of 8 pixels holds 1 to 8"),
    ],
)
def test_impossible_bounds_and_shares_are_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        parameterisation("pixels", (8, 8), **given)
