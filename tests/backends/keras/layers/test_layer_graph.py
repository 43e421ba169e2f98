"""The default layer belongs to the chosen output: a Keras model with two heads, the second with layers of its own."""

import crosslens
import keras
import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.introspection.default_layer import last_maps
from crosslens.model import INPUT, OUTPUT


@pytest.fixture(scope="module")
def two_heads():
    keras.utils.set_random_seed(0)
    x = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="trunk")(x)
    first = keras.layers.Conv2D(5, 3, padding="same", name="first")(maps)
    own = keras.Sequential(
        [keras.layers.Conv2D(6, 3, padding="same", name="second"), keras.layers.Dropout(0.5, name="drop")], name="own"
    )(maps)
    ends = [keras.layers.GlobalAveragePooling2D(name=name)(y) for name, y in (("gap0", first), ("gap1", own))]
    return keras.Model(x, ends)


@pytest.fixture(scope="module")
def folder(two_heads, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net"
    two_heads.export(path, verbose=False)
    return path


def images():
    return np.random.default_rng(0).random((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(("output", "layer"), [(0, "first"), (1, "own")])
def test_the_last_maps_are_those_before_the_chosen_output(two_heads, output, layer):
    model = crosslens.wrap(two_heads, preprocess="unit", output=output)
    assert last_maps(model) == layer
    assert np.ptp(crosslens.method("grad_cam", rectified=False)(model, images(), target=2).values) > 0


@pytest.mark.parametrize("output", [0, 1])
def test_in_a_saved_model_too(folder, output):
    model = crosslens.wrap(folder, preprocess="unit", output=output)
    last = last_maps(model)
    pull = model.vjp(images(), {OUTPUT: np.ones((2, 5 + output), np.float32)}, wrt=[last])
    assert model.layers[last].shape[1] == 5 + output
    assert np.abs(pull.gradients[last]).min() > 0


def test_for_a_layer_inside_they_end_before_it(two_heads):
    model = crosslens.wrap(two_heads, preprocess="unit", output=1)
    assert last_maps(model, ["own/second"]) == "trunk"
    assert {"trunk", "own/second"} <= model.upstream(["own/second"]) <= {*model.layers} - {"first", "gap0", "gap1"}
    with pytest.raises(LayerError, match=r"no layer with maps .* comes before <input>; name a layer"):
        last_maps(model, [INPUT])


@pytest.mark.parametrize("output", [0, 1])
def test_a_layer_reads_what_it_is_computed_from(two_heads, output):
    model = crosslens.wrap(two_heads, preprocess="unit", output=output)
    ends = [("gap0", "first"), ("gap1", "own")][output]
    assert (model.reads(OUTPUT), model.reads(ends[0]), model.reads("first")) == (ends[:1], ends[1:], ("trunk",))
    assert [model.reads(name) for name in ("own", "own/drop", "own/second")] == [
        ("own/drop",),
        ("own/second",),
        ("trunk",),
    ]
    assert (model.reads("trunk"), model.reads("trunk/add"), model.reads(INPUT)) == (("trunk/add",), (INPUT,), ())


def test_a_sum_reads_both_of_its_terms_and_a_dropout_is_read_by_whom_it_feeds_alone():
    x = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(4, 3, name="a")(x)
    b = keras.layers.Dropout(0.5, name="b")(a)
    model = crosslens.wrap(keras.Model(x, keras.layers.Add(name="sum")([b, a])))
    assert (model.reads("sum"), model.reads("b")) == (("b", "a"), ("a",))


def test_a_saved_model_reads_too(folder):
    model = crosslens.wrap(folder, preprocess="unit", output=0)
    (end,) = model.reads(OUTPUT)
    assert model.upstream([OUTPUT]) >= {*model.reads(end), end, OUTPUT, INPUT}
    assert all(model.reads(name) for name in model.layers if name != INPUT)
