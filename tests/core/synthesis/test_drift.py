"""Steps under learned priors against the papers' equations, written slowly in float64 with torch's autograd."""

from copy import deepcopy

import numpy as np
import pytest
from crosslens import InputSpec, method, wrap
from crosslens.errors import ModelError, ParameterError
from crosslens.optim.base import State
from crosslens.optim.normalised import NormalisedSteps
from crosslens.synthesis.drift import Drift
from crosslens.testing import TinyModel

torch = pytest.importorskip("torch")
nn = torch.nn
STEPS, SEED, TARGET = 5, 3, 2
WHOLE = {"shift": 0.0, "zoom": 0.0, "turn": 0.0, "steps": STEPS, "seed": SEED}
"""No random transforms: the equations have none."""


def sequential(*layers):
    return nn.Sequential(*layers).eval()


torch.manual_seed(0)
CLASSIFIER = sequential(nn.Conv2d(3, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 6 * 6, 4))
GENERATOR = sequential(nn.Linear(5, 40), nn.Tanh(), nn.Linear(40, 3 * 8 * 8), nn.Unflatten(1, (3, 8, 8)), nn.Sigmoid())
ENCODER = sequential(nn.Conv2d(3, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(5 * 6 * 6, 5))
POSITIVE = sequential(*ENCODER, nn.Softplus())
DENOISER = sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())


def model(net, *shape, bounds=(0.0, 1.0)):
    return wrap(net, preprocess=None, input_shape=InputSpec(shape, bounds if len(shape) == 3 else None))


def maximise(**settings):
    return method("activation_maximisation", **{**WHOLE, **settings})(model(CLASSIFIER, 3, 8, 8), None, TARGET)


def double(net):
    return deepcopy(net).double()


def logit(x):
    return double(CLASSIFIER)(x)[:, TARGET]


def log_p(x):
    """log p(y | x) by its definition: exp z_y over the sum of all exp."""
    z = double(CLASSIFIER)(x)
    return torch.log(torch.exp(z[:, TARGET]) / torch.exp(z).sum(dim=1))


def gradient(function, h):
    h = h.clone().requires_grad_()
    (g,) = torch.autograd.grad(function(h).sum(), h)
    return g


def noise(step, shape):
    return torch.from_numpy(np.random.default_rng([SEED, step, 1]).standard_normal(shape))


def first_code(low, high):
    h = np.random.default_rng(SEED).standard_normal((1, 5)).astype(np.float32)
    return torch.from_numpy(np.clip(h, low, high)).double()


@pytest.mark.parametrize(
    ("net", "layer", "low", "high", "given"),
    [(ENCODER, "3", -3.0, 3.0, None), (POSITIVE, "4", 0.0, 30.0, "0,30"), (POSITIVE, "4", 0.1, 0.9, (0.1, 0.9))],
)
def test_ppgn_is_equation_11_with_all_three_epsilons_and_the_step_of_its_code(net, layer, low, high, given):
    """d = eps1 (E(G(h)) - h) + eps2 d log p(y | G(h)) / dh + N(0, eps3^2); h <- clip(h + rate d / mean |d|)."""
    decode, encode, h, history = double(GENERATOR), double(net), first_code(low, high), []
    for step in range(STEPS):
        with torch.no_grad():
            reconstruction = encode(decode(h)) - h
            history.append(float(log_p(decode(h))))
        d = 0.3 * reconstruction + 0.7 * gradient(lambda code: log_p(decode(code)), h) + 0.02 * noise(step, h.shape)
        h = (h + 0.2 * d / d.abs().mean()).clamp(low, high)

    networks = {"generator": model(GENERATOR, 5), "encoder": model(net, 3, 8, 8), "code_layer": layer}
    epsilons = {"epsilon1": 0.3, "epsilon2": 0.7, "epsilon3": 0.02}
    result = maximise(prior="ppgn", learning_rate=0.2, code_range=given, **networks, **epsilons)
    np.testing.assert_allclose(result.state["0_parameters"], h.numpy(), atol=2e-5)
    np.testing.assert_allclose(result.history[:, 0], history, rtol=1e-4)


