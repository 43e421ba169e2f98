"""Steps whose length follows the loss, against the papers' algorithms written slowly, one image at a time."""

from math import ceil

import numpy as np
import pytest
from crosslens.attack import Ball, Evaluation
from crosslens.attack.auto_steps import HalvingSteps, SparseSteps, checkpoints, sparse_checkpoints

SHAPE, STEPS = (1, 4, 5), 60


class Waves:
    """A loss with many maxima, another one for each image."""

    def __init__(self, count):
        rng = np.random.default_rng(5)
        self.rate = rng.uniform(3, 12, (count, *SHAPE))
        self.phase = rng.uniform(0, 6, (count, *SHAPE))

    def at(self, n, x):
        angle = self.rate[n] * x.astype(float) + self.phase[n]
        return np.sin(angle).sum() / 7, (self.rate[n] * np.cos(angle) / 7).astype(np.float32)

    def evaluation(self, x, rows):
        losses, gradients = zip(*(self.at(n, each) for n, each in zip(rows, x, strict=True)), strict=True)
        return Evaluation(np.zeros((len(x), 2)), np.array(losses), np.stack(gradients))


def algorithm_1(loss, start, project, direction, eps, steps, rho=0.75, alpha=0.75):
    """All x(k) and all lengths of Croce and Hein (2020); at w_j the picture x(w_j) is the one that may be replaced."""
    share, points = [0.0, 0.22], []
    while share[-1] < 1 - 1e-9:
        points.append(ceil(round(share[-1] * steps, 6)))
        share.append(share[-1] + max(share[-1] - share[-2] - 0.03, 0.06))
    x, f, best, eta, etas, f_best_at = [start], [loss(start)[0]], start, 2 * eps, {0: 2 * eps}, {0: loss(start)[0]}
    visited, last_point = [start], 0
    for k in range(steps):
        if k in points:
            f_best_at[k] = max(f_best_at[last_point], *f[last_point : k + 1])
            rises = sum(f[i + 1] > f[i] for i in range(last_point, k))
            condition_1 = rises < rho * (k - last_point)
            condition_2 = etas[last_point] == eta and f_best_at[last_point] == f_best_at[k]
            etas[k] = eta
            if condition_1 or condition_2:
                eta /= 2
                x[k], f[k] = best, f_best_at[k]
            last_point = k
        z = project(x[k] + eta * direction(loss(x[k])[1]))
        if k == 0:
            x.append(z)
        else:
            x.append(project(x[k] + alpha * (z - x[k]) + (1 - alpha) * (x[k] - x[k - 1])))
        x[-1] = x[-1].astype(np.float32)
        f.append(loss(x[-1])[0])
        visited.append(x[-1])
        if f[-1] > loss(best)[0]:
            best = x[-1]
    return visited, best


def test_condition_2_looks_at_the_length_before_the_check():
    """The oracle's `etas` hold the length that led to each checkpoint: equal where nothing was halved at the last."""
    flat = lambda x: (1.0, np.zeros(1))  # noqa: E731
    seen = []
    algorithm_1(flat, np.zeros(1), lambda x: x, lambda g: seen.append(1) or g, 1.0, 30)
    assert len(seen) == 30


def run(rule, region, start, waves, steps, drop=None):
    """The pictures of all steps, (steps + 1, n, ...); image `drop` is left out after half of them."""
    x, rows, all_pictures = start, np.arange(len(start)), [start]
    for number in range(steps):
        at = waves.evaluation(x, rows)
        if number == steps // 2 and drop is not None:
            kept = np.flatnonzero(rows != drop)
            x, rows, region = x[kept], rows[kept], region.rows(kept)
            at = Evaluation(at.logits[kept], at.losses[kept], at.gradient[kept])
            rule.keep(kept)
        x = rule.step(region, x, at, number)
        all_pictures.append(x)
    return all_pictures


@pytest.fixture
def images():
    return np.random.default_rng(2).random((4, *SHAPE), dtype=np.float32)


def linf(centre, eps):
    return lambda x: np.clip(np.clip(x, centre - eps, centre + eps), 0, 1), np.sign


def l2(centre, eps):
    def project(x):
        d = x.astype(float) - centre
        return centre + d * min(1, eps / max(np.linalg.norm(d), 1e-30))

    return project, lambda g: g / np.linalg.norm(g)


@pytest.mark.parametrize(("norm", "made", "eps"), [("linf", linf, 0.12), ("l2", l2, 0.5)])
@pytest.mark.parametrize("rho", [0.75, 0.4])
def test_halving_steps_are_algorithm_1(images, norm, made, eps, rho):
    waves = Waves(len(images))
    region = Ball(norm, eps).around(images, (0.0, 1.0) if norm == "linf" else None)
    got = run(HalvingSteps(STEPS, rho), region, images, waves, STEPS)
    for n, image in enumerate(images):
        project, direction = made(image, eps)
        expected, _ = algorithm_1(lambda x, n=n: waves.at(n, x), image, project, direction, eps, STEPS, rho)
        for step in range(STEPS + 1):
            np.testing.assert_allclose(got[step][n], expected[step], atol=2e-5, err_msg=f"image {n}, step {step}")


