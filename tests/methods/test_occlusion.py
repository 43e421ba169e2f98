"""Occlusion against values that captum publishes in its tests, and against the definition written slowly."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.model import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model
from crosslens.objective import logit
from crosslens.plugins import method
from crosslens.preprocess import Preprocess
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


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (4, 4), (5, 3), (8, 8), (9, 1)])
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window is 0; it must be at least 1 pixel"),
        ({"window": 4, "stride": 5}, "stride is 5; it must lie between 1 and the window, 4"),
        ({"window": 4, "stride": 0}, "stride is 0"),
    ],
)
def test_windows_that_leave_pixels_out_are_refused(options, message):
    image = np.zeros((1, 3, 8, 8), np.float32)
    with pytest.raises(ParameterError, match=message):
        method("occlusion", **options)(TinyModel(), image)
