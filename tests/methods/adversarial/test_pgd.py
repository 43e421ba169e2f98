"""Projected gradient descent against its papers' equations, one step at a time; momentum, restarts, starts."""

import crosslens
import numpy as np
import pytest
from crosslens.testing.tiny import TinyModel

EPS = {"linf": 0.02, "l2": 0.2, "l1": 0.25}


@pytest.fixture(scope="module")
def model():
    """Smooth, so that no gradient's sign hangs on rounding."""
    return TinyModel(seed=1)


@pytest.fixture(scope="module")
def images():
    """Away from the bounds, which cut nothing off."""
    return np.random.default_rng(0).uniform(0.3, 0.7, (8, 3, 8, 8)).astype(np.float32)


def cross_entropy_gradient(model, x, y):
    """(1, C, H, W), by the softmax's p - onehot(y)."""
    z = model.forward(x)["<output>"].astype(float)
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    with model.linearize(x, ["<output>"]) as at:
        gradient = at.last_vjp({"<output>": (p - np.eye(5)[[y]]).astype(np.float32)})["<input>"]
    return gradient.astype(float)


def steepest(g, norm):
    if norm == "linf":
        return np.sign(g)
    if norm == "l2":
        return g / np.sqrt((g**2).sum())
    largest = abs(g) >= np.sort(abs(g).ravel())[-max(1, int(0.01 * g.size))]
    return np.sign(g) * largest / largest.sum()


def onto_ball(d, norm, eps):
    if norm == "linf":
        return np.clip(d, -eps, eps)
    if norm == "l2":
        return d * min(1, eps / max(np.sqrt((d**2).sum()), 1e-30))
    if abs(d).sum() <= eps:
        return d
    u = np.sort(abs(d).ravel())[::-1]
    over = (np.cumsum(u) - eps) / np.arange(1, u.size + 1)
    return np.sign(d) * np.maximum(abs(d) - over[np.flatnonzero(u > over)[-1]], 0)


def margin(model, x, y):
    z = model.forward(x)["<output>"][0].astype(float)
    return z[y] - np.delete(z, y).max()


def by_equations(model, image, norm, eps, step, steps, momentum=0.0):
    """Madry et al., 2018, section 2.1, from the image itself; with a momentum Dong et al., 2018, equations 6 and 7.

    Of the pictures on the way the first that is of another class, or the one that is nearest to being it.
    """
    x, mean, y = image.astype(float), 0.0, model.forward(image)["<output>"].argmax()
    path = [image]
    for _ in range(steps):
        g = cross_entropy_gradient(model, path[-1], y)
        mean = momentum * mean + g / abs(g).sum()
        x = np.clip(image + onto_ball(x + step * steepest(mean, norm) - image, norm, eps), 0, 1)
        path.append(x.astype(np.float32))
    margins = [margin(model, each, y) for each in path]
    fooling = [n for n, each in enumerate(margins) if each < 0]
    return path[fooling[0]] if fooling else path[int(np.argmin(margins))]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("norm", EPS)
def test_steps_are_the_papers(model, images, norm, momentum):
    eps, steps = EPS[norm], 5
    attack = crosslens.method(
        "pgd", eps=eps, norm=norm, steps=steps, step_size=eps / 3, momentum=momentum, random_start=False
    )
    result = attack(model, images)
    assert (result.distance > 0.3 * eps).sum() > 5
    for n in range(8):
        expected = by_equations(model, images[n : n + 1], norm, eps, eps / 3, steps, momentum)
        np.testing.assert_allclose(result.images[n], expected[0], atol=2e-6, err_msg=f"image {n}")


def test_momentum_is_obeyed(model, images):
    options = {"eps": 0.05, "steps": 6, "random_start": False, "step_size": 0.02}
    plain, moving = (crosslens.method("pgd", **options, momentum=m)(model, images).images for m in (0.0, 1.0))
    assert (plain != moving).any()


def test_restarts_are_of_images_that_are_not_fooled_and_start_elsewhere(images):
    model = TinyModel(relu=True, seed=1)
    options = {"eps": 0.03, "steps": 4}
    once, thrice = (crosslens.method("pgd", **options, restarts=n)(model, images) for n in (1, 3))
    assert once.success.sum() <= thrice.success.sum() < 8
    np.testing.assert_array_equal(thrice.images[once.success], once.images[once.success])
    assert thrice.gradients[once.success].tolist() == once.gradients[once.success].tolist()
    assert thrice.gradients[~thrice.success].tolist() == [12] * int((~thrice.success).sum())
    starts = thrice.history[[0, 5, 10]][:, ~thrice.success]
    assert (np.diff(starts, axis=0) <= 0).all()


@pytest.mark.parametrize("norm", EPS)
def test_a_random_start_lies_in_the_ball_and_follows_the_seed(model, images, norm):
    """With steps of almost no length the pictures are their starts."""
    options = {"eps": EPS[norm], "norm": norm, "steps": 1, "step_size": 1e-9, "loss": "margin"}
    one, again, other = (crosslens.method("pgd", **options, seed=seed)(model, images) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.images, again.images)
    assert one.norms()[norm].max() <= EPS[norm] * (1 + 1e-6)
    moved = one.norms()[norm] > 0
    assert moved.any(), "pictures of a smaller margin than the image's are kept"
    assert (one.images[moved] != other.images[moved]).any()
