"""What a Keras model is under other backward rules is made once and kept: TensorFlow never frees all of a trace."""

import keras
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, method, wrap
from crosslens.backends.keras.traced_functions import MOST_RULE_SETS, TracedFunctions
from keras import layers

IMAGE = np.random.default_rng(0).random((1, 3, 12, 12), dtype=np.float32)
DY = np.ones((1, 5), np.float32)


@pytest.fixture
def model():
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    keras.utils.set_random_seed(0)
    return wrap(keras.Model(image, layers.Dense(5)(x)), preprocess=None)


@pytest.fixture
def traces(monkeypatch):
    """The questions that functions are traced for."""
    asked = []
    plain = TracedFunctions.get_or_trace

    def spy(self, question, trace):
        return plain(self, question, lambda question: asked.append(question) or trace(question))

    monkeypatch.setattr(TracedFunctions, "get_or_trace", spy)
    return asked


@pytest.mark.parametrize("name", ["guided_backprop", "deconvnet"])
def test_a_second_call_traces_nothing(model, traces, name):
    first = method(name)(model, IMAGE, target=1).values
    count = len(traces)
    assert count
    np.testing.assert_array_equal(method(name)(model, IMAGE, target=1).values, first)
    assert len(traces) == count


def test_rules_do_not_mix(model):
    gradients = {
        rule: model.modified(relu=rule).vjp(IMAGE, {OUTPUT: DY}).gradients[INPUT]
        for rule in ("exact", "guided", "deconvnet", "linear")
    }
    for rule, before in gradients.items():
        np.testing.assert_array_equal(model.modified(relu=rule).vjp(IMAGE, {OUTPUT: DY}).gradients[INPUT], before)
    assert len({values.tobytes() for values in gradients.values()}) == 4
    assert model.modified(relu="guided").rules.relu == "guided"


def test_few_sets_are_kept_and_a_changed_copy_starts_with_none(model):
    for rule in ("guided", "deconvnet", "linear"):
        for products in ("exact", "half"):
            model.modified(relu=rule, products=products)
    assert len(model._rule_sets._kept) == MOST_RULE_SETS
    other = model.randomised([name for name in model.layers if "kernel" in model.weights(name)], 0)
    assert not other._rule_sets._kept
    one, two = (each.modified(relu="guided").vjp(IMAGE, {OUTPUT: DY}).gradients[INPUT] for each in (model, other))
    assert not np.array_equal(one, two)


def test_a_copy_with_another_batch_size_keeps_it_under_rules(model):
    model.modified(relu="guided")
    model.batch_size = 3
    assert model.modified(relu="guided").batch_size == 3
