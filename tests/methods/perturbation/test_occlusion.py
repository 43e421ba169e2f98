"""Occlusion against values that captum publishes in its tests, and against the definition written slowly."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from crosslens.errors import LayerError, ParameterError
from crosslens.model import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model
from crosslens.model.preprocessing import Preprocess
from crosslens.objective import logit
from crosslens.plugins import method
from crosslens.testing import TinyModel


class FunctionModel(Model):
    """Any function of (N, C, H, W) to (N, K), forward only: occlusion needs no more."""

    backend = "function"
    versions: Mapping[str, str] = {}
    preprocess = Preprocess()
    layers: Mapping[str, Layer] = {}

    def __init__(self, function: Callable[[Any], Any], shape: tuple[int, int, int], classes: int) -> None:
        self.function = function
        self.input = InputSpec(shape, bounds=None)
        self.layers = {INPUT: Layer(INPUT, "Input", (None, *shape)), OUTPUT: Layer(OUTPUT, "Output", (None, classes))}

    def weights(self, layer: str) -> Mapping[str, Any]:
        return {}

    def modified(self, *, relu: str = "exact") -> Model:
        raise AssertionError

    def _with_weights(self, changed: Any) -> Model:
        raise AssertionError

    def _forward(self, x: Any, capture: Any, replace: Any) -> Mapping[str, Any]:
        return {OUTPUT: self.function(x)}

    def _linearize(self, x: Any, capture: Any, wrt: Any, replace: Any) -> Linearization:
        raise AssertionError


def captum_multi_layer(x: Any) -> Any:
    """captum's BasicModel_MultiLayer on three features: linear, ReLU, linear, its published weights."""
    features = x.reshape(len(x), 3)
    hidden = features @ np.array([[1, 1, 1, 1]] * 3) + [-10, 1, 1, 1]
    hidden = np.maximum(hidden, 0)
    return (hidden @ np.ones((4, 2)) + [-1, 1]).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"window": 1, "stride": 1, "fill": 0.0}, [80, 200, 120]),
        ({"window": 2, "stride": 1, "fill": 10.0}, [200, 220, 240]),
        ({"window": 2, "stride": 2, "fill": 0.0}, [280, 280, 120]),
    ],
)
def test_occlusion_gives_the_values_captum_publishes(options, published):
    model = FunctionModel(captum_multi_layer, (1, 1, 3), 2)
    x = np.array([20, 50, 30], np.float32).reshape(1, 1, 1, 3)
    result = method("occlusion", **options)(model, x, target=0)
    np.testing.assert_allclose(result.values, [[published]])


def occlusion_from_the_paper(model, image, target, window, stride, fill):
    """Cover one window after the other; each pixel's value is the mean drop over the windows that cover it."""
    height, width = image.shape[2:]
    score = model.forward(image)[OUTPUT][0, target]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    y = 0
    while True:
        x = 0
        while True:
            covered = image.copy()
            covered[:, :, y : y + window, x : x + window] = fill
            drop = score - model.forward(covered)[OUTPUT][0, target]
            total[y : y + window, x : x + window] += drop
            count[y : y + window, x : x + window] += 1
            if x + window >= width:
                break
            x += stride
        if y + window >= height:
            break
        y += stride
    return total / count


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (4, 4), (5, 3), (8, 8), (7, 1)])
def test_occlusion_is_its_definition_with_windows_that_leave_a_remainder(window, stride):
    model = TinyModel()
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    result = method("occlusion", window=window, stride=stride, fill=0.25)(model, image, target=3)
    expected = occlusion_from_the_paper(model, image, 3, window, stride, 0.25)
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-4, atol=1e-6)


def test_the_predicted_class_is_that_of_the_whole_image():
    model = TinyModel(seed=9)
    images = np.stack([np.full((3, 8, 8), shade, np.float32) for shade in (0.0, 0.5, 1.0)])
    predicted = model.forward(images)[OUTPUT].argmax(axis=1)
    assert len(set(predicted)) > 1, "the images must differ in class for this test to mean anything"
    occlusion = method("occlusion", window=4, stride=2)
    np.testing.assert_allclose(occlusion(model, images).values, occlusion(model, images, target=predicted).values)


def test_any_objective_can_be_occluded():
    model = TinyModel()
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    occlusion = method("occlusion", window=4, stride=4)
    both = occlusion(model, image, logit(1) - 2 * logit(2)).values
    parts = occlusion(model, image, 1).values - 2 * occlusion(model, image, 2).values
    np.testing.assert_allclose(both, parts, rtol=1e-4, atol=1e-6)


