"""The boundary attack: the distance to a hyperplane, steps by the paper's geometry, starts, decisions alone."""

import numpy as np
import pytest
from crosslens import method
from crosslens.arrays import as_numpy
from crosslens.errors import ImageError, ParameterError
from crosslens.methods.adversarial._walk import Rates, Walk
from crosslens.objective.target import resolve_target
from PIL import Image

from tests.conformance.plans import images
from tests.conformance.zoo import net

from .without_gradients import Classifier, affine, argmax_alone


def hyperplane(shape, distance, seed=0):
    """An image of class 1, so far from the boundary of an affine network."""
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=shape), rng.uniform(0.35, 0.65, (1, *shape)).astype(np.float32)
    return affine(w, distance * np.linalg.norm(w) - (w * x).sum()), x


@pytest.mark.parametrize(("shape", "distance"), [((3, 4, 4), 0.2), ((1, 28, 28), 0.4)])
def test_it_ends_at_the_hyperplane_of_an_affine_network(shape, distance):
    """|w x + b| / |w| is the least distance there is; after half of the 25,000 steps it is within 5 %."""
    model, x = hyperplane(shape, distance)
    result = method("boundary", steps=12_500)(model, x)
    assert result.success[0]
    assert distance * (1 - 1e-6) <= result.distance[0] < 1.05 * distance
    assert result.gradients[0] == 0
    assert result.norm == "l2"


def test_steps_are_the_papers():
    """On the sphere around the image, at a right angle to the way there by Pythagoras; then a share of it nearer."""
    rng = np.random.default_rng(1)
    centres, x = (rng.uniform(0.4, 0.6, (2, 3, 5, 5)).astype(np.float32) for _ in range(2))
    generators = [np.random.default_rng(n) for n in range(2)]
    walk = Walk(centres, x, (0.0, 1.0), generators, (0.3, 0.02))
    on_sphere, tried = walk.proposals()
    for n in range(2):
        distance = np.linalg.norm(centres[n] - x[n])
        assert np.linalg.norm(centres[n] - on_sphere[n]) == pytest.approx(distance, rel=1e-5)
        assert np.linalg.norm(centres[n] - tried[n]) == pytest.approx(0.98 * distance, rel=1e-5)
        eta = np.random.default_rng(n).standard_normal((3, 5, 5), np.float32).astype(float)
        way = (centres[n] - x[n]).astype(float) / distance
        eta -= (eta * way).sum() * way
        eta *= 0.3 * distance / np.linalg.norm(eta)
        slowly = centres[n] + (eta + x[n] - centres[n]) / np.sqrt(1 + 0.3**2)
        np.testing.assert_allclose(on_sphere[n], slowly, atol=1e-6)


def test_steps_stay_within_the_bounds_and_never_lead_away():
    asked, rng = [], np.random.default_rng(2)
    w = rng.normal(size=(1, 6, 6))
    x = rng.choice([0.0, 1.0], (1, 1, 6, 6)).astype(np.float32)

    def logits(pictures):
        asked.extend(pictures)
        z = np.tensordot(pictures, w, axes=3) - (w * x).sum() + 1.0
        return np.stack([np.zeros_like(z), z], axis=1)

    model = Classifier(logits, (1, 6, 6))
    distances = [method("boundary", steps=steps)(model, x).distance[0] for steps in (1, 50, 400)]
    assert distances == sorted(distances, reverse=True)
    assert min(each.min() for each in asked) >= 0
    assert max(each.max() for each in asked) <= 1


def test_a_walk_goes_on_from_pictures_that_fool_and_are_nearer_alone():
    centres = np.zeros((3, 1, 1, 2), np.float32)
    walk = Walk(centres, centres + 0.5, None, [], (0.1, 0.1))
    tried = centres + np.float32([0.4, 0.6, 0.4]).reshape(3, 1, 1, 1)
    assert walk.accept(tried, np.array([True, True, False])).tolist() == [True, False, False]
    np.testing.assert_array_equal(walk.x[:, 0, 0, 0], np.float32([0.4, 0.5, 0.5]))
    np.testing.assert_allclose(walk.distance, np.sqrt(2) * np.array([0.4, 0.5, 0.5]))


