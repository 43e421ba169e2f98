"""Average drop, max-sensitivity, infidelity and the sanity check, each from its paper, slowly."""

from dataclasses import dataclass

import numpy as np
import pytest
from crosslens.arrays import namespace, upsample
from crosslens.errors import ParameterError
from crosslens.method import Method
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import logit
from crosslens.plugins import method
from crosslens.result import Attribution
from crosslens.testing import TinyModel

TARGET = 2


@dataclass(frozen=True, kw_only=True)
class Given(Method):
    """A method that says what it is told."""

    name = "given"
    values: object = None

    def run(self, model, images, objective, progress):
        return Attribution(self.values[: images.shape[0]])


@dataclass(frozen=True, kw_only=True)
class Edges(Method):
    """What changes from one pixel to the next: the image alone, whatever the network."""

    name = "edges"

    def run(self, model, images, objective, progress):
        xp = namespace(images)
        return Attribution(xp.sum(xp.abs(images - xp.roll(images, 1, axis=3)), axis=1))


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def model():
    return TinyModel()


def share(model, image):
    e = np.exp(model.forward(image[None].astype(np.float32))[OUTPUT][0].astype(np.float64))
    return e[TARGET] / e.sum()


def score(model, image):
    return float(model.forward(image[None].astype(np.float32))[OUTPUT][0, TARGET])


MAPS = np.random.default_rng(1).normal(size=(2, 4, 4)).astype(np.float32)


def test_average_drop_and_increase_are_the_paper_s(model, images):
    result = method("average_drop", method=Given(values=MAPS))(model, images, TARGET)
    drops, increases = [], []
    for image, m in zip(images, MAPS, strict=True):
        mask = np.maximum(m, 0)
        y, o = share(model, image), share(model, image * upsample(mask / mask.max(), (8, 8)))
        drops.append(max(0.0, y - o) / y * 100)
        increases.append(100.0 if o > y else 0.0)
    np.testing.assert_allclose(result.values[:, 0, 0], drops, rtol=1e-4)
    np.testing.assert_allclose(result.values[:, 1, 0], increases)
    assert result.figures() == {
        "drop, %": pytest.approx(np.mean(drops), rel=1e-4),
        "increase, %": pytest.approx(np.mean(increases)),
    }


def test_a_map_that_shows_all_drops_nothing_and_one_that_shows_nothing_gives_the_black_image(model, images):
    everything = method("average_drop", method=Given(values=np.ones((2, 4, 4), np.float32)))(model, images, TARGET)
    np.testing.assert_allclose(everything.values, 0, atol=1e-4)
    nothing = method("average_drop", method=Given(values=-np.ones((2, 4, 4), np.float32)))(model, images, TARGET)
    y, o = share(model, images[0]), share(model, 0 * images[0])
    assert nothing.values[0, 0, 0] == pytest.approx(max(0, (y - o) / y * 100), rel=1e-4)


def test_a_target_that_is_not_positive_has_no_share_to_lose(model, images):
    with pytest.raises(ParameterError, match="must be positive; -1 \\* logit\\(2\\) is"):
        method("average_drop")(model, images, -1 * logit(TARGET))


@pytest.mark.parametrize(("library", "meant"), [("torchcam", False), ("xplique", False), ("pytorch-grad-cam", True)])
def test_a_preset_gives_what_its_library_does_and_says_where_it_means_nothing(model, images, library, meant):
    target = logit(TARGET) if model.forward(images)[OUTPUT][0, TARGET] < 0 else -1 * logit(TARGET)
    below = int((target.value(model.forward(images, target.layers)) <= 0).sum())
    notes = method("average_drop", preset=library)(model, images, target).notes
    said = f"the target of {below} of 2 images is not positive, and {library} divides by it all the same"
    assert any(note.startswith(said) for note in notes) is not meant


