"""Objectives that make pictures: values and cotangents against the formulas in torch float64 and its autograd."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError, TargetError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import (
    channel,
    direction,
    diversity,
    each,
    interpolate,
    layer,
    logit,
    negative,
    norm,
    preactivation,
    probability,
    random_direction,
    total_variation,
)
from crosslens.testing import TinyModel

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


def alike(a, b):
    g, h = gram(a).ravel(), gram(b).ravel()
    return (g @ h) / (g.norm() * h.norm())


def diversity_from_the_article(batch):
    """Olah et al. 2017: minus the cosines of pairs of Gram matrices; here the mean over the others, by image."""
    n = len(batch)
    return torch.stack([-sum(alike(batch[i], batch[j]) for j in range(n) if j != i) / (n - 1) for i in range(n)])


def powered(batch, v, power):
    """Lucid's direction_cossim: dot * max(0.1, cosine)^power at each position, then the mean."""
    v = torch.tensor(v)
    values = []
    for a in batch:
        columns = a.reshape(a.shape[0], -1).T
        at = [(c @ v) * torch.clamp((c @ v) / (c.norm() * v.norm()), min=0.1) ** power for c in columns]
        values.append(torch.stack(at).mean())
    return torch.stack(values)


def transposed(tokens):
    return tokens.transpose(1, 2)


CASES = {
    "diversity": (diversity("maps"), lambda h: diversity_from_the_article(h["maps"])),
    "diversity of tokens": (diversity("tokens"), lambda h: diversity_from_the_article(transposed(h["tokens"]))),
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
    "cosine": (direction("maps", V, 2.0), lambda h: powered(h["maps"], V, 2.0)),
    "cosine of tokens": (direction("tokens", V, 3.5), lambda h: powered(transposed(h["tokens"]), V, 3.5)),
    "cosine to the power of one": (direction("maps", V, 1.0), lambda h: powered(h["maps"], V, 1.0)),
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


def test_a_random_direction_is_the_same_everywhere_and_of_length_one():
    found = np.stack([random_direction("maps", seed).cotangents(HERE)["maps"][0, :, 0, 0] * 30 for seed in range(500)])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert np.abs(found.mean(axis=0)).max() < 0.1  # no axis is preferred
    assert random_direction("maps", 3) == random_direction("maps", 3)


def test_a_picture_alone_is_neither_alike_nor_different():
    one = {"maps": HERE["maps"][:1]}
    assert diversity("maps").value(one) == [0]
    assert not diversity("maps").cotangents(one)["maps"].any()


def test_a_dead_layer_has_nothing_in_common_with_any():
    dead = {"maps": np.concatenate([np.zeros((1, 4, 5, 6)), HERE["maps"][:1]])}
    assert not diversity("maps").value(dead).any()
    assert np.isfinite(diversity("maps").cotangents(dead)["maps"]).all()
    assert np.isfinite(direction("maps", V, 2.0).cotangents(dead)["maps"]).all()


def test_selecting_images_selects_their_objectives():
    three = CASES["another for each"][0]
    assert three.count == 3
    second = {key: value[1:2] for key, value in HERE.items()}
    np.testing.assert_allclose(three.select(1, 2).value(second), three.value(HERE)[1:2])
    last = {key: value[1:] for key, value in HERE.items()}
    np.testing.assert_allclose(three.select(1, 3).value(last), three.value(HERE)[1:])


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (lambda: each([]), TargetError, "at least one objective, each for a single image; 0 were given"),
        (lambda: each([logit([1, 2])]), TargetError, r"1 were given, .* is for 2 images"),
        (
            lambda: each([logit(1)] * 2).value(HERE),
            TargetError,
            "2 objectives for 3 images; give one for each image",
        ),
        (
            lambda: (each([logit(1)] * 2) + logit([1, 2, 3])).count,
            TargetError,
            "are for different numbers of images: 2 and 3",
        ),
        (
            lambda: diversity("maps").select(0, 1),
            TargetError,
            "compares the images of a batch with each other, so a batch must not be split",
        ),
        (lambda: direction("maps", [1.0]).value(HERE), LayerError, r"the direction has shape \(1,\); layer 'maps' has"),
    ],
)
def test_what_cannot_be_is_refused_in_words(wrong, kind, message):
    with pytest.raises(kind, match=message):
        wrong()


def test_the_negative_of_a_rectified_unit_is_that_of_the_layer_before_its_rectifier():
    model = TinyModel(relu=True)
    assert preactivation(model, "act2") == "conv2"
    assert preactivation(model, "conv2") == "conv2"
    objective = negative(model, "act2", 3)
    x = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    found = model.forward(x, ["conv2"])
    np.testing.assert_allclose(objective.value(found), -found["conv2"][:, 3].mean(axis=(1, 2)), rtol=1e-6)


def test_a_unit_without_a_layer_before_its_rectifier_is_refused():
    class Fused(TinyModel):
        @property
        def layers(self):
            return {name: made for name, made in super().layers.items() if name != "conv2"}

    with pytest.raises(LayerError, match="layer 'act2' has no negative values, and no layer holds the values before"):
        negative(Fused(relu=True), "act2", 3)


@pytest.mark.parametrize("cap", [None, 0.2])
def test_a_capped_rectifier_is_one(cap):
    class Capped(TinyModel):
        def _run(self, x, replace):
            found = super()._run(x, replace)
            return {**found, "act1": np.clip(found["conv1"], 0, cap)}

    assert preactivation(Capped(relu=True), "act1") == "conv1"


def test_a_diversity_is_weighed_and_added_as_any_objective():
    """The algebra takes a batch's objective as any other."""
    both = logit(1) + 2 * diversity("maps")
    np.testing.assert_allclose(both.value(HERE), HERE[OUTPUT][:, 1] + 2 * diversity("maps").value(HERE), rtol=1e-12)