def test_dgn_am_is_the_rule_of_its_code():
    """h <- 0.99 clip(h + rate_t g / mean |g|), rate_t from 8 to 1e-10 linearly, g the gradient of the logit."""
    decode, h = double(GENERATOR), first_code(-3.0, 3.0)
    for step in range(STEPS):
        g = gradient(lambda code: logit(decode(code)), h)
        rate = 8 + (1e-10 - 8) * step / STEPS
        h = 0.99 * (h + rate * g / g.abs().mean()).clamp(-3.0, 3.0)

    result = maximise(prior="dgn_am", generator=model(GENERATOR, 5))
    np.testing.assert_allclose(result.state["0_parameters"], h.numpy(), rtol=1e-4)


def adam(x, g, m, v, t, rate):
    """Algorithm 1 of Kingma and Ba (2015), uphill."""
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    return x + rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8), m, v


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0)])
def test_the_denoisers_drift_is_its_residual_over_sigma_squared_under_adam(bounds):
    """d = eps1 (R(x) - x) / sigma^2 + eps2 d log p(y | x) / dx at the picture x = x0 / 4 + 1 / 2, in [0, 1]."""
    low, gain = bounds[0], bounds[1] - bounds[0]
    denoise = double(sequential(*DENOISER, nn.Hardtanh(*bounds)))
    x0 = torch.from_numpy((0.01 * np.random.default_rng(SEED).standard_normal((1, 3, 8, 8))).astype(np.float32))
    x0, m, v = x0.double(), 0.0, 0.0
    for step in range(STEPS):
        x = 0.25 * x0 + 0.5
        with torch.no_grad():
            residual = (denoise(low + gain * x) - low) / gain - x
        at_picture = 0.5 * residual / 0.2**2 + 2.0 * gradient(log_p, x)
        x0, m, v = adam(x0, 0.25 * at_picture + 0.01 * noise(step, x0.shape), m, v, step + 1, 0.05)

    cleaner = model(sequential(*DENOISER, nn.Hardtanh(*bounds)), 3, 8, 8, bounds=bounds)
    pixels = {"parameterisation": "pixels", "colour": "rgb", "bound": "clip", "rules": ()}
    epsilons = {"epsilon1": 0.5, "epsilon2": 2.0, "epsilon3": 0.01}
    result = maximise(prior="denoiser", denoiser=cleaner, sigma=0.2, **pixels, **epsilons)
    np.testing.assert_allclose(result.state["0_parameters"], x0.numpy(), atol=2e-5)


def test_a_normalised_step_has_the_same_mean_length_for_each_item_and_a_dead_one_stays():
    x, g = np.ones((3, 4), np.float32), np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    g[1] = 0
    moved = NormalisedSteps(2.0, 0.5).after(State(x, (), 5), g, 10).parameters - x
    np.testing.assert_allclose(np.abs(moved).mean(axis=1), [1.25, 0, 1.25], rtol=1e-6)
    np.testing.assert_array_equal(np.sign(moved[[0, 2]]), -np.sign(g[[0, 2]]))


class Constant(Drift):
    """A drift of a user's own: brighter, and nothing of the objective."""

    objective_weight = 0.0

    def at_picture(self, image, step):
        return np.ones_like(image)


def test_a_drift_of_ones_own_is_followed_and_the_history_stays_the_objectives():
    tiny = TinyModel(size=8)
    settings = {**WHOLE, "parameterisation": "pixels", "colour": "rgb", "rules": (), "steps": 8}
    result = method("activation_maximisation", prior=Constant(), **settings)(tiny, None, 1)
    assert (result.images > 0.55).all()
    values = [tiny.forward(result.images)["<output>"][0, 1], result.history[-1, 0]]
    assert np.ptp(values) < 0.2
    assert result.history[0, 0] == pytest.approx(
        float(tiny.forward(result.images * 0 + 0.5)["<output>"][0, 1]), abs=0.1
    )


@pytest.mark.parametrize(
    ("direction", "error", "message"),
    [
        (
            np.ones(3, np.float32),
            ParameterError,
            r"Wrong.at_picture gives a direction \(3,\); it must have the shape \(",
        ),
        (np.full((1, 3, 8, 8), np.nan, np.float32), ModelError, "Wrong.at_picture gives NaN or infinite numbers"),
    ],
)
def test_a_direction_of_another_shape_and_nan_are_refused(direction, error, message):
    class Wrong(Drift):
        def at_picture(self, image, step):
            return direction

    with pytest.raises(error, match=message):
        method("activation_maximisation", prior=Wrong())(TinyModel(size=8), None, 1)
