"""LRP as a method: maps and channels, presets, accounts, targets that cannot be shared out, what is saved."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError, ParameterError, TargetError
from crosslens.method.preset import with_preset
from crosslens.methods.relevance.lrp import LRP
from crosslens.objective import channel, probability
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def model():
    return TinyModel(relu=True)


def test_the_map_is_the_sum_over_channels(model):
    each = crosslens.method("lrp", per_channel=True)(model, X, 1).values
    assert each.shape == X.shape
    np.testing.assert_allclose(crosslens.method("lrp")(model, X, 1).values, each.sum(axis=1), atol=1e-7)


@pytest.mark.parametrize(("library", "off"), [("captum", 1e-6), ("innvestigate", 1e-4)])
def test_presets_of_the_epsilon_rule_are_gradient_x_input_on_rectifiers(model, library, off):
    """Ancona et al. 2018, proposition 1: LRP-epsilon with a small epsilon is gradient x input."""
    got = with_preset(LRP, library)()(model, X, 1)
    want = crosslens.method("gradient_x_input")(model, X, 1).values
    np.testing.assert_allclose(got.values, want, atol=off * np.abs(want).max())


def test_zennit_s_preset_gives_each_channel_by_the_default_composite(model):
    got, own = with_preset(LRP, "zennit")()(model, X, 1), crosslens.method("lrp", per_channel=True)(model, X, 1)
    np.testing.assert_array_equal(got.values, own.values)


def test_the_accounts_add_up_to_the_start(model):
    for composite in crosslens.relevance.COMPOSITES:
        figures = crosslens.method("lrp", composite=composite)(model, X[:1], 1).figures()
        total = figures["sum"] + figures["biases"] + figures["stabiliser"] + figures["gap"]
        assert figures["start"] == pytest.approx(total, rel=1e-9)
        assert abs(figures["gap"]) < 1e-5 * abs(figures["start"]), composite


def test_without_their_biases_rules_of_one_sign_leave_all_to_the_inputs(model):
    """Of the dense layer the bias still takes its share; there is none here."""
    bare = model._with_weights({"fc": {"bias": np.zeros(5, np.float32)}})
    figures = crosslens.method("lrp", composite="epsilon_plus", biases="ignore")(bare, X[:1], 1).figures()
    assert figures["biases"] == pytest.approx(0, abs=1e-7)
    assert figures["sum"] == pytest.approx(figures["start"], rel=1e-4)


def test_relevance_through_all_channels_of_a_layer_is_all_relevance(model):
    each = [crosslens.method("lrp", through=(f"conv2:{n}",))(model, X, 1).values for n in range(6)]
    np.testing.assert_allclose(sum(each), crosslens.method("lrp")(model, X, 1).values, atol=1e-6)


def test_a_result_comes_back_from_its_file(model, tmp_path):
    result = crosslens.method("lrp")(model, X, 1)
    result.save(tmp_path / "lrp.npz")
    back = crosslens.load(tmp_path / "lrp.npz")
    assert back == result
    assert back.figures() == result.figures()
    assert len(back[1].figures()) == 5
    assert isinstance(back[1].figures()["gap"], float)


@pytest.mark.parametrize(
    ("settings", "target", "error", "text"),
    [
        ({}, probability(1), TargetError, r"lrp shares out a logit, .*: a class number means its logit, target=281"),
        ({"rules": ("conv2",)}, 1, ParameterError, r"rule 'conv2' names no layer; write LAYER=RULE"),
        ({"rules": ("conv2=gama",)}, 1, ParameterError, r"no rule 'gama'; there are .* Did you mean 'gamma'"),
        ({"rules": ("conv3=flat",)}, 1, LayerError, r"no layer with a kernel is called 'conv3'; there are 'conv1'"),
        (
            {"rules": ("conv2=flat",)},
            1,
            LayerError,
            r"flat is a rule for layers that read the image.*to 'conv1'",
        ),
        ({"through": ("conv2",)}, 1, ParameterError, r"through='conv2' is no LAYER:CHANNEL"),
        ({"through": ("<input>:2",)}, 1, LayerError, r"channels are where relevance ends; per_channel=True gives each"),
        (
            {"through": ("conv2:6",)},
            1,
            LayerError,
            r"layer 'conv2' has 6 channels.*there is no channel 6",
        ),
        ({"layer": "conv3"}, 1, LayerError, r"no layer 'conv3'"),
        ({"epsilon": -1.0}, 1, ParameterError, "epsilon"),
    ],
)
def test_wrong_use_is_one_clear_line(model, settings, target, error, text):
    with pytest.raises(error, match=text):
        crosslens.method("lrp", **settings)(model, X, target)


@pytest.mark.parametrize(
    "name",
    [
        "lrp",
        "attn_lrp",
        "excitation_backprop",
        "deep_lift",
        "deep_lift_shap",
        "layer_conductance",
        "internal_influence",
    ],
)
def test_a_layer_that_the_target_is_not_computed_from_is_refused(model, name):
    target = channel("act1", 2)
    method = crosslens.method(name, layer="act1")
    assert np.asarray(method(model, X, target).values).any()  # the target's own layer is one
    text = r"the target is not computed from layer 'conv2'.*; give layer= a layer .*, such as 'conv1', or a target that"
    with pytest.raises(LayerError, match=text):
        crosslens.method(name, layer="conv2")(model, X, target)


@pytest.mark.parametrize("name", ["lrp", "attn_lrp"])
def test_channels_that_relevance_does_not_come_through_are_refused(model, name):
    with pytest.raises(LayerError, match=r"the target is not computed from layer 'conv2'.*give through= .* 'conv1'"):
        crosslens.method(name, through=("conv2:1",))(model, X, channel("act1", 2))
    with pytest.raises(LayerError, match=r"layer 'act1' is not computed from layer 'conv2'.*give layer= .* 'conv1'"):
        crosslens.method(name, through=("act1:1",), layer="conv2")(model, X, 1)


@pytest.mark.parametrize("name", ["lrp", "attn_lrp"])
def test_the_map_of_a_signal_has_its_positions(name):
    """(N, C, L) is a signal where it is the input: its channels are added up, as those of a picture."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    model = crosslens.wrap(net, input_shape=crosslens.InputSpec((2, 9), bounds=None), preprocess=None)
    signal = np.random.default_rng(0).normal(size=(2, 2, 9)).astype(np.float32)
    each = crosslens.method(name, per_channel=True)(model, signal, 1).values
    got = crosslens.method(name)(model, signal, 1).values
    assert got.shape == (2, 9)
    np.testing.assert_allclose(got, each.sum(axis=1), atol=1e-6)