def test_the_nearest_picture_that_fools_is_kept():
    model, x = hyperplane((1, 2, 2), 0.1)
    problem = method("boundary").problem(model, x, resolve_target(None, model, 1))
    for change in (0.3, 0.2, 0.4):
        problem.offer_found(x + np.float32(change), np.array([0]))
    np.testing.assert_array_equal(problem.best, x + np.float32(0.2))
    assert problem.distance[0] == pytest.approx(0.4, rel=1e-6)  # 0.2 in each of four numbers
    problem.offer_found(x[:0], np.zeros(0, np.int64))


def test_rates_shrink_and_grow_by_the_share_of_successes_and_start_anew():
    """Slowly: a list for each image."""
    rng, rates = np.random.default_rng(3), Rates(3, (0.2, 0.5, 8))
    lists = [[], [], []]
    for step in range(200):
        success = rng.random(3) < (0.1, 0.35, 0.8)
        wanted = []
        for n in range(3):
            lists[n] = [*lists[n], bool(success[n])][-8:]
            share = sum(lists[n]) / 8
            change = 0 if len(lists[n]) < 8 else 1 if share > 0.5 else -1 if share < 0.2 else 0
            lists[n] = [] if change else lists[n]
            wanted.append(change)
        np.testing.assert_array_equal(rates.add(success), wanted)
        if step == 120:
            rates.keep(np.arange(3))


def test_nothing_but_the_predicted_class_is_used():
    """A network that shows 1 for its class and 0 for all others gets the very same pictures."""
    rng = np.random.default_rng(4)
    w, x = rng.normal(size=(4, 3, 5, 5)), rng.random((3, 3, 5, 5), np.float32)
    model = Classifier(lambda x: np.tensordot(x - 0.5, w, axes=((1, 2, 3), (1, 2, 3))), (3, 5, 5), 4)
    attack = method("boundary", steps=60)
    full, blind = attack(model, x), attack(argmax_alone(model), x)
    np.testing.assert_array_equal(full.images, blind.images)
    np.testing.assert_array_equal(full.queries, blind.queries)
    assert full.success.all()


def test_queries_are_those_that_the_network_gets():
    """25 steps and two more for the sphere, ten halvings, noise, and the image itself; then the result's."""
    model, x = hyperplane((3, 4, 4), 0.01)
    method("boundary", steps=1)(model, x)
    before = model.asked
    result = method("boundary", steps=25)(model, x)
    noise = int(result.queries[0]) - (25 + 2 + 10 + 1)
    assert 1 <= noise < 20
    assert model.asked - before == result.queries[0] + 2  # the picture found, and the same in 8 bits


def test_a_start_that_is_not_found_fails_its_image_alone():
    """Noise is of class 1 to this network whatever it is, but for images whose first pixel is exactly white."""

    def logits(x):
        left = (x[:, 0, 0, 0] == 1.0).astype(float)
        return np.stack([left - 0.5 + 0 * x[:, 0, 0, 1], 0 * left], axis=1)

    model = Classifier(logits, (1, 4, 4))
    x = np.random.default_rng(5).uniform(0.2, 0.8, (3, 1, 4, 4)).astype(np.float32)
    x[1, 0, 0, 0] = 1.0  # of class 0, and all else is not
    result = method("boundary", steps=20, tries=12)(model, x)
    assert result.success.tolist() == [False, True, False]
    assert result.queries.tolist()[0] == result.queries.tolist()[2] == 13
    np.testing.assert_array_equal(result.images[[0, 2]], x[[0, 2]])
    assert any("no picture to start from was found for 2 of 3 images" in note for note in result.notes)
    start = x[1]
    given = method("boundary", steps=20, start=start)(model, x[[0, 2]])
    assert given.success.all()


def test_a_start_given_that_does_not_fool_fails_its_image_alone():
    model, x = hyperplane((3, 4, 4), 0.3)
    opposite = np.clip(x - 0.5 * np.sign(model.w), 0, 1).astype(np.float32)
    both = np.concatenate([x, x])
    result = method("boundary", steps=50, start=np.concatenate([opposite, x]))(model, both)
    assert result.success.tolist() == [True, False]
    assert result.queries[1] == 2
    assert any("no picture to start from was found for 1 of 2 images" in note for note in result.notes)