def by_hand(model, image, cover, window, **how):
    """One window after the other, edge to edge, each put in by hand; the drop of logit 3 in each."""
    score = model.forward(image)[OUTPUT][0, 3]
    size = cover.shape[2]
    found = np.zeros((size, size), np.float32)
    for y in range(0, size, window):
        for x in range(0, size, window):
            box = (slice(None), slice(None), slice(y, y + window), slice(x, x + window))
            found[box[2:]] = score - covered_score(model, image, cover, box, **how)
    return found


def covered_score(model, image, cover, box, layer=None):
    if layer is None:
        covered = image.copy()
        covered[box] = cover[box]
        return model.forward(covered)[OUTPUT][0, 3]
    maps = model.forward(image, [layer])[layer].copy()
    maps[box] = cover[box]
    return model.forward(image, replace={layer: maps})[OUTPUT][0, 3]


def fills(image):
    """What each fill shows, pixel by pixel."""
    places = np.arange(8)
    row = np.exp(-0.5 * ((places[:, None] - places) / (0.05 * 8)) ** 2)
    row /= row.sum(axis=1, keepdims=True)
    flat = np.zeros_like(image)
    return {
        0.25: flat + 0.25,
        (0.1, 0.2, 0.9): flat + np.array([0.1, 0.2, 0.9], np.float32)[:, None, None],
        "black": flat,
        "white": flat + 1,
        "grey": flat + 0.5,
        None: flat + 0.5,
        "mean": flat + np.stack([image[0, c].mean() for c in range(3)])[:, None, None],
        "blurred": np.stack([[row @ image[0, c] @ row.T for c in range(3)]]).astype(np.float32),
        "noise": np.random.default_rng(5).uniform(0, 1, image.shape).astype(np.float32),
    }


@pytest.mark.parametrize("fill", [0.25, (0.1, 0.2, 0.9), "black", "white", "grey", None, "mean", "blurred", "noise"])
def test_a_window_shows_the_fill(fill):
    model = TinyModel()
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    result = method("occlusion", window=4, stride=4, fill=fill, seed=5)(model, image, target=3)
    expected = by_hand(model, image, fills(image)[fill], 4)
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fill", [None, 0.3, "mean"])
def test_occlusion_at_a_layer_covers_windows_of_all_its_maps(fill):
    model = TinyModel()
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    maps = model.forward(image, ["act1"])["act1"]
    cover = {None: 0 * maps, 0.3: 0 * maps + 0.3, "mean": 0 * maps + maps.mean(axis=(2, 3), keepdims=True)}[fill]
    result = method("occlusion", window=2, stride=2, fill=fill, layer="act1")(model, image, target=3)
    expected = by_hand(model, image, cover.astype(np.float32), 2, layer="act1")
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fill": 127.5}, ParameterError, "fill is 127.5; a finite number within 0 and 1"),
        ({"fill": (0.5, 0.5)}, ParameterError, "has 2 numbers; give one, or one for each of 3 channels"),
        ({"fill": "blured"}, ParameterError, "no fill 'blured'; give a number, a colour"),
        ({"fill": "noise", "layer": "act1"}, ParameterError, "the fill 'noise' means nothing at layer 'act1'"),
        ({"layer": "pool"}, LayerError, r"layer 'pool' holds \(6,\), not maps"),
    ],
)
def test_a_fill_or_layer_without_meaning_is_refused(options, error, message):
    image = np.zeros((1, 3, 8, 8), np.float32)
    with pytest.raises(error, match=message):
        method("occlusion", window=4, stride=4, **options)(TinyModel(), image, target=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window is 0; it must be a whole number or several whole numbers, at least 1, or None"),
        ({"window": 9}, "window is 9; it must be at most 8, the longer side"),
        (
            {"window": 4, "stride": 0},
            "stride is 0; it must be a whole number or several whole numbers, at least 1, or None",
        ),
        ({"window": (4, 9)}, r"window is \(4, 9\); it must be at most 8 high and 8 wide"),
        ({"window": (4, 4, 4)}, r"window is \(4, 4, 4\); it must be a whole number, or two: \(height, width\)"),
        (
            {"window": 4, "stride": (2, 1.5)},
            r"stride is \(2, 1.5\); it must be a whole number or several whole numbers, at least 1, or None",
        ),
        ({"show": "values"}, "show is 'values'; it must be difference or value"),
    ],
)
def test_windows_without_meaning_are_refused(options, message):
    image = np.zeros((1, 3, 8, 8), np.float32)
    with pytest.raises(ParameterError, match=message):
        method("occlusion", **options)(TinyModel(), image)


