"""Activation maximisation: the objective rises on the picture itself, by gradients exact through every step."""

import array_api_strict as strict
import numpy as np
import pytest
from crosslens import INPUT, InputSpec, method
from crosslens.arrays import as_numpy
from crosslens.errors import CrosslensError, ModelError, ParameterError, TargetError
from crosslens.objective import channel, logit, neuron, probability, pullback, total_variation
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.parameterisation import COLOURS, PARAMETERISATIONS, parameterisation
from crosslens.synthesis.transforms import robust_transform
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16)
PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)


def maximise(target=1, images=None, model=MODEL, **parameters):
    return method("activation_maximisation", **{"steps": 40, "learning_rate": 0.05, **parameters})(
        model, images, target
    )


def score(objective, images, model=MODEL):
    return objective.value(model.forward(images, objective.layers))


@pytest.mark.parametrize(
    "objective", [logit(1), probability(3), channel("act1", 2), neuron("conv2", 5, 8, 8), logit(1) - logit(2)]
)
@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_the_objective_rises_on_the_clean_picture(objective, name):
    result = maximise(objective, parameterisation=name)
    grey = np.full((1, 3, 16, 16), 0.5, np.float32)
    assert score(objective, result.images)[0] > score(objective, grey)[0] + 0.005
    assert result.images.dtype == np.float32
    assert result.images.min() >= 0
    assert result.images.max() <= 1


@pytest.mark.parametrize("colour", COLOURS)
def test_every_choice_of_colours_climbs(colour):
    result = maximise(colour=colour)
    assert result.history[-1, 0] > result.history[0, 0]


def test_a_class_is_climbed_under_a_light_blur_and_a_channel_is_not():
    for target, rules in ((1, ("blur:0.4:4",)), (channel("conv2", 5), ())):
        np.testing.assert_array_equal(maximise(target).images, maximise(target, rules=rules).images)
    assert np.abs(maximise(1).images - maximise(1, rules=()).images).max() > 1e-3


def test_the_note_says_how_far_the_objective_rose_on_the_picture_itself():
    result = maximise(2)
    (note,) = result.notes
    assert note.startswith("logit(2) on the picture itself rose from ")
    assert float(note.split()[-1]) == pytest.approx(float(score(logit(2), result.images)[0]), abs=1e-3)


@pytest.mark.parametrize("name", PARAMETERISATIONS)
def test_one_steps_gradient_is_the_derivative_through_view_and_parameterisation(name):
    made = parameterisation(name, (16, 16))
    climb = Ascent(MODEL, logit(1), made, robust_transform((16, 16), 0.1, 0.2), (16, 16), 7)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, *made.shape)).astype(np.float32)
    _, gradient = climb(x, 3)
    direction = gradient / np.linalg.norm(gradient) + 0.1 * rng.normal(size=x.shape) / np.sqrt(x.size)
    direction = direction.astype(np.float32)
    slope = (climb(x + 0.05 * direction, 3)[0] - climb(x - 0.05 * direction, 3)[0])[0] / 0.1
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=2e-2)


def test_without_views_adam_climbs_the_gradient_of_the_picture_itself():
    """One step of Adam is the learning rate times the gradient's sign (its first step, by the paper's algorithm 1)."""
    images = PICTURES[:1]
    result = maximise(
        1, images, steps=1, learning_rate=1e-3, parameterisation="pixels", colour="rgb", shift=0.0, zoom=0.0, turn=0.0
    )
    gradient = pullback(MODEL, images, logit(1))[0].gradients[INPUT]
    moved = result.images - images
    strong = np.abs(gradient) > 1e-5
    np.testing.assert_array_equal(np.sign(moved[strong]), np.sign(gradient[strong]))
    np.testing.assert_allclose(moved[strong], 1e-3 * (np.sign(gradient) * images * (1 - images))[strong], rtol=2e-2)


def test_the_same_seed_gives_the_same_picture_and_another_seed_another():
    np.testing.assert_array_equal(maximise(seed=3).images, maximise(seed=3).images)
    assert np.abs(maximise(seed=3).images - maximise(seed=4).images).max() > 0.01


def test_any_array_namespace_gives_the_picture_that_numpy_gives():
    expected = maximise([1, 2], PICTURES, steps=5)
    got = maximise([1, 2], strict.asarray(PICTURES), steps=5)
    assert type(got.images) is type(strict.asarray(PICTURES))
    np.testing.assert_allclose(as_numpy(got.images), expected.images, atol=1e-5)
    np.testing.assert_allclose(as_numpy(got.history), expected.history, rtol=1e-4)


