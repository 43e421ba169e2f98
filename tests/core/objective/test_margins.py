"""What attacks climb: each loss against the paper's formula in float64, finite differences, and torch's autograd."""

import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model import INPUT, OUTPUT
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective.aim import Aim
from crosslens.objective.margins import LOSSES, CrossEntropy, margins
from crosslens.testing.tiny import TinyModel

N, K = 6, 7
FORMS = ("leave", "reach")


def aims(form, count=K):
    leave = np.array([0, 1, 2, 3, 0, 1])
    reach = np.array([1, 2, 3, 0, 3, 2]) if form == "reach" else None
    return Aim(OutputSpec("logits", (count,)), leave, reach)


@pytest.fixture
def logits():
    """No two of a row are near each other: all losses are differentiable there."""
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(K) for _ in range(N)]) * 0.9 + rng.uniform(-0.2, 0.2, (N, K))


def cross_entropy(z, y, t):
    log_p = z - z.max() - np.log(np.exp(z - z.max()).sum())
    return -log_p[y] if t is None else log_p[t]


def margin(z, y, t):
    """Carlini and Wagner, 2017, f_6 without kappa."""
    others = [k for k in range(len(z)) if k != (y if t is None else t)]
    return max(z[others]) - z[y] if t is None else z[t] - max(z[others])


def dlr(z, y, t):
    """Croce and Hein, 2020, equation 6; with a class to reach equation 7."""
    descending = sorted(z, reverse=True)
    if t is None:
        return -(z[y] - max(z[k] for k in range(len(z)) if k != y)) / (descending[0] - descending[2])
    return -(z[y] - z[t]) / (descending[0] - (descending[2] + descending[3]) / 2)


FORMULAS = {"cross_entropy": cross_entropy, "margin": margin, "dlr": dlr}


