"""AdaIN against the paper's equations, one channel at a time."""

import array_api_strict
import numpy as np
from crosslens.arrays import as_numpy
from crosslens.restyle.adain import Moments, adain, mixed_moments, moments

MAPS = np.random.default_rng(0).normal(2, 3, (2, 4, 5, 7)).astype(np.float32)
STYLE = np.random.default_rng(1).normal(-1, 0.5, (2, 4, 9, 3)).astype(np.float32)


def adain_from_the_paper(x, y, a, epsilon=1e-5):
    """Equations 5, 6, 8 and the code of equation 14; slow on purpose."""
    made = np.zeros(x.shape)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            one, other = x[n, c].astype(np.float64), y[n, c].astype(np.float64)
            mean = [sum(values.ravel()) / values.size for values in (one, other)]
            deviation = [
                (sum((v - m) ** 2 for v in values.ravel()) / values.size + epsilon) ** 0.5
                for values, m in zip((one, other), mean, strict=True)
            ]
            moved = deviation[1] * (one - mean[0]) / deviation[0] + mean[1]
            made[n, c] = (1 - a) * one + a * moved
    return made


def test_adain_is_the_papers_equations():
    for a in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(
            adain(MAPS, moments(STYLE), a), adain_from_the_paper(MAPS, STYLE, a), rtol=1e-4, atol=1e-5
        )


def test_adain_of_maps_with_their_own_moments_changes_nothing():
    np.testing.assert_allclose(adain(MAPS, moments(MAPS)), MAPS, rtol=1e-5, atol=1e-5)


def test_the_result_has_the_moments_of_the_style():
    made, wanted = moments(adain(MAPS, moments(STYLE))), moments(STYLE)
    np.testing.assert_allclose(made.mean, wanted.mean, atol=1e-5)
    np.testing.assert_allclose(made.deviation, wanted.deviation, rtol=1e-4)


def test_mixed_moments_are_the_mixture_of_the_adains():
    """Equation 15: sum_k w_k AdaIN(x, y_k)."""
    styles, shares = [moments(STYLE), moments(MAPS[:, :, :3, :3])], [0.3, 0.7]
    wanted = sum(share * adain(MAPS, style) for style, share in zip(styles, shares, strict=True))
    np.testing.assert_allclose(adain(MAPS, mixed_moments(styles, shares)), wanted, rtol=1e-4, atol=1e-5)


def test_a_part_is_normalised_by_the_moments_of_the_whole():
    whole = adain(MAPS, moments(STYLE))
    part = adain(MAPS[:, :, 1:4], moments(STYLE), content=moments(MAPS))
    np.testing.assert_allclose(part, whole[:, :, 1:4], rtol=1e-5, atol=1e-5)


def test_a_constant_channel_becomes_the_styles_mean():
    made = adain(np.full((1, 1, 4, 4), 0.5, np.float32), Moments(np.float32(3.0), np.float32(2.0)))
    np.testing.assert_allclose(made, 3.0, atol=1e-6)


def test_the_namespace_of_the_arrays_does_not_matter():
    strict = array_api_strict.asarray(MAPS)
    made = adain(strict, moments(array_api_strict.asarray(STYLE)), 0.5)
    np.testing.assert_allclose(as_numpy(made), adain(MAPS, moments(STYLE), 0.5), rtol=1e-5, atol=1e-6)