@pytest.mark.parametrize(
    ("window", "stride"), [((2, 5), (1, 2)), ((5, 2), 3), (3, (4, 6)), ((8, 1), (8, 1)), (2, 7), ((1, 8), 1)]
)
def test_windows_of_any_sides_and_distances_are_their_definition(window, stride):
    """Written pixel by pixel; what no window covers is 0."""
    model, image = TinyModel(), np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    height, width = window if isinstance(window, tuple) else (window, window)
    down, across = stride if isinstance(stride, tuple) else (stride, stride)
    score = model.forward(image)[OUTPUT][0, 2]
    total, count = np.zeros((8, 8)), np.zeros((8, 8))
    for y in range(0, 8, down):
        if y >= down and y - down + height >= 8:
            break
        for x in range(0, 8, across):
            if x >= across and x - across + width >= 8:
                break
            covered = image.copy()
            covered[:, :, y : y + height, x : x + width] = 0.5
            total[y : y + height, x : x + width] += score - model.forward(covered)[OUTPUT][0, 2]
            count[y : y + height, x : x + width] += 1
    found = method("occlusion", window=window, stride=stride)(model, image, 2).values[0]
    np.testing.assert_allclose(found, total / np.maximum(count, 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "window", "stride"), [(224, 32, 16), (28, 4, 2), (32, 5, 2), (7, 1, 1), (512, 73, 36)]
)
def test_windows_follow_the_size_of_the_image(side, window, stride):
    from crosslens.methods.perturbation._occlusion_windows import windows_by_stride

    windows, grid = method("occlusion")._windows((side, side))
    assert grid is None
    assert windows == windows_by_stride((side, side), (window, window), (stride, stride), cut=True)


def test_a_small_grey_picture_gets_a_map_by_default():
    model = FunctionModel(lambda x: x[:, 0, 10:12, 20:22].sum(axis=(1, 2))[:, None], (1, 28, 28), 1)
    values = method("occlusion", fill=0.0)(model, np.ones((1, 1, 28, 28), np.float32), 0).values[0]
    assert values[11, 21] > 0
    assert values[4, 4] == 0


def test_values_are_the_target_s_own_with_the_window_centred_at_each_place():
    """Figure 7d of the paper, one place after the other; the probability is a softmax written out."""
    model, image = TinyModel(), np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    result = method("occlusion", show="value", window=3, stride=1, fill=0.0)(model, image, 2)
    expected = np.zeros((8, 8))
    for y in range(8):
        for x in range(8):
            covered = image.copy()
            covered[:, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 0
            output = np.exp(model.forward(covered)[OUTPUT][0].astype(np.float64))
            expected[y, x] = (output / output.sum())[2]
    np.testing.assert_allclose(result.values[0], expected, rtol=1e-4)
    whole = np.exp(model.forward(image)[OUTPUT][0].astype(np.float64))
    np.testing.assert_allclose(result.scores, whole[2] / whole.sum(), rtol=1e-5)


def test_values_on_a_coarse_grid_lie_where_the_enlarged_map_shows_them():
    model, image = TinyModel(), np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    result = method("occlusion", show="value", window=(2, 4), stride=4, fill=0.0)(model, image, logit(2))
    assert result.values.shape == (1, 2, 2)
    covered = image.copy()
    covered[:, :, 1:3, 4:8] = 0  # centred at row 2, column 6
    output = np.exp(model.forward(covered)[OUTPUT][0].astype(np.float64))
    np.testing.assert_allclose(result.values[0, 0, 1], (output / output.sum())[2], rtol=1e-4)


def test_a_channel_s_value_is_shown_as_it_is():
    from crosslens.objective import channel

    model, image = TinyModel(), np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    values = method("occlusion", show="value", window=4, stride=4, fill=0.0)(model, image, channel("act2", 3)).values
    covered = image.copy()
    covered[:, :, 0:4, 4:8] = 0
    np.testing.assert_allclose(values[0, 0, 1], model.forward(covered, ["act2"])["act2"][0, 3].mean(), rtol=1e-4)


@pytest.mark.parametrize("layer", [INPUT, "act1"])
def test_targets_of_one_image_share_their_passes(layer):
    class Counting(TinyModel):
        passes = 0

        def _run(self, x, replace):
            self.passes += x.shape[0]
            return super()._run(x, replace)

    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    occlusion, targets = method("occlusion", window=4, stride=2, layer=layer), (0, 3, 4)
    alone = [occlusion(TinyModel(), image, target).values[0] for target in targets]
    one, three = Counting(), Counting()
    for model in (one, three):
        method("gradient")(model, image, 1)  # what is asked of a network once
        model.passes = 0
    occlusion(one, image, 0)
    found = occlusion(three, np.concatenate([image] * 3), list(targets)).values
    np.testing.assert_allclose(found, alone, rtol=1e-5, atol=1e-7)
    assert three.passes == one.passes + 2