def test_a_start_may_be_a_file_or_several_or_of_other_bounds(tmp_path):
    model, x = hyperplane((3, 4, 4), 0.3)
    white = np.round(255 * np.clip(x[0] - 0.5 * np.sign(model.w), 0, 1)).astype(np.uint8)
    Image.fromarray(white.transpose(1, 2, 0)).save(tmp_path / "other.png")
    by_array = method("boundary", steps=30, start=white)(model, x)
    by_file = method("boundary", steps=30, start=str(tmp_path / "other.png"))(model, x)
    np.testing.assert_array_equal(by_array.images, by_file.images)
    assert by_file.success[0]
    two = f"{tmp_path}/other.png, {tmp_path}/other.png"
    both = method("boundary", steps=30, start=two)(model, np.concatenate([x, x]))
    np.testing.assert_array_equal(both.images[1], by_file.images[0])
    w = model.w / 255
    wide = affine(w, model.b, bounds=(0.0, 255.0))
    same = method("boundary", steps=30, start=white.astype(np.float32))(wide, 255 * x)
    np.testing.assert_allclose(same.images, 255 * by_array.images, atol=0.5)
    assert same.distance[0] == pytest.approx(by_array.distance[0], rel=1e-2)


@pytest.mark.parametrize(
    ("start", "error", "message"),
    [
        (
            np.zeros((3, 3, 4, 4), np.float32),
            ParameterError,
            "start holds 3 pictures for 1 image; give one for all of them, or one for each",
        ),
        (np.zeros((3, 5, 5), np.float32), ImageError, "5"),
        ("nowhere.png", ImageError, "nowhere.png"),
    ],
)
def test_a_start_that_is_no_picture_for_the_network_is_refused(start, error, message):
    model, x = hyperplane((3, 4, 4), 0.3)
    with pytest.raises(error, match=message):
        method("boundary", start=start)(model, x)


def test_a_class_to_reach_is_started_from_the_nearest_other_image_of_that_class():
    """Four classes in the quarters of two pixels: the walk ends at the nearest point of the quarter, which is known."""

    def logits(x):
        a, b = x[:, 0, 0, 0] - 0.5, x[:, 0, 0, 1] - 0.5
        return np.stack([-a - b, a - b, b - a, a + b], axis=1)

    model = Classifier(logits, (1, 1, 2), 4)
    x = np.float32([[0.3, 0.3], [0.8, 0.4], [0.4, 0.9], [0.9, 0.9], [0.6, 0.7]]).reshape(5, 1, 1, 2)
    result = method("boundary", steps=400, towards=3, tries=0)(model, x[:4])
    assert result.success.all()
    np.testing.assert_allclose(result.images[:3].reshape(3, 2), [[0.5, 0.5], [0.8, 0.5], [0.5, 0.9]], atol=0.01)
    assert result.distance[3] == 0
    assert any("is the one to reach before any change" in note for note in result.notes)
    alone = method("boundary", steps=50, towards=3, tries=0)(model, x[:1])
    assert not alone.success[0]
    assert any("no picture to start from" in note for note in alone.notes)


def test_an_image_gives_the_same_alone_and_among_others():
    rng = np.random.default_rng(6)
    w, x = rng.normal(size=(3, 5, 5)), rng.random((4, 3, 5, 5), np.float32)
    model = affine(w, -(w * 0.5).sum())
    attack = method("boundary", steps=80, seed=2)
    together = attack(model, x)
    for n in range(4):
        alone = attack(model, x[n : n + 1])
        np.testing.assert_array_equal(together.images[n], alone.images[0])
        assert together.queries[n] == alone.queries[0]
    assert (method("boundary", steps=80, seed=3)(model, x).images != together.images).any()


def test_three_backends_give_the_same_pictures():
    x, _ = images()
    results = [method("boundary", steps=40)(net(backend, "smooth").model, x) for backend in ("torch", "keras", "onnx")]
    for other in results[1:]:
        np.testing.assert_allclose(as_numpy(other.images), as_numpy(results[0].images), atol=1e-6)
        np.testing.assert_array_equal(other.queries, results[0].queries)


def test_an_image_is_done_when_its_steps_are_too_short():
    model, x = hyperplane((1, 2, 2), 0.2)
    result = method("boundary", convergence=1e-3)(model, x)
    assert result.queries[0] < 5000
    assert result.distance[0] < 1.05 * 0.2


@pytest.mark.filterwarnings("error")
def test_an_image_of_one_number_has_one_way_to_go():
    model, x = affine(np.ones((1, 1, 1)), -0.5), np.float32([0.1, 0.8]).reshape(2, 1, 1, 1)
    result = method("boundary", steps=200)(model, x)
    np.testing.assert_allclose(result.images.ravel(), [0.5, 0.5], atol=2e-3)
    assert result.success.all()
