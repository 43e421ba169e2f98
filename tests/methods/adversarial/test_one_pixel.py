"""The one-pixel attack against a search through all pixels and all values; how many pixels it changes; its queries."""

import numpy as np
import pytest
from crosslens import method
from crosslens.arrays import as_numpy
from crosslens.errors import ParameterError

from tests.conformance.plans import images
from tests.conformance.zoo import net

from .without_gradients import Classifier


def nonlinear(shape, seed, margin=0.0):
    """Two classes, the second ahead by a smooth function of each pixel, of which some matter far more than others."""
    rng = np.random.default_rng(seed)
    w, phase = rng.normal(size=shape) ** 3, rng.uniform(0, 6, shape)

    def logits(x):
        z = (w * np.sin(4 * x + phase)).sum(axis=(1, 2, 3)) + margin
        return np.stack([np.zeros_like(z), z], axis=1)

    return Classifier(logits, shape)


def every_single_pixel(x):
    """All pictures (H W 256, 1, H, W) that differ from one of a single channel in one pixel, by 255ths."""
    height, width = x.shape[-2:]
    pictures = np.repeat(x[None], height * width * 256, axis=0)
    n = np.arange(len(pictures))
    pictures[n, 0, n // 256 // width, n // 256 % width] = (n % 256) / 255
    return pictures


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_a_search_through_all_pixels_and_values_finds(seed):
    """Where one picture in some hundred fools, it is found; where none does, the nearest of all is what is returned."""
    x = np.random.default_rng(seed).integers(0, 256, (1, 1, 5, 5)).astype(np.float32) / np.float32(255)
    plain = nonlinear((1, 5, 5), seed)
    z = plain._logits(every_single_pixel(x[0]).astype(np.float64))[:, 1]
    some = -np.quantile(z, 0.005)
    result = method("one_pixel", population=60, generations=60)(nonlinear((1, 5, 5), seed, some), x, 1)
    assert result.success[0]
    none = -z.min() + 0.01
    result = method("one_pixel", population=60, generations=60)(nonlinear((1, 5, 5), seed, none), x, 1)
    assert not result.success[0]
    assert plain._logits(result.images.astype(np.float64))[0, 1] == pytest.approx(z.min(), abs=0.01 * np.ptp(z))


@pytest.mark.parametrize("pixels", [1, 3])
def test_no_more_pixels_change_than_were_asked_for_and_files_hold_their_values(pixels):
    x = np.random.default_rng(0).integers(0, 256, (3, 3, 6, 7)).astype(np.float32) / np.float32(255)
    asked = []
    model = nonlinear((3, 6, 7), 1, 50.0)
    inner, model._logits = model._logits, lambda x: (asked.extend(x), inner(x))[1]
    result = method("one_pixel", pixels=pixels, population=10, generations=3)(model, x, 1)
    changed = (result.images != x).any(axis=1).sum(axis=(1, 2))
    assert (changed <= pixels).all()
    assert changed.max() == pixels
    assert result.norm == "l0"
    np.testing.assert_array_equal(result.distance, changed)
    np.testing.assert_allclose(result.images * 255, np.round(result.images * 255), atol=1e-4)
    tried = [each for each in asked if min((each != one).any(axis=0).sum() for one in x) <= pixels]
    assert len(tried) >= 3 * 10 * 4


def test_queries_are_whole_generations_and_end_with_the_first_success():
    x = np.random.default_rng(2).random((3, 1, 5, 5), np.float32)
    for margin, generations in ((-100.0, 0), (100.0, 4)):
        model = nonlinear((1, 5, 5), 2, margin)
        target = None if margin > 0 else 1
        result = method("one_pixel", population=8, generations=3)(model, x, target)
        assert (result.queries == 1 + 8 * generations).all()
        assert (result.gradients == 0).all()
    model = nonlinear((1, 5, 5), 2, 0.0)
    before, result = model.asked, method("one_pixel", population=8, generations=50)(model, x)
    assert ((result.queries - 1) % 8 == 0).all()
    assert model.asked - before >= result.queries.sum()


def test_a_class_is_reached_where_it_is_named():
    rng = np.random.default_rng(4)
    w, x = rng.normal(size=(4, 3, 5, 5)), rng.random((3, 3, 5, 5), np.float32)
    model = Classifier(lambda x: np.tensordot(x, w, axes=((1, 2, 3), (1, 2, 3))), (3, 5, 5), 4)
    wanted = tuple(int(each) for each in (model._logits(x).argmax(axis=1) + 2) % 4)
    result = method("one_pixel", pixels=8, population=60, generations=40, towards=wanted)(model, x)
    assert result.success.all()
    assert result.classes[:, 1].tolist() == list(wanted)


def test_an_image_gives_the_same_alone_and_among_others():
    x = np.random.default_rng(5).random((4, 3, 6, 6), np.float32)
    model = nonlinear((3, 6, 6), 6, 1.0)
    attack = method("one_pixel", pixels=2, population=12, generations=5, seed=3)
    together = attack(model, x)
    for n in range(4):
        alone = attack(model, x[n : n + 1])
        np.testing.assert_array_equal(together.images[n], alone.images[0])
        assert together.queries[n] == alone.queries[0]


@pytest.mark.parametrize("preset", [None, "art"])
def test_three_backends_give_the_same_pictures(preset):
    x, _ = images()
    results = [
        method("one_pixel", preset=preset, pixels=2, population=10, generations=3)(net(backend, "smooth").model, x, 2)
        for backend in ("torch", "keras", "onnx")
    ]
    for other in results[1:]:
        np.testing.assert_allclose(as_numpy(other.images), as_numpy(results[0].images), atol=1e-6)
        np.testing.assert_array_equal(other.queries, results[0].queries)


def test_pictures_of_other_bounds_have_whole_steps_of_theirs():
    model = nonlinear((1, 4, 4), 7, 100.0)
    model.input = type(model.input)((1, 4, 4), (0.0, 255.0))
    x = np.random.default_rng(1).integers(0, 256, (1, 1, 4, 4)).astype(np.float32)
    result = method("one_pixel", pixels=2, population=8, generations=2)(model, x)
    changed = result.images != x
    assert changed.sum() == 2
    np.testing.assert_allclose(result.images, np.round(result.images), atol=1e-3)
    assert result.images.max() > 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pixels": 0}, "pixels is 0"),
        ({"pixels": 26}, "pixels is 26; these images have 25"),
        ({"population": 3}, "population is 3"),
        ({"mutation": (0.9, 0.5)}, "the first number must not be above the second"),
        ({"strategy": "best2"}, "rand1"),
    ],
)
def test_wrong_use_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        method("one_pixel", **wrong)(nonlinear((1, 5, 5), 0), np.zeros((1, 1, 5, 5), np.float32))