def test_max_sensitivity_is_the_largest_of_its_samples(model, images):
    result = method("sensitivity_max", method="gradient", samples=11, radius=0.1, seed=5)(model, images, TARGET)
    noise = np.random.default_rng(5).uniform(-0.1, 0.1, (11, 3, 8, 8)).astype(np.float32)
    gradient = method("gradient")
    for n in range(2):
        here = gradient(model, images[n : n + 1], TARGET).values[0]
        there = [gradient.run(model, (images[n] + e)[None], logit(TARGET), print).values[0] for e in noise]
        largest = max(float(np.sqrt(((t - here) ** 2).sum())) for t in there)
        assert result.values[n, 0, 0] == pytest.approx(largest, rel=1e-4)
        assert result.values[n, 1, 0] == pytest.approx(largest / float(np.sqrt((here**2).sum())), rel=1e-4)


def test_more_samples_only_raise_max_sensitivity(model, images):
    few, more = (method("sensitivity_max", samples=n)(model, images, TARGET).values for n in (1, 30))
    assert (more >= few).all()
    assert (more > few).any()


def test_an_explanation_that_never_moves_has_no_sensitivity(model, images):
    values = np.ones((99, 4, 4), np.float32)
    assert (method("sensitivity_max", method=Given(values=values))(model, images, TARGET).values == 0).all()


def test_infidelity_is_definition_2_1(model, images):
    values = np.random.default_rng(2).normal(size=(2, 3, 8, 8)).astype(np.float32)
    result = method("infidelity", method=Given(values=values), samples=13, window=3, seed=4)(model, images, TARGET)
    for n in range(2):
        rng = np.random.default_rng(4)
        told, fell = [], []
        for _ in range(13):
            top, left = (int(rng.integers(0, 6)) for _ in range(2))
            less = images[n].copy()
            less[:, top : top + 3, left : left + 3] = 0
            told.append(((images[n] - less) * values[n]).sum())
            fell.append(score(model, images[n]) - score(model, less))
        told, fell = np.array(told), np.array(fell)
        assert result.values[n, 0, 0] == pytest.approx(((told - fell) ** 2).mean(), rel=1e-3)
        best = min(((b * told - fell) ** 2).mean() for b in np.linspace(-1, 1, 20001))
        assert result.values[n, 1, 0] == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("change", ["squares", "noisy_baseline"])
def test_the_slopes_of_a_linear_function_have_no_infidelity(model, images, change):
    """The gradient of <w, x> foretells every change exactly; any other map does not."""
    from crosslens.objective import channel

    mean_red = channel(INPUT, 0)
    exact = method("infidelity", change=change, window=3)(model, images, mean_red)
    np.testing.assert_allclose(exact.values, 0, atol=1e-10)
    wrong = method("infidelity", change=change, window=3, method=Given(values=np.ones((2, 3, 8, 8), np.float32)))
    assert (wrong(model, images, mean_red).values[:, 0] > 1e-3).all()


def test_a_map_without_channels_counts_for_each_alike(model, images):
    flat = method("infidelity", method=Given(values=MAPS), window=3)(model, images, TARGET).values
    full = np.repeat(upsample(MAPS, (8, 8))[:, None], 3, axis=1)
    np.testing.assert_allclose(
        method("infidelity", method=Given(values=full), window=3)(model, images, TARGET).values, flat, rtol=1e-4
    )


def test_an_edge_detector_survives_the_sanity_check_and_the_gradient_does_not(model, images):
    edges = method("sanity_check", method=Edges(), stages=0)(model, images, TARGET)
    np.testing.assert_allclose(edges.values, 1, rtol=1e-6)
    gradient = method("sanity_check", method="gradient", stages=0)(model, images, TARGET)
    np.testing.assert_allclose(gradient.values[:, :, 0], 1, rtol=1e-6)
    assert (gradient.values[:, :, 1:] < 0.99).all()
    assert gradient.positions == ("trained", "fc", "conv2", "conv1")


def test_layers_below_what_is_redrawn_keep_the_explanation_of_a_unit_there(model, images):
    """A unit of conv1 does not change when conv2 and fc are redrawn."""
    from crosslens.objective import channel

    result = method("sanity_check", method="gradient", stages=0)(model, images, channel("act1", 1))
    np.testing.assert_allclose(result.values[:, :, :3], 1, rtol=1e-6)
    assert (result.values[:, :, 3] < 0.99).all()