def by_formula(name, aim, logits):
    reach = [None] * N if aim.reach is None else aim.reach
    return np.array([FORMULAS[name](z, y, t) for z, y, t in zip(logits, aim.leave, reach, strict=True)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOSSES)
def test_is_the_papers_formula(name, form, logits):
    losses, _ = LOSSES[name](aims(form)).at_logits(logits)
    np.testing.assert_allclose(losses, by_formula(name, aims(form), logits), rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_that_of_central_differences(name, form, logits):
    _, slope = LOSSES[name](aims(form)).at_logits(logits)
    for k in range(K):
        step = 1e-5 * (np.arange(K) == k)
        up, down = (by_formula(name, aims(form), logits + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(slope[:, k], (up - down) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_torchs(name, form, logits):
    torch = pytest.importorskip("torch")
    z = torch.tensor(logits, requires_grad=True)
    aim, rows = aims(form), torch.arange(N)
    y = torch.tensor(aim.leave)
    column = y if aim.reach is None else torch.tensor(aim.reach)
    top, own = z.sort(dim=1, descending=True).values, z[rows, column]
    best_other = z.masked_fill(torch.nn.functional.one_hot(column, K).bool(), -torch.inf).max(dim=1).values
    sign = 1 if aim.reach is None else -1
    loss = {
        "cross_entropy": lambda: sign * torch.nn.functional.cross_entropy(z, column, reduction="none"),
        "margin": lambda: sign * (best_other - own),
        "dlr": lambda: (
            -(own - best_other) / (top[:, 0] - top[:, 2])
            if aim.reach is None
            else -(z[rows, y] - own) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2)
        ),
    }[name]()
    loss.sum().backward()
    losses, slope = LOSSES[name](aim).at_logits(logits)
    np.testing.assert_allclose(losses, loss.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(slope, z.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", LOSSES)
def test_scaled_is_a_positive_multiple_of_the_gradient(name, form, logits):
    """For logits of every size: a network that is sure, unsure, or wrong."""
    for size in (1e-3, 1.0, 8.0):
        _, slope = LOSSES[name](aims(form)).at_logits(logits * size)
        losses, scaled = LOSSES[name](aims(form), scaled=True).at_logits(logits * size)
        factor = abs(scaled).max(axis=1) / abs(slope).max(axis=1)
        np.testing.assert_allclose(scaled, factor[:, None] * slope, atol=1e-9 * factor.max())
        np.testing.assert_allclose(losses, by_formula(name, aims(form), logits * size), rtol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_success_is_a_margin_below_zero_and_a_loss_above_it(form, logits):
    aim, logits = aims(form), logits.copy()
    logits[0, aim.leave[0]] += 10
    logits[1, aim.asked[1]] += 10 * (form == "reach")
    success = aim.succeeded(logits)
    assert 0 < success.sum() < N
    assert (margins(aim, logits) < 0).tolist() == success.tolist()
    np.testing.assert_allclose(LOSSES["margin"](aim).at_logits(logits)[0], -margins(aim, logits))


def test_the_ratio_does_not_change_with_the_scale_of_the_logits(logits):
    one, other = (LOSSES["dlr"](aims("leave")).at_logits(z)[0] for z in (logits, 1000 * logits + 5))
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_logits_that_are_all_alike_give_no_nan():
    for name, loss in LOSSES.items():
        losses, slope = loss(aims("leave")).at_logits(np.zeros((N, K)))
        assert np.isfinite(losses).all(), name
        assert np.isfinite(slope).all(), name


@pytest.mark.parametrize(("form", "classes", "count"), [("leave", 2, 3), ("reach", 3, 4)])
def test_the_ratio_needs_three_classes_or_four(form, classes, count):
    leave = np.zeros(2, int)
    aim = Aim(OutputSpec("logits", (classes,)), leave, None if form == "leave" else leave + 1)
    with pytest.raises(TargetError, match=f"compares {count} classes.*and this attack is about {classes}"):
        LOSSES["dlr"](aim).at_logits(np.zeros((2, classes)))


def sure_network(size):
    """TinyModel, whose largest logit is far ahead of the others."""
    model = TinyModel(seed=1)
    weights = model.weights("fc")
    return model._with_weights({"fc": {"kernel": size * weights["kernel"], "bias": size * weights["bias"]}})


def gradient(model, x, cotangent):
    """In the precision of `x`."""
    return model._linearize(x, (OUTPUT,), (INPUT,), {}).vjp({OUTPUT: cotangent.astype(x.dtype)})[INPUT]


def test_scaled_keeps_the_signs_that_plain_float32_loses():
    """On a network that is sure of its classes by 12 to 60 in the logits.

    Plain float32 subtracts 1 from a probability that rounds to it; against float64 more than 1 % of the signs are
    wrong, and with the scaled cotangent less than .1 %.
    """
    model, x = sure_network(150.0), np.random.default_rng(0).random((40, 3, 8, 8), dtype=np.float32)
    z = model._run(x.astype(np.float64), {})[OUTPUT]
    ahead = np.sort(z, axis=1)[:, -1] - np.sort(z, axis=1)[:, -2]
    x, z = (each[(ahead > 12) & (ahead < 60)] for each in (x, z))
    assert len(x) > 10
    aim = Aim(model.output, z.argmax(axis=1))
    one_hot = np.eye(5)[aim.leave]
    others = np.exp(z - z.max(axis=1, keepdims=True)) * (1 - one_hot)
    exact = others / (1 + others.sum(axis=1, keepdims=True))
    exact = exact - one_hot * exact.sum(axis=1, keepdims=True)
    true = gradient(model, x.astype(np.float64), exact)
    activations = model._forward(x, (OUTPUT,), {})
    single = activations[OUTPUT]
    e = np.exp(single - single.max(axis=1, keepdims=True))
    plain = gradient(model, x, e / e.sum(axis=1, keepdims=True) - one_hot.astype(np.float32))
    ours = gradient(model, x, CrossEntropy(aim, scaled=True).cotangents(activations)[OUTPUT])
    wrong = [float((np.sign(each) != np.sign(true)).mean()) for each in (plain, ours)]
    assert wrong[0] > 0.01
    assert wrong[1] < 0.001
