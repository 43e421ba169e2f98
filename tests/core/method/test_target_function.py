"""The target of one image as a function of a layer's activation, against the network run as a whole."""

import numpy as np
from crosslens.method.target_function import batch_ranges, target_functions
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import logit
from crosslens.objective.target import resolve_target
from crosslens.testing import TinyModel

RNG = np.random.default_rng(2)
IMAGES = RNG.uniform(0, 1, (2, 3, 8, 8)).astype(np.float32)


def test_scores_at_the_image_are_the_networks_outputs():
    model = TinyModel()
    functions, scores = target_functions(model, IMAGES, logit(3))
    np.testing.assert_allclose(scores, model.forward(IMAGES)[OUTPUT][:, 3], rtol=1e-5)
    variants = RNG.uniform(0, 1, (4, 3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(functions[0].scores(variants), model.forward(variants)[OUTPUT][:, 3], rtol=1e-5)


def test_at_a_layer_its_own_activation_gives_the_images_score():
    functions, scores = target_functions(TinyModel(), IMAGES, logit(1), "act1")
    for function, score in zip(functions, scores, strict=True):
        np.testing.assert_allclose(function.scores(function.activation), [score], rtol=1e-5)


def test_gradients_are_slopes_of_the_scores():
    (function, _), _ = target_functions(TinyModel(), IMAGES, logit(2), "conv2")
    direction = RNG.normal(size=function.activation.shape).astype(np.float32)
    slope = float((function.gradients(function.activation) * direction).sum())
    ends = [float(function.scores(function.activation + h * direction)[0]) for h in (1e-2, -1e-2)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-2, slope, rtol=1e-2)


def test_the_predicted_class_stays_that_of_the_unchanged_image():
    model = TinyModel()
    functions, scores = target_functions(model, IMAGES, resolve_target(None, model, 2))
    output = model.forward(IMAGES)[OUTPUT]
    np.testing.assert_allclose(scores, output.max(axis=1), rtol=1e-5)
    other = model.forward(IMAGES[::-1])[OUTPUT]
    for n, function in enumerate(functions):
        score = function.scores(IMAGES[::-1][n : n + 1])
        np.testing.assert_allclose(score, [other[n, output[n].argmax()]], rtol=1e-5)
    assert functions[0].layer == INPUT


def test_ranges_cover_all_variants_once_and_tell_their_progress():
    model, told = TinyModel(), []
    model.batch_size = 3
    ranges = list(batch_ranges(model, 7, lambda *step: told.append(step), "masking"))
    assert [n for start, stop in ranges for n in range(start, stop)] == list(range(7))
    assert max(stop - start for start, stop in ranges) == 3
    assert told == [(stop, 7, "masking") for _, stop in ranges]
