"""The square attack: the paper's schedule and squares, written slowly; the ball; queries; no gradients."""

from math import sqrt

import crosslens
import numpy as np
import pytest
from crosslens import method
from crosslens.arrays import as_numpy
from crosslens.methods.adversarial._bumps import bump, two_bumps
from crosslens.methods.adversarial._squares import covered_share, side_of

from tests.conformance.plans import images
from tests.conformance.zoo import net

from .without_gradients import Classifier, affine

EPS = {"linf": 0.1, "l2": 0.7}


def seen(norm, count=60, **settings):
    """The images, and all pictures that a network of one number per picture is asked about, in order."""
    asked, rng = [], np.random.default_rng(1)
    w = rng.normal(size=(3, 9, 7))

    def logits(x):
        asked.extend(x)
        z = np.tensordot(x, w, axes=3) - 1000
        return np.stack([np.zeros_like(z), z], axis=1)

    x = rng.random((1, 3, 9, 7), np.float32)
    x[0, 0, :4] = 0.0
    x[0, 1, 2:] = 1.0
    method("square", eps=EPS[norm], norm=norm, queries=count, **settings)(Classifier(logits, x.shape[1:]), x, 0)
    return x[0].astype(float), after(asked, x[0], count), w


def after(asked, image, count):
    """The pictures asked about after the image itself; before it a network is probed."""
    start = next(n for n, each in enumerate(asked) if (each == image).all()) + 1
    return asked[start : start + count]