def test_each_image_of_a_batch_climbs_its_own_target_as_if_alone():
    both = maximise([1, 2], PICTURES, steps=5)
    assert both.history.shape == (5, 2)
    for n, target in enumerate([1, 2]):
        alone = maximise(target, PICTURES[n : n + 1], steps=5)
        np.testing.assert_allclose(both.images[n : n + 1], alone.images, atol=1e-5)


def test_an_image_to_start_from_is_where_it_starts():
    result = maximise(1, PICTURES[:1], steps=1, learning_rate=1e-6)
    np.testing.assert_allclose(result.images, PICTURES[:1], atol=1e-4)


def test_no_target_means_the_class_predicted_for_the_image_at_the_start():
    predicted = int(MODEL.forward(PICTURES[:1])["<output>"].argmax())
    np.testing.assert_array_equal(
        maximise(None, PICTURES[:1], steps=3).images, maximise(predicted, PICTURES[:1], steps=3).images
    )


def test_a_prior_on_the_image_makes_the_picture_smoother():
    def roughness(objective):
        return float(score(total_variation(), maximise(objective, parameterisation="pixels").images)[0])

    assert roughness(logit(1) - 0.5 * total_variation()) < 0.5 * roughness(logit(1))


def test_a_network_for_any_size_makes_a_picture_of_the_size_asked_for():
    model = TinyModel(size=16)
    model.input = InputSpec((3, None, None))
    assert maximise(1, model=model, steps=1, size=21).images.shape == (1, 3, 21, 21)
    assert maximise(1, model=model, steps=1).images.shape == (1, 3, 224, 224)


def test_progress_names_the_objective_and_its_value():
    heard = []
    result = method("activation_maximisation", steps=2)(MODEL, None, 1, progress=lambda *told: heard.append(told))
    assert heard[1] == (2, 2, f"logit(1) {float(result.history[1, 0]):.4g}")


def test_a_dead_unit_is_named_with_what_to_do():
    dead = TinyModel(relu=True)
    weights = dict(dead.weights("conv1"))
    model = dead._with_weights({"conv1": {**weights, "bias": weights["bias"] - 100}})
    with pytest.raises(TargetError, match=r"channel\('act1', 1\) has no gradient at the starting picture: .*\(images="):
        maximise(channel("act1", 1), model=model)


def test_a_unit_that_stands_still_is_said_to_and_only_units_that_react_are_proposed():
    model = TinyModel(relu=True)
    first, second = (dict(model.weights(name)) for name in ("conv1", "conv2"))
    kernel, bias = second["kernel"].copy(), second["bias"].copy()
    kernel[1], bias[1] = 0, 50  # fires most, whatever the picture
    model = model._with_weights({"conv2": {"kernel": kernel, "bias": bias}})
    with pytest.raises(TargetError, match=r"'act2', 1\) has no gradient .*: it is 50 there, whatever changes") as told:
        maximise(channel("act2", 1), model=model)
    proposed = str(told.value).partition("another channel: ")[2].removesuffix(" fire there").split(", ")
    assert proposed
    assert "1" not in proposed
    for index in proposed:
        assert maximise(channel("act2", int(index)), model=model, steps=1).images.shape[0] == 1
    off = model._with_weights({"conv1": {**first, "bias": first["bias"] - 100}})
    with pytest.raises(TargetError, match="none of this layer fires there"):
        maximise(channel("act1", 1), model=off)


def test_nothing_to_maximise_is_refused():
    with pytest.raises(TargetError, match="without images no class can be predicted; give a target"):
        maximise(None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ({"parameterisation": "wavelet"}, "parameterisation is 'wavelet'; it must be fourier, pixels or pyramid"),
        ({"colour": "cmyk"}, "colour is 'cmyk'; it must be photographs, lucid, rgb or data:FILE"),
        ({"size": 20}, r"size is 20; this model takes pictures \(16, 16\)"),
        ({"size": 0}, "size is 0; this model takes pictures"),
        ({"zoom": 1.5}, r"zoom 1.5; both are shares"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be a finite number, above 0"),
    ],
)
def test_impossible_parameters_are_refused_with_what_would_be_right(parameters, message):
    with pytest.raises(CrosslensError, match=message):
        maximise(**parameters)


def test_a_size_and_images_contradict_each_other():
    with pytest.raises(ParameterError, match="size is 16, but the picture starts from images"):
        maximise(1, PICTURES, size=16)


def test_a_network_that_takes_a_code_is_refused():
    model = TinyModel()
    model.input = InputSpec.latent((3, 8, 8))
    with pytest.raises(ModelError, match=r"makes pictures .*; this model takes \(3, 8, 8\)"):
        maximise(1, model=model)
