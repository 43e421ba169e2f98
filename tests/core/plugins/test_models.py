"""Models and methods in any form: objects, paths, names, in a list or by name."""

from pathlib import Path

import numpy as np
import pytest
from crosslens import align, compare, diverge, method, search
from crosslens.errors import ComparisonError, ModelError, PluginError
from crosslens.plugins import method_class
from crosslens.plugins.models import named_methods, named_models
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
SPEC = "crosslens.testing:TinyModel"
"""A factory: what a string in a list of models may be without a framework."""


def test_models_in_a_list_are_called_by_their_files_or_backends():
    given = [SPEC, TinyModel(), TinyModel(seed=1)]
    assert list(named_models(given)) == [SPEC, "tiny", "tiny 2"]


def test_files_of_one_name_are_called_by_their_paths(monkeypatch):
    monkeypatch.setattr("crosslens.plugins.models.wrap", lambda network, **options: TinyModel())
    assert list(named_models(["a/net.onnx", Path("b/net.onnx"), "c.onnx", "c.onnx"])) == [
        "a/net.onnx", "b/net.onnx", "c.onnx", "c.onnx 2",
    ]  # fmt: skip


def test_a_pair_holds_the_options_of_one_model():
    labels = list("abcde")
    in_list = named_models([(SPEC, {"labels": labels}), TinyModel()])
    by_name = named_models({"a": (SPEC, {"labels": labels}), "b": TinyModel()})
    assert next(iter(in_list.values())).labels == by_name["a"].labels == labels
    assert list(by_name) == ["a", "b"]


def test_strings_work_where_objects_do():
    """The result of names is that of the objects they mean."""
    of_names = compare([SPEC, TinyModel(seed=1)], ["grad_cam", "gradient"], IMAGES, 1)
    of_objects = compare([TinyModel(), TinyModel(seed=1)], [method("grad_cam"), method("gradient")], IMAGES, 1)
    assert of_names.methods == ("grad_cam", "gradient")
    for name in of_names.methods:
        np.testing.assert_array_equal(of_names.results[name, SPEC].values, of_objects.results[name, "tiny"].values)


def test_a_method_stands_under_several_labels():
    few, many = (method("integrated_gradients", steps=steps) for steps in (2, 9))
    made = compare({"a": TinyModel(), "b": TinyModel()}, {"few": few, "many": many}, IMAGES, 1)
    assert made.methods == ("few", "many")
    assert [made.results[label, "a"].parameters["steps"] for label in made.methods] == [2, 9]
    assert {row["method"] for row in made.rows()} == set(made.noise) == {"few", "many"}


def test_methods_are_given_by_class_too():
    kind = method_class("gradient")
    assert named_methods(kind) == named_methods([kind()]) == named_methods("gradient") == {"gradient": kind()}


def test_align_and_diverge_take_models_as_compare_does():
    one, other = TinyModel(), TinyModel(seed=1)
    by_name = {"a": one, "b": other}
    assert align(by_name, images=IMAGES).as_json() == align(one, other, images=IMAGES, names=("a", "b")).as_json()
    assert align([one, SPEC], images=IMAGES).models == align(one, SPEC, images=IMAGES).models == ("tiny", SPEC)
    expected = diverge(one, other, IMAGES, names=("a", "b")).as_json()
    assert diverge(by_name, IMAGES).as_json() == diverge(by_name, images=IMAGES).as_json() == expected
    assert diverge((one, {}), SPEC, IMAGES).models == ("tiny", SPEC)


def test_search_takes_a_name_and_a_path():
    found = search("activation_maximisation", SPEC, target=1, trials=1, vary={"steps": [1]})
    assert len(found.trials) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare(TinyModel(), IMAGES), r"given in a list, \[a, b\], or by name, .*; this is one: a cr"),
        (lambda: compare("a.onnx", "gradient", IMAGES), r"; this is one: 'a\.onnx'"),
        (lambda: compare((TinyModel(), {}), "gradient", IMAGES), "this is one: a builtins.tuple"),
        (lambda: named_models([TinyModel(), [SPEC]]), r"a pair \(network, options\) .*; this is a builtins\.list"),
        (lambda: named_models([(SPEC, {"label": "ab"})]), "wrap has no option 'label'; .* Did you mean 'labels'"),
        (lambda: named_models([(TinyModel(), {"labels": "ab"})]), "wrapped already"),
        (lambda: align(TinyModel(), TinyModel(), names=("a", "a")), "names are a, a for 2 models; give each its own"),
        (lambda: named_models([TinyModel(), IMAGES]), "no backend wraps a numpy.ndarray"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_models_is_refused_in_one_line(call, message):
    with pytest.raises(ModelError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare([TinyModel()] * 2, IMAGES), r"a name, .* of shape \(2, 3, 8, 8\)\. The order is"),
        (lambda: compare([TinyModel()] * 2, [], IMAGES), "no method to compare with; `crosslens methods` lists them"),
        (lambda: compare([TinyModel()] * 2, [int], IMAGES), "a name, 'grad_cam' for example"),
        (lambda: named_methods(["gradient", "gradient"]), "gradient is given twice; give each a label"),
        (lambda: diverge(TinyModel()), r"two models .*: diverge\(a, b, images\), or diverge\(\[a, b\]"),
        (lambda: diverge([TinyModel()] * 2, TinyModel(), IMAGES), "two models are compared: diverge"),
        (lambda: diverge([TinyModel()] * 3, IMAGES), "two models are compared layer by layer; there are 3"),
    ],
)  # fmt: skip
def test_what_is_no_method_or_no_two_models_is_refused_in_one_line(call, message):
    with pytest.raises(ComparisonError, match=message):
        call()


def test_a_method_over_a_data_set_is_not_compared():
    with pytest.raises(PluginError, match="mean_activation works over a data set, not on single images"):
        compare([TinyModel()] * 2, "mean_activation", IMAGES)


@pytest.mark.parametrize("network", ["net.onnx", Path("net.onnx"), {"a": TinyModel()}, IMAGES])
@pytest.mark.parametrize("name", ["gradient", "mean_activation"])
def test_a_call_of_a_method_takes_models_only_and_names_wrap(name, network):
    """Wrapping loads a network: once, not at each call."""
    with pytest.raises(ModelError, match=r"takes a model: model = crosslens\.wrap\(network\), then .*; received '?"):
        method(name)(network, IMAGES)