def slide_steps(loss, centre, start, eps, steps, share):
    """Croce and Hein (2021), algorithm 1, in a ball that no bound cuts: all pictures and the lengths."""
    x, best, eta, changed, visited, lengths = start, start, eps, centre.size, [start], []
    every = ceil(0.04 * steps)
    for k in range(steps):
        if loss(x)[0] > loss(best)[0]:
            best = x
        if k and k % every == 0:
            now = int((best != centre).sum())
            if now < 0.95 * changed:
                eta, x = eps, best
            else:
                eta = max(eta / 1.5, eps / 10)
            share, changed = now / centre.size / 1.5, now
        g = loss(x)[1].ravel()
        largest = np.argsort(-abs(g))[: max(1, ceil(round(share * g.size, 6)))]
        s = np.zeros(g.size)
        s[largest] = np.sign(g[largest]) / len(largest)
        x = l1_projection(x.astype(float) + eta * s.reshape(x.shape), centre.astype(float), eps).astype(np.float32)
        visited.append(x)
        lengths.append(eta)
    return visited, lengths


def l1_projection(x, centre, eps):
    """Onto the L1 ball: the threshold among the sorted magnitudes (Duchi et al., 2008, figure 1)."""
    d = (x - centre).ravel()
    if abs(d).sum() <= eps:
        return x
    u = np.sort(abs(d))[::-1]
    over = np.cumsum(u) - eps
    last = np.flatnonzero(u - over / np.arange(1, u.size + 1) > 0)[-1]
    return centre + (np.sign(d) * np.maximum(abs(d) - over[last] / (last + 1), 0)).reshape(x.shape)


def test_sparse_steps_are_the_algorithm_for_l1(images):
    """From a random start, so that no two changes are equal, of which rounding would choose one."""
    waves, eps = Waves(len(images)), 0.6
    rule, region = SparseSteps(STEPS), Ball("l1", eps).around(images, None)
    start = region.random([np.random.default_rng(n) for n in range(4)])
    got = run(rule, region, start, waves, STEPS)
    for n, image in enumerate(images):
        expected, lengths = slide_steps(lambda x, n=n: waves.at(n, x), image, start[n], eps, STEPS, 0.2)
        for step in range(STEPS + 1):
            np.testing.assert_allclose(got[step][n], expected[step], atol=2e-5, err_msg=f"image {n}, step {step}")
        assert rule.length[n] == pytest.approx(lengths[-1])


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_never_leaves_ball_and_box_and_the_best_loss_never_falls(images, norm):
    eps = {"linf": 0.2, "l2": 0.8, "l1": 1.5}[norm]
    rule = SparseSteps(STEPS) if norm == "l1" else HalvingSteps(STEPS)
    waves, region = Waves(len(images)), Ball(norm, eps).around(images)
    x, best = region.random([np.random.default_rng(n) for n in range(4)]), []
    for number in range(STEPS):
        x = rule.step(region, x, waves.evaluation(x, range(4)), number)
        d = (x.astype(float) - images).reshape(4, -1)
        size = {"linf": abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": abs(d).sum(1)}[norm]
        assert size.max() <= eps * (1 + 1e-6)
        assert x.min() >= 0
        assert x.max() <= 1
        best.append(rule.best_loss)
        np.testing.assert_allclose(rule.best_loss, waves.evaluation(rule.best, range(4)).losses)
    assert (np.diff(best, axis=0) >= 0).all()


@pytest.mark.parametrize("rule", [HalvingSteps, SparseSteps])
def test_an_image_that_is_dropped_changes_nothing_for_the_others(images, rule):
    waves, region = Waves(len(images)), Ball("linf", 0.12).around(images)
    together = run(rule(STEPS), region, images, waves, STEPS)
    dropped = run(rule(STEPS), region, images, waves, STEPS, drop=1)
    np.testing.assert_array_equal(dropped[-1], together[-1][[0, 2, 3]])


def test_checkpoints_of_few_steps_are_whole_and_increase():
    assert checkpoints(100) == (22, 41, 57, 70, 80, 87, 93, 99)
    assert checkpoints(10) == (3, 5, 6, 7, 8, 9, 10)
    assert checkpoints(1) == (1,)
    assert sparse_checkpoints(100)[:3] == (4, 8, 12)
    assert sparse_checkpoints(5) == (1, 2, 3, 4)
