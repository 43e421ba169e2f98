"""What an attack is after, whatever a network ends in: logits that decide, success, and the gradient at the layer."""

import re

import crosslens
import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective.aim import Aim
from crosslens.objective.margins import CrossEntropy
from crosslens.objective.target import resolve_target

from tests.core.attack.affine import AffineModel, identity, sigmoid, softmax

SHAPE, K = (2, 3, 4), 5


@pytest.fixture
def images():
    return np.random.default_rng(1).random((6, *SHAPE), dtype=np.float32)


def affine(count=K, size=0.5, **options):
    rng = np.random.default_rng(2)
    return AffineModel(rng.normal(0, size, (count, *SHAPE)), rng.normal(0, size, count), **options)


def aim_of(model, images, towards=None, target=None):
    objective = resolve_target(target, model, len(images))
    reach = None if towards is None else resolve_target(towards, model, len(images))
    activations = model.forward(images, [*model.layers])
    return Aim.of(model, objective, reach, activations), activations


def by_differences(aim, activations, step=1e-4):
    """The gradient of the cross-entropy at the aim's layer, in float64."""
    a = activations[aim.layer].astype(np.float64)
    found = np.zeros(a.shape)
    for place in np.ndindex(a.shape[1:]):
        ends = []
        for sign in (1, -1):
            moved = a.copy()
            moved[(slice(None), *place)] += sign * step * np.minimum(1, abs(a[(slice(None), *place)]))
            ends.append(CrossEntropy(aim).at_logits(aim.logits({aim.layer: moved}))[0])
        width = 2 * step * np.minimum(1, abs(a[(slice(None), *place)]))
        found[(slice(None), *place)] = (ends[0] - ends[1]) / width
    return found


@pytest.mark.parametrize("towards", [None, 1])
@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(("count", "link"), [(K, identity), (K, softmax), (K, sigmoid), (1, sigmoid)])
def test_cotangents_are_the_gradient_at_the_layer(images, count, link, sealed, towards):
    """Of logits before a softmax or a sigmoid, or of the probabilities where nothing holds the logits."""
    model = affine(count, link=link, sealed=sealed)
    aim, activations = aim_of(model, images, towards, target=0 if towards else None)
    assert aim.layer == ("<output>" if sealed or link is identity else "fc")
    got = CrossEntropy(aim).cotangents(activations)[aim.layer]
    assert got.shape == activations[aim.layer].shape
    np.testing.assert_allclose(got, by_differences(aim, activations), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_binary_output_is_two_classes(images, sealed):
    model = affine(1, link=sigmoid, sealed=sealed)
    aim, activations = aim_of(model, images)
    p, logits = activations["<output>"][:, 0].astype(float), aim.logits(activations)
    np.testing.assert_allclose(aim.probabilities(logits)[:, 1], p, rtol=1e-5)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], np.log(p / (1 - p)), atol=1e-4)
    assert aim.leave.tolist() == (p > 0.5).astype(int).tolist()
    assert not aim.succeeded(logits).any()
    assert aim.succeeded(-logits).all()


@pytest.mark.parametrize("sealed", [False, True])
def test_of_independent_classes_one_alone_is_in_question(images, sealed):
    model = affine(link=sigmoid, sealed=sealed)
    z = model.in_unit_range()[0] @ images.reshape(6, -1).T.astype(float)
    z = z.T + model.in_unit_range()[1]
    aim, activations = aim_of(model, images, target=3)
    assert (aim.succeeded(aim.logits(activations)) == (z[:, 3] < 0)).all()
    reaching, _ = aim_of(model, images, towards=4, target=3)
    assert (reaching.succeeded(reaching.logits(activations)) == (z[:, 4] > 0)).all()
    for asked, column in ((aim, 3), (reaching, 4)):
        cotangent = CrossEntropy(asked).cotangents(activations)[asked.layer]
        assert set(np.flatnonzero(cotangent.any(axis=0))) == {column}
    np.testing.assert_allclose(aim.probabilities(aim.class_logits(activations)), 1 / (1 + np.exp(-z)), rtol=1e-4)


def test_log_probabilities_are_logits():
    spec = OutputSpec("log_probabilities", (3,))
    p = np.array([[0.2, 0.7, 0.1]])
    aim = Aim(spec, np.array([1]))
    np.testing.assert_allclose(aim.probabilities(aim.class_logits({aim.layer: np.log(p)})), p)


@pytest.mark.parametrize("kind", ["logits", "probabilities", "independent"])
def test_outputs_of_one_pixel_are_classes(kind):
    """(N, K, 1, 1), as a convolution after a global pooling gives them."""
    rng = np.random.default_rng(0)
    flat = rng.dirichlet(np.ones(4), 3).astype(np.float32)
    one, other = (Aim(OutputSpec(kind, shape), np.array([0, 1, 2])) for shape in ((4,), (4, 1, 1)))
    got = CrossEntropy(other).cotangents({other.layer: flat[..., None, None]})[other.layer]
    assert got.shape == (3, 4, 1, 1)
    np.testing.assert_array_equal(got[..., 0, 0], CrossEntropy(one).cotangents({one.layer: flat})[one.layer])


@pytest.mark.parametrize("link", [softmax, sigmoid])
def test_saturated_probabilities_have_no_gradient_and_the_notes_say_so(images, link):
    """Nothing but the result of a softmax or a sigmoid is there, and it is 1 and 0 to the last bit of float32."""
    model = affine(size=400.0, link=link, sealed=True)
    outputs = model.forward(images)["<output>"]
    sure = np.isin(outputs, [0.0, 1.0]).all(axis=1)
    assert sure.any()
    result = crosslens.method("pgd", eps=1e-4, steps=2)(model, images[sure])
    assert np.isfinite(result.images).all()
    assert np.isfinite(result.confidence).all()
    assert not result.success.any()
    assert f"the gradient was zero at {sure.sum()} of {sure.sum()} images" in " ".join(result.notes)
    open_one = affine(size=400.0, link=link)
    assert not crosslens.method("pgd", eps=1e-4, steps=2)(open_one, images[sure]).zero_gradient.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"towards": 2, "target": (0, 2, 1, 0, 0, 0)}, "towards is class 2, and that is the class of image 1"),
        ({"towards": "channel:fc:1"}, "towards is .*, and an attack is about a class"),
        ({"target": "norm:6"}, "target is .*, and an attack is about a class"),
    ],
)
def test_refuses_what_is_not_two_different_classes(images, options, message):
    with pytest.raises(TargetError, match=message):
        aim_of(affine(), images, **options)


@pytest.mark.parametrize(("kind", "shape"), [("score", (3,)), ("maps", (3, 4, 4)), ("tensor", (7, 3))])
def test_refuses_outputs_that_are_not_classes(kind, shape):
    with pytest.raises(TargetError, match=re.escape("an attack makes a network change its mind about a class")):
        Aim(OutputSpec(kind, shape), np.zeros(2, int))