@pytest.mark.parametrize("independent", [False, True])
def test_its_similarities_are_those_of_maps_of_redrawn_networks(model, images, independent):
    from scipy.stats import spearmanr
    from skimage.metrics import structural_similarity

    result = method("sanity_check", method="gradient", stages=2, independent=independent, seed=3)(model, images, TARGET)
    stages = [["fc", "conv2"], ["conv1"] if independent else ["fc", "conv2", "conv1"]]
    trained = method("gradient")(model, images, TARGET).maps()
    for k, layers in enumerate(stages, start=1):
        redrawn = method("gradient")(model.randomised(layers, 3), images, TARGET).maps()
        for n in range(2):
            a, b = trained[n].astype(float), redrawn[n].astype(float)
            assert result.values[n, 0, k] == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-3)
            assert result.values[n, 1, k] == pytest.approx(
                spearmanr(abs(a).ravel(), abs(b).ravel()).statistic, abs=1e-3
            )
            unit = abs(a) / abs(a).max(), abs(b) / abs(b).max()
            full = structural_similarity(
                *unit, win_size=7, data_range=1.0, gaussian_weights=True, use_sample_covariance=False, full=True
            )[1]
            assert result.values[n, 2, k] == pytest.approx(full.mean(), rel=1e-4)


def test_structural_similarity_is_scikit_image_s():
    from crosslens.methods.evaluation.sanity_check import ssim
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    a = rng.random((40, 31))
    for b in (a, 1 - a, rng.random((40, 31)), a**2):
        expected = structural_similarity(a, b, data_range=1.0, gaussian_weights=True, use_sample_covariance=False)
        assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_the_sanity_check_says_whose_weights_it_drew_and_where_it_compared_nothing(model, images):
    (own,) = method("sanity_check", method="gradient", stages=3)(model, images, TARGET).notes
    assert own.startswith("weights are drawn layer by layer, and this framework shows 3 layers with weights")
    nothing = method("sanity_check", method=Given(values=np.zeros((2, 4, 4), np.float32)), stages=3)
    assert nothing(model, images, TARGET).notes == (
        own,
        "the maps of 3 of 3 redrawn networks are zero everywhere: their similarities say nothing",
    )


def test_the_network_judged_keeps_its_weights(model, images):
    before = {name: model.weights(name)["kernel"].copy() for name in ("conv1", "conv2", "fc")}
    method("sanity_check", stages=0)(model, images)
    for name, kernel in before.items():
        np.testing.assert_array_equal(model.weights(name)["kernel"], kernel)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sanity_check", {"stages": 4}, "stages is 4; this network has 3 layers with weights, 0 takes each alone"),
        ("sensitivity_max", {"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ("sensitivity_max", {"radius": 0.0}, "radius is 0.0; it must be a number, above 0"),
        ("infidelity", {"change": "circles"}, "change is 'circles'; it must be squares or noisy_baseline"),
        ("infidelity", {"window": 9}, "window is 9; it must be at most 8, the image's shorter side"),
        ("infidelity", {"samples": 0}, "samples is 0; it must be a whole number, at least 1"),
        ("infidelity", {"noise": -1.0}, "noise is -1.0; it must be a number, at least 0"),
    ],
)
def test_parameters_without_meaning_are_refused(model, images, name, options, message):
    with pytest.raises(ParameterError, match=message):
        method(name, **options)(model, images)


def test_notes_of_the_method_judged_are_passed_on(images):
    from crosslens.objective import channel

    judged = method("grad_cam", layer="act2")
    result = method("deletion", method=judged, steps=2)(TinyModel(relu=True), images, -1 * channel("act2", 0))
    assert result.notes == ("2 of 2 maps are zero everywhere: no channel of 'act2' speaks for the target",)


@pytest.mark.parametrize("side", [28, 32])
def test_defaults_fit_a_small_picture_and_a_shallow_network(side):
    """Squares of a seventh of the side, and as many stages as there are layers with weights."""
    net = TinyModel(size=side)
    image = np.random.default_rng(0).random((1, 3, side, side)).astype(np.float32)
    found = method("infidelity", samples=20)(net, image, TARGET)
    same = method("infidelity", samples=20, window=round(side / 7))(net, image, TARGET)
    np.testing.assert_array_equal(found.values, same.values)
    assert method("sanity_check", method="gradient")(net, image, TARGET).positions == (
        "trained",
        "fc",
        "conv2",
        "conv1",
    )
