"""Values and cotangents against the papers' formulas in torch float64, and its automatic differentiation."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import (
    channel,
    direction,
    diversity,
    each,
    interpolate,
    layer,
    logit,
    norm,
    probability,
    total_variation,
)

torch = pytest.importorskip("torch")


RNG = np.random.default_rng(5)


HERE = {
    "maps": RNG.normal(size=(3, 4, 5, 6)),
    "tokens": RNG.normal(size=(3, 6, 4)),
    INPUT: RNG.random((3, 3, 5, 6)),
    OUTPUT: RNG.normal(size=(3, 5)),
}


V = RNG.normal(size=4)


def gram(a):
    flat = a.reshape(a.shape[0], -1)
    return flat @ flat.T


def gram_cosine(a, b):
    g, h = gram(a).ravel(), gram(b).ravel()
    return (g @ h) / (g.norm() * h.norm())


def diversity_from_the_article(batch):
    """Olah et al. 2017: minus the cosines of pairs of Gram matrices; here the mean over the others, by image."""
    n = len(batch)
    return torch.stack([-sum(gram_cosine(batch[i], batch[j]) for j in range(n) if j != i) / (n - 1) for i in range(n)])


def cosine_powers(batch, v, power):
    """Lucid's direction_cossim: dot * max(0.1, cosine)^power at each position, then the mean."""
    v = torch.tensor(v)
    values = []
    for a in batch:
        columns = a.reshape(a.shape[0], -1).T
        at = [(c @ v) * torch.clamp((c @ v) / (c.norm() * v.norm()), min=0.1) ** power for c in columns]
        values.append(torch.stack(at).mean())
    return torch.stack(values)


def channels_first(tokens):
    return tokens.transpose(1, 2)


CASES = {
    "diversity": (diversity("maps"), lambda h: diversity_from_the_article(h["maps"])),
    "diversity of tokens": (diversity("tokens"), lambda h: diversity_from_the_article(channels_first(h["tokens"]))),
    "interpolation": (
        interpolate("maps", 1, 3, 0.25),
        lambda h: 0.75 * h["maps"][:, 1].mean((1, 2)) + 0.25 * h["maps"][:, 3].mean((1, 2)),
    ),
    "strip": (
        interpolate("maps", 1, 3, [0.0, 0.5, 1.0]),
        lambda h: torch.stack(
            [(1 - t) * h["maps"][n, 1].mean() + t * h["maps"][n, 3].mean() for n, t in enumerate([0.0, 0.5, 1.0])]
        ),
    ),
    "direction": (direction("maps", V), lambda h: torch.einsum("nchw,c->n", h["maps"], torch.tensor(V)) / 30),
    "cosine": (direction("maps", V, 2.0), lambda h: cosine_powers(h["maps"], V, 2.0)),
    "cosine of tokens": (direction("tokens", V, 3.5), lambda h: cosine_powers(channels_first(h["tokens"]), V, 3.5)),
    "cosine to the power of one": (direction("maps", V, 1.0), lambda h: cosine_powers(h["maps"], V, 1.0)),
    "several units": (
        channel("maps", 0) + channel("maps", 2) - channel("tokens", 1),
        lambda h: (h["maps"][:, 0] + h["maps"][:, 2]).mean((1, 2)) - h["tokens"][..., 1].mean(1),
    ),
    "another for each": (
        each([logit(2), channel("maps", 1), layer("tokens") - probability(0)]),
        lambda h: torch.stack(
            [
                h[OUTPUT][0, 2],
                h["maps"][1, 1].mean(),
                (h["tokens"][2] ** 2).sum() - torch.softmax(h[OUTPUT][2], 0)[0],
            ]
        ),
    ),
    "probability": (probability([4, 0, 1]), lambda h: torch.softmax(h[OUTPUT], 1)[[0, 1, 2], [4, 0, 1]]),
    "alpha-norm": (norm(6, centre=0.5), lambda h: ((h[INPUT] - 0.5) ** 6).sum((1, 2, 3))),
    "L1": (norm(1, "maps"), lambda h: h["maps"].abs().sum((1, 2, 3))),
    "L2": (norm(2), lambda h: (h[INPUT] ** 2).sum((1, 2, 3))),
    "TV to the power of 1.5": (
        total_variation(3, "maps"),
        lambda h: sum_of_powers(h["maps"], 1.5),
    ),
}


def sum_of_powers(x, power):
    right, below = torch.zeros_like(x), torch.zeros_like(x)
    right[..., :-1] = x[..., 1:] - x[..., :-1]
    below[..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    return ((right**2 + below**2 + 1e-300) ** power).sum((1, 2, 3))


@pytest.mark.parametrize("name", CASES)
def test_value_and_cotangents_are_those_of_torch_autograd_in_float64(name):
    objective, formula = CASES[name]
    there = {key: torch.tensor(value, requires_grad=True) for key, value in HERE.items()}
    value = formula(there)
    value.sum().backward()
    np.testing.assert_allclose(objective.value(HERE), value.detach().numpy(), rtol=1e-10)
    got = objective.cotangents(HERE)
    assert set(got) == set(objective.layers)
    for where, gradient in got.items():
        np.testing.assert_allclose(gradient, there[where].grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_any_array_namespace_gives_what_numpy_gives(name):
    objective, _ = CASES[name]
    there = {key: strict.asarray(value) for key, value in HERE.items()}
    np.testing.assert_allclose(as_numpy(objective.value(there)), objective.value(HERE), rtol=1e-12)
    for where, gradient in objective.cotangents(there).items():
        np.testing.assert_allclose(as_numpy(gradient), objective.cotangents(HERE)[where], rtol=1e-12)
