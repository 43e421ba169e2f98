"""Top examples on every backend: receptive fields hold all that matters, crops show them, examples agree."""

import crosslens
import numpy as np
import pytest

from .plans import images
from .zoo import BUILDERS, net

COUNT = 6
LAYER = "relu2"


def found(backend, **parameters):
    method = crosslens.method("top_examples", layers=(LAYER,), count=4, **parameters)
    return method(net(backend, "relu").model, images(COUNT))


@pytest.mark.parametrize("backend", BUILDERS)
def test_outside_the_rectangle_nothing_changes_the_value_and_inside_something_does(backend):
    model, result = net(backend, "relu").model, found(backend, kinds=("most",), attribution=None)
    at, noise = result.looked_at[LAYER], np.random.default_rng(0).random((1, *images(1).shape[1:]), dtype=np.float32)
    for unit in range(3):
        top, left, bottom, right = result.rectangles[LAYER][0, unit, 0].tolist()
        image = images(COUNT)[[result.indices[LAYER][0, unit, 0]]]
        outside, inside = noise.copy(), image.copy()
        outside[..., top:bottom, left:right] = image[..., top:bottom, left:right]
        inside[..., top:bottom, left:right] = noise[..., top:bottom, left:right]
        position = result.positions[LAYER][0, unit, 0]
        value, kept, changed = (
            float(np.asarray(model.forward(x, [at])[at])[0, unit].ravel()[position]) for x in (image, outside, inside)
        )
        assert value == pytest.approx(float(result.values[LAYER][0, unit, 0]), rel=1e-5)
        assert kept == pytest.approx(value, rel=1e-4)
        assert abs(changed - value) > 1e-3


@pytest.mark.parametrize("backend", BUILDERS)
def test_a_crop_is_what_the_rectangle_holds_with_grey_beyond_the_image(backend):
    result = found(backend, kinds=("most",), units=(0, 1), attribution=None)
    for unit in (0, 1):
        top, left, bottom, right = result.rectangles[LAYER][0, unit, 0].tolist()
        image = images(COUNT)[result.indices[LAYER][0, unit, 0]]
        seen = np.moveaxis((image[:, top:bottom, left:right] * 255).round().astype(np.uint8), 0, -1).reshape(-1, 3)
        shown = result.crops[LAYER][0, unit, 0].reshape(-1, 3)
        beyond = len(shown) - len(seen)
        assert beyond >= 0
        assert sorted([*seen.tolist(), *[[128] * 3] * beyond]) == sorted(shown.tolist())


@pytest.mark.parametrize("backend", BUILDERS)
def test_the_layer_before_the_rectifier_is_found(backend):
    result = found(backend, kinds=("least",), attribution=None, shown=0)
    assert result.looked_at[LAYER] != LAYER
    assert result.values[LAYER].min() < 0


@pytest.mark.parametrize("backend", BUILDERS[1:])
def test_every_backend_finds_the_same_images_and_positions(backend):
    ours, theirs = found(backend, shown=0), found(BUILDERS[0], shown=0)
    np.testing.assert_allclose(ours.values[LAYER], theirs.values[LAYER], atol=1e-5)
    assert (ours.indices[LAYER] == theirs.indices[LAYER]).mean() > 0.99
    same = ours.indices[LAYER] == theirs.indices[LAYER]
    assert (ours.positions[LAYER] == theirs.positions[LAYER])[same].mean() > 0.99


@pytest.mark.parametrize("backend", BUILDERS[1:])
def test_every_backend_finds_the_same_examples_by_relevance(backend):
    settings = {"by": "relevance", "kinds": ("most", "least"), "shown": 0}
    ours, theirs = found(backend, **settings), found(BUILDERS[0], **settings)
    largest = abs(theirs.values[LAYER]).max()
    np.testing.assert_allclose(ours.values[LAYER], theirs.values[LAYER], atol=1e-4 * largest)
    apart = np.diff(theirs.values[LAYER], axis=2)
    clear = (abs(np.pad(apart, ((0, 0), (0, 0), (1, 1)), constant_values=1)) > 1e-3 * largest).astype(int)
    clear = (clear[..., :-1] & clear[..., 1:]).astype(bool)
    assert clear.any()
    assert (ours.indices[LAYER] == theirs.indices[LAYER])[clear].all()
