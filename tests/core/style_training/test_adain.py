"""Training of AdaIN's decoder: its losses by hand, and the command's other promises for it."""

import numpy as np
import pytest
from crosslens import train_style
from crosslens.errors import ParameterError
from crosslens.restyle.adain import Moments
from crosslens.style_training.moment_loss import moment_loss
from crosslens.style_training.train_style import plan_of, settings_of

SMALL = {"adain": True, "width": 2, "blocks": 1, "content_layer": "act2", "style_layers": ("act1", "act2")}


def moments_by_hand(maps):
    """Equations 5 and 6 of Huang and Belongie (2017), one channel at a time."""
    means, deviations = np.zeros(maps.shape[:2]), np.zeros(maps.shape[:2])
    for n, c in np.ndindex(means.shape):
        values = maps[n, c].astype(np.float64).ravel()
        means[n, c] = values.sum() / values.size
        deviations[n, c] = np.sqrt(((values - means[n, c]) ** 2).sum() / values.size + 1e-5)
    return means, deviations


def test_the_moment_loss_and_its_gradient_are_the_papers():
    rng = np.random.default_rng(0)
    maps, other = rng.random((2, 2, 3, 4, 5))
    mean, deviation = moments_by_hand(other)
    loss = moment_loss("x", Moments(mean[..., None, None], deviation[..., None, None]))

    def value(at):
        own_mean, own_deviation = moments_by_hand(at)
        return ((own_mean - mean) ** 2 + (own_deviation - deviation) ** 2).sum(axis=1) / 3

    np.testing.assert_allclose(loss.value({"x": maps}), value(maps), rtol=1e-12)
    gradient, step = loss.cotangents({"x": maps})["x"], 1e-6
    for place in ((0, 0, 0, 0), (1, 2, 3, 4), (0, 1, 2, 3)):
        moved = [maps.copy(), maps.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (value(moved[0]) - value(moved[1])).sum() / (2 * step)
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-6)


def test_a_steps_losses_are_equations_11_to_13(loss_network, photographs):
    styles = np.random.default_rng(5).random((3, 3, 16, 16), dtype=np.float32)
    plan = plan_of(settings_of({**SMALL, "batch": 2, "strength": 2.0}), loss_network, photographs, styles)
    batch = plan.batch(np.random.default_rng(0))
    rng = np.random.default_rng(0)
    content = loss_network.forward(plan.photographs.crops(2, rng), ["act2"])["act2"]
    looks = loss_network.forward(plan.styles.crops(2, rng), ["act1", "act2"])
    (mean, deviation), (mu, sigma) = moments_by_hand(content), moments_by_hand(looks["act2"])
    parts = (each[..., None, None] for each in (mean, deviation, mu, sigma))
    mean, deviation, mu, sigma = parts
    target = sigma * (content - mean) / deviation + mu
    np.testing.assert_allclose(batch.inputs[0], target, rtol=1e-4, atol=1e-5)

    made = loss_network.forward(np.random.default_rng(9).random((2, 3, 16, 16), dtype=np.float32), ["act1", "act2"])
    weight, objective = batch.parts["content"]
    expected = ((made["act2"] - target) ** 2).sum(axis=(1, 2, 3)) / 2
    np.testing.assert_allclose(weight * objective.value(made), expected, rtol=1e-4)
    weight, objective = batch.parts["style"]
    expected = 0.0
    for name in ("act1", "act2"):
        (a, b), (m, s) = moments_by_hand(made[name]), moments_by_hand(looks[name])
        expected = expected + ((a - m) ** 2 + (b - s) ** 2).mean(axis=1)
    np.testing.assert_allclose(weight * objective.value(made), plan.beta * expected, rtol=1e-4)


def test_a_decoder_is_trained_and_gone_on_with(loss_network, photographs, styles, tmp_path):
    whole = train_style(loss_network, photographs, styles, steps=4, **SMALL)
    assert whole.spec.is_decoder
    assert whole.spec.code == (6, 1)
    assert whole.spec.layer == "act2"
    for steps in (2, 4):
        part = train_style(
            loss_network, photographs, styles, steps=steps, state=tmp_path / "d.npz", resume=steps == 4, **SMALL
        )
    np.testing.assert_array_equal(part.losses, whole.losses)
    features = loss_network.forward(photographs[:1, :, :16, :16], ["act2"])["act2"]
    assert whole(features).shape == (1, 3, 16, 16)


def test_a_decoder_has_no_normalisation(loss_network, photographs, styles):
    with pytest.raises(ParameterError, match="adain trains a decoder, which has no normalisation; leave norm='batch'"):
        train_style(loss_network, photographs, styles, steps=1, norm="batch", **SMALL)
