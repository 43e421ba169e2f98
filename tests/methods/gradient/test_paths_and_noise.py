"""Gradients along paths and under noise: identities, and slow versions of their formulas."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import norm
from crosslens.plugins import method
from crosslens.testing import TinyModel

TARGET = 2


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


def gradient(model, x, layer=INPUT, **how):
    seed = np.zeros((len(x), 5), np.float32)
    seed[:, TARGET] = 1
    return model.vjp(x, {OUTPUT: seed}, wrt=[layer], **how).gradients[layer]


def test_gradient_x_input_is_the_product(images):
    model = TinyModel()
    found = method("gradient_x_input")(model, images, target=TARGET).values
    np.testing.assert_allclose(found, images * gradient(model, images), rtol=1e-5)


@pytest.mark.parametrize("baseline", ["black", "white", "grey", "blurred", "noise"])
def test_integrated_gradients_are_complete(images, baseline):
    """Sundararajan et al., proposition 1: the values add up to S(x) - S(x')."""
    model = TinyModel()
    found = method("integrated_gradients", baseline=baseline, steps=30)(model, images, target=TARGET)
    from crosslens.method.baselines import baselines

    starts = np.concatenate([baselines(baseline, x[None], model, 0) for x in images])
    difference = model.forward(images)[OUTPUT][:, TARGET] - model.forward(starts)[OUTPUT][:, TARGET]
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), difference, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.gap, 0, atol=1e-4)


def test_integrated_gradients_are_equation_3_with_the_rule_right(images):
    model = TinyModel()
    found = method("integrated_gradients", steps=7, rule="right")(model, images, target=TARGET).values
    expected = sum(gradient(model, images * np.float32(k / 7)) for k in range(1, 8)) / 7 * images
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_gauss_legendre_is_exact_on_a_polynomial(images):
    """The gradient of sum |x|^4 is a cubic along the way: two places are enough for all of it."""
    found = method("integrated_gradients", steps=2)(TinyModel(), images, norm(4))
    np.testing.assert_allclose(found.values, images**4, rtol=1e-3, atol=1e-6)


def test_integrated_gradients_at_a_layer_are_complete(images):
    model = TinyModel()
    found = method("integrated_gradients", layer="act1", steps=30)(model, images, target=TARGET)
    difference = model.forward(images)[OUTPUT][:, TARGET] - model.forward(0 * images)[OUTPUT][:, TARGET]
    assert found.values.shape == (2, 4, 8, 8)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), difference, rtol=1e-3, atol=1e-4)


def test_too_few_steps_are_said(images):
    found = method("integrated_gradients", steps=1, rule="left", baseline="white")(
        TinyModel(relu=True), images, target=TARGET
    )
    assert np.abs(found.gap).max() > 0
    assert "raise steps, now 1" in " ".join(found.notes)


def test_several_baselines_are_averaged(images):
    model = TinyModel()
    both = method("integrated_gradients", baseline=("black", "white"), steps=5)(model, images, target=TARGET).values
    each = [
        method("integrated_gradients", baseline=b, steps=5)(model, images, target=TARGET).values
        for b in ("black", "white")
    ]
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("statistic", ["mean", "square", "variance", "magnitude"])
@pytest.mark.parametrize("relative", [True, False])
def test_smooth_grad_is_a_statistic_of_gradients_under_noise(images, statistic, relative):
    model = TinyModel()
    model.batch_size = 3  # seven samples in three portions
    options = {"samples": 7, "noise": 0.2, "relative": relative, "statistic": statistic, "seed": 5}
    found = method("smooth_grad", **options)(model, images, target=TARGET).values
    for n, x in enumerate(images):
        rng = np.random.default_rng(5)
        noise = np.concatenate([rng.standard_normal((k, 3, 8, 8), dtype=np.float32) for k in (3, 3, 1)])
        deviation = 0.2 * (np.ptp(x) if relative else 1)
        gradients = np.concatenate([gradient(model, (x + deviation * e)[None].astype(np.float32)) for e in noise])
        expected = {
            "mean": gradients.mean(axis=0),
            "square": (gradients**2).mean(axis=0),
            "variance": gradients.var(axis=0),
            "magnitude": np.abs(gradients).mean(axis=0),
        }[statistic]
        np.testing.assert_allclose(found[n], expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max() + 1e-9)


def test_smooth_grad_without_noise_is_the_gradient(images):
    found = method("smooth_grad", samples=2, noise=0.0)(TinyModel(), images, target=TARGET).values
    np.testing.assert_allclose(found, gradient(TinyModel(), images), rtol=1e-5)


def test_expected_gradients_add_up_to_the_score_less_the_backgrounds_mean(images):
    """In the mean of the draws (Erion et al., equation 2), here within four deviations of that mean."""
    model, count = TinyModel(), 2000
    background = np.random.default_rng(3).random((4, 3, 8, 8)).astype(np.float32)
    found = method("expected_gradients", background=background, samples=count)(model, images, target=TARGET)
    expected = found.scores - model.forward(background)[OUTPUT][:, TARGET].mean()
    for n, x in enumerate(images):
        rng = np.random.default_rng(7)
        starts, places = background[rng.integers(4, size=count)], rng.random((count, 1, 1, 1), dtype=np.float32)
        draws = ((x - starts) * gradient(model, starts + places * (x - starts))).sum(axis=(1, 2, 3))
        assert abs(found.values[n].sum() - expected[n]) < 4 * draws.std() / np.sqrt(count)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("smooth_grad", {"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ("smooth_grad", {"noise": -1.0}, "noise is -1.0; it must be a number, at least 0"),
        (
            "smooth_grad",
            {"statistic": "median"},
            "statistic is 'median'; it must be mean, square, variance, sample_variance, magnitude",
        ),
        ("integrated_gradients", {"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        (
            "integrated_gradients",
            {"rule": "simpson"},
            "rule is 'simpson'; it must be gauss_legendre, trapezoid, left, right, middle or mean",
        ),
        ("integrated_gradients", {"baseline": "blak"}, "no baseline 'blak'.*Did you mean 'black'"),
        ("integrated_gradients", {"baseline": ()}, "no baseline is given"),
        ("expected_gradients", {"samples": 0}, "samples is 0"),
    ],
)
def test_wrong_parameters_are_refused(images, name, options, message):
    with pytest.raises(ParameterError, match=message):
        method(name, **options)(TinyModel(), images, target=TARGET)