def test_the_share_is_halved_as_in_the_paper():
    """Section 4: p is halved at iterations 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 of 10,000."""
    table = {0: 1, 10: 1, 11: 2, 50: 2, 51: 4, 200: 4, 201: 8, 500: 8, 501: 16, 1000: 16, 1001: 32, 2000: 32, 2001: 64}
    table |= {4000: 64, 4001: 128, 6000: 128, 6001: 256, 8000: 256, 8001: 512, 9999: 512}
    for iteration, divisor in table.items():
        assert covered_share(0.8, iteration, 10_000) == 0.8 / divisor
    for count in (100, 1000, 5000):  # rescaled: the same share at the same part of the way
        for part in (0, 3, 10, 40, 60, 99):
            assert covered_share(0.8, part * count // 100, count) == covered_share(0.8, part * 100, 10_000)


def test_squares_are_as_large_as_the_paper_says():
    """round(sqrt(p w^2)); of 28 pixels and p = 0.8: 25 at first, 1 in the end."""
    sides = [side_of(0.8 / 2**halvings, (28, 28)) for halvings in range(10)]
    assert sides == [25, 18, 13, 9, 6, 4, 3, 2, 2, 1]
    assert side_of(0.05, (224, 224)) == 50
    assert side_of(1.0, (6, 9)) == 6  # no larger than the image


def bump_of_the_paper(h1, h2):
    """Section 3.4, with indices from 1, as there; h1 is the longer side."""
    n, eta = h1 // 2, np.zeros((h1, h2))
    for r in range(1, h1 + 1):
        for s in range(1, h2 + 1):
            m = n - max(abs(r - h1 // 2 - 1), abs(s - h2 // 2 - 1))
            for k in range(m + 1):
                eta[r - 1, s - 1] += 1 / (n + 1 - k) ** 2
    return eta


@pytest.mark.parametrize(("h1", "h2"), [(7, 3), (8, 4), (9, 4), (5, 5), (3, 1)])
def test_bumps_are_the_papers(h1, h2):
    np.testing.assert_allclose(bump(h1, h2), bump_of_the_paper(h1, h2))
    np.testing.assert_allclose(bump(h2, h1), bump_of_the_paper(h1, h2).T)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8])
def test_the_two_halves_of_a_square_have_opposite_signs_and_it_has_length_one(side):
    square = two_bumps(side)
    assert (square[: side // 2] > 0).all()
    assert (square[side // 2 :] < 0).all()
    assert (square**2).sum() == pytest.approx(1)


@pytest.mark.parametrize("norm", EPS)
def test_every_picture_asked_about_is_in_the_ball_and_the_bounds(norm):
    x, pictures, _ = seen(norm)
    assert len(pictures) == 60
    for picture in pictures:
        change = picture - x
        length = np.abs(change).max() if norm == "linf" else sqrt((change**2).sum())
        assert length <= EPS[norm] * (1 + (0 if norm == "linf" else 1e-6))
        assert picture.min() >= 0
        assert picture.max() <= 1


def window_of(difference):
    """(top, bottom, left, right) of where an array (C, H, W) is not zero, both ends included."""
    rows, columns = (np.flatnonzero((difference != 0).any(axis=axes)) for axes in ((0, 2), (0, 1)))
    return rows[0], rows[-1], columns[0], columns[-1]


def test_linf_changes_one_square_of_the_best_picture_to_the_corners():
    """Algorithms 1 and 2, replayed: margins decide, a channel of the square has one sign."""
    x, pictures, w = seen("linf")
    low, high = np.maximum(x - EPS["linf"], 0), np.minimum(x + EPS["linf"], 1)
    first = pictures[0]
    for column in range(x.shape[2]):
        for c in range(3):
            one_sign = [np.allclose(first[c, :, column], corner[c, :, column]) for corner in (low, high)]
            assert any(one_sign)
    best, changed = first, 0
    for iteration, picture in enumerate(pictures[1:]):
        top, bottom, left, right = window_of(picture - best)
        side = max(1, round(sqrt(covered_share(0.8, iteration, 60) * 9 * 7)))
        assert max(bottom - top, right - left) + 1 <= min(side, 7)
        for c in range(3):
            window = np.s_[c, top : bottom + 1, left : right + 1]
            assert any(np.allclose(picture[window], corner[window], atol=1e-6) for corner in (low, high))
        if (w * picture).sum() > (w * best).sum():
            best, changed = picture, changed + 1
    assert changed > 5


def test_l2_keeps_the_length_and_moves_it_into_the_square():
    """Algorithm 3, replayed far from the bounds: the change keeps the length eps; two squares of it change."""
    rng, asked = np.random.default_rng(2), []
    w = rng.normal(size=(2, 12, 12))

    def logits(x):
        asked.extend(x)
        z = np.tensordot(x, w, axes=3) - 1000
        return np.stack([np.zeros_like(z), z], axis=1)

    x = np.full((1, 2, 12, 12), 0.5, np.float32)
    method("square", eps=0.4, norm="l2", queries=40)(Classifier(logits, (2, 12, 12)), x, 0)
    pictures = after(asked, x[0], 40)
    best = pictures[0] - 0.5
    for iteration, picture in enumerate(pictures[1:]):
        change = picture - 0.5
        assert sqrt((change**2).sum()) == pytest.approx(0.4, rel=1e-5)
        side = max(3, round(sqrt(covered_share(0.8, iteration, 40) * 144)))
        side = min(side + (side % 2 == 0), 12)
        kept = np.abs(change - best) < 1e-6
        assert (~kept).any(axis=0).sum() <= 2 * side**2
        if (w * change).sum() > (w * best).sum():
            best = change


def test_the_attack_finds_what_the_ball_holds_and_nothing_where_it_holds_nothing():
    """On an affine network the furthest corner of the ball shows whether there is a picture that fools."""
    rng = np.random.default_rng(3)
    w, x = rng.normal(size=(1, 5, 5)), rng.uniform(0.3, 0.7, (1, 1, 5, 5)).astype(np.float32)
    reach = 0.1 * np.abs(w).sum()
    for margin, fooled in ((0.6 * reach, True), (1.01 * reach, False)):
        model = affine(w, -(w * x).sum() + margin)  # class 1 by this margin
        result = method("square", eps=0.1, queries=400)(model, x)
        assert result.success[0] == fooled
        assert (result.queries[0] == 401) == (not fooled)
        assert result.gradients[0] == 0
        notes = " ".join(result.notes)
        assert ("does not show that there is nothing" in notes) == (not fooled)


def test_a_class_is_reached_where_it_is_named():
    rng = np.random.default_rng(4)
    w, x = rng.normal(size=(4, 1, 6, 6)), rng.uniform(0.2, 0.8, (3, 1, 6, 6)).astype(np.float32)
    model = Classifier(lambda x: np.tensordot(x, w, axes=((1, 2, 3), (1, 2, 3))), (1, 6, 6), 4)
    first = model._logits(x).argmax(axis=1)
    wanted = tuple(int(each) for each in (first + 1) % 4)
    result = method("square", eps=0.5, queries=500, towards=wanted)(model, x)
    assert result.success.all()
    assert result.classes[:, 1].tolist() == list(wanted)


def test_restarts_draw_other_squares_and_are_counted():
    model, x = affine(np.ones((1, 4, 4)), 100.0), np.full((1, 1, 4, 4), 0.5, np.float32)
    result = method("square", eps=0.1, queries=10, restarts=3)(model, x)
    assert result.queries.tolist() == [31]
    assert not result.success[0]


@pytest.mark.parametrize("norm", EPS)
def test_an_image_gives_the_same_alone_and_among_others(norm):
    rng = np.random.default_rng(5)
    w, x = rng.normal(size=(3, 6, 6)), rng.random((4, 3, 6, 6), np.float32)
    attack = method("square", eps=EPS[norm], norm=norm, queries=50, seed=7)
    model = affine(w, -(w * x[2]).sum() + 1.0)
    together = attack(model, x)
    for n in range(4):
        alone = attack(model, x[n : n + 1])
        np.testing.assert_array_equal(together.images[n], alone.images[0])
        assert together.queries[n] == alone.queries[0]
    other = method("square", eps=EPS[norm], norm=norm, queries=50, seed=8)(model, x)
    assert (other.images != together.images).any()


@pytest.mark.parametrize("norm", EPS)
def test_three_backends_give_the_same_pictures(norm):
    x, _ = images()
    results = [
        method("square", eps=EPS[norm], norm=norm, queries=25)(net(backend, "smooth").model, x, 2)
        for backend in ("torch", "keras", "onnx")
    ]
    for other in results[1:]:
        np.testing.assert_allclose(as_numpy(other.images), as_numpy(results[0].images), atol=1e-6)
        np.testing.assert_array_equal(other.queries, results[0].queries)


def test_networks_of_one_number_and_of_probabilities():
    """A sigmoid's probability, two probabilities, and independent ones: the margin is that of their logits."""
    rng = np.random.default_rng(6)
    w, x = rng.normal(size=(1, 5, 5)), rng.uniform(0.3, 0.7, (1, 1, 5, 5)).astype(np.float32)
    margin, start = 0.4 * np.abs(w).sum() * 0.1, x[0].astype(float)

    def z(x):
        return np.tensordot(x, w, axes=3)[:, None] - (w * start).sum() + margin

    one = Classifier(lambda x: 1 / (1 + np.exp(-z(x))), (1, 5, 5), 1, "probabilities")
    several = Classifier(
        lambda x: 1 / (1 + np.exp(-np.concatenate([z(x), 0 * z(x) - 3], 1))), (1, 5, 5), 2, "independent"
    )
    for model, target in ((one, None), (several, 0)):
        result = crosslens.method("square", eps=0.1, queries=300)(model, x, target)
        assert result.success[0], model.output
