"""Sums, differences and multiples of objectives, and what objectives refuse."""

import numpy as np
import pytest
from crosslens.errors import LayerError, TargetError
from crosslens.model import INPUT, OUTPUT
from crosslens.objective import (
    channel,
    direction,
    gram,
    logit,
    match,
    neuron,
    total_variation,
)
from crosslens.testing import TinyModel

RNG = np.random.default_rng(0)
MAPS, VECTORS, LOGITS = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 7)), RNG.normal(size=(2, 5))
HERE = {"maps": MAPS, "vectors": VECTORS, OUTPUT: LOGITS}


def test_an_algebra_of_objectives_reads_like_one():
    both = 2 * (logit(1) - channel("maps", 3)) - 0.5 * total_variation()
    assert str(both) == "2 * logit(1) + -2 * channel('maps', 3) + -0.5 * total_variation(2)"
    assert both.layers == {OUTPUT, "maps", INPUT}
    assert str(neuron("maps", 1, 2, 3)) == "neuron('maps', 1, 2, 3)"
    assert str(logit()) == "logit(predicted class)"


def test_sums_flatten_and_constants_add_up():
    total = (logit(1) + 2 - (3 - logit(2))) / 2
    np.testing.assert_allclose(total.value(HERE), (LOGITS[:, 1] + LOGITS[:, 2] - 1) / 2)
    assert str(total) == "0.5 * logit(1) + 0.5 * logit(2) + -0.5"


def test_numbers_of_numpy_multiply_from_the_left():
    np.testing.assert_allclose((np.float32(2) * logit(1)).value(HERE), 2 * LOGITS[:, 1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: logit(1) / 0, "cannot divide logit(1) by 0"),
        (lambda: logit(1) * "2", "can be multiplied and divided by numbers only; '2' is not a number"),
        (lambda: logit(1) * logit(2), "by numbers only; logit(2) is not a number"),
    ],
)
def test_what_is_not_a_number_is_no_factor(wrong, message):
    with pytest.raises(TargetError) as error:
        wrong()
    assert message in str(error.value)


def test_former_names_are_aliases():
    from crosslens import objective

    assert objective.Value is objective.ClassScore
    assert str(logit().pinned(HERE)) == str(logit().fix_choices(HERE)) != str(logit())
    for former, value in zip(logit(1).evaluated(HERE), logit(1).value_and_cotangents(HERE), strict=True):
        np.testing.assert_equal(former, value)


def test_what_a_model_does_not_have_is_refused_by_name():
    model = TinyModel()
    with pytest.raises(TargetError, match="target 9 is out of range; this model has 5 classes, 0 to 4"):
        logit(9).check(model)
    with pytest.raises(LayerError, match=r"no layer 'conv3' in this model .* Did you mean 'conv2'"):
        channel("conv3", 0).check(model)
    with pytest.raises(LayerError, match="channel 4 is out of range; layer 'conv1' has 4 channels"):
        (logit(1) + channel("conv1", 4)).check(model)
    with pytest.raises(LayerError, match=r"position \(9, 0\) is out of range; layer 'maps' has positions \(4, 5\)"):
        neuron("maps", 0, 9, 0).value(HERE)
    with pytest.raises(LayerError, match=r"the direction has shape \(2,\); layer 'maps' has 3 channels"):
        direction("maps", [1.0, 2.0]).value(HERE)
    with pytest.raises(
        LayerError, match=r"the reference of match\('maps'\) has shape \(1, 3, 2, 2\); the layer gives \(2, 3, 4, 5\)"
    ):
        match("maps", np.zeros((1, 3, 2, 2))).value(HERE)
    with pytest.raises(
        LayerError, match=r"a Gram matrix needs maps \(N, C, H, W\) or tokens \(N, T, D\); this layer gives \(2, 7\)"
    ):
        gram("vectors", np.eye(7)[None]).value(HERE)
    with pytest.raises(TargetError, match="3 targets for 2 images; give one, or one per image"):
        logit([1, 2, 3]).value(HERE)
