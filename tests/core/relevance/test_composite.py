"""Which rule each layer has: composites, rules by layer, and what is said where a rule cannot be."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError, ParameterError
from crosslens.model.preprocessing import Preprocess
from crosslens.relevance import (
    COMPOSITES,
    AlphaBeta,
    Box,
    Epsilon,
    ExcitationBackprop,
    Flat,
    Gamma,
    WSquare,
    ZPlus,
    linear_maps,
    parse_rule,
    rules_of,
)
from crosslens.testing import TinyModel

LAYERS = ("conv1", "conv2", "fc")
KINDS = {
    "epsilon": (Epsilon, Epsilon, Epsilon),
    "epsilon_plus": (ZPlus, ZPlus, Epsilon),
    "epsilon_plus_flat": (Flat, ZPlus, Epsilon),
    "epsilon_alpha2_beta1": (AlphaBeta, AlphaBeta, Epsilon),
    "epsilon_alpha2_beta1_flat": (Flat, AlphaBeta, Epsilon),
    "epsilon_gamma_box": (Box, Gamma, Epsilon),
    "excitation": (ExcitationBackprop, ExcitationBackprop, ExcitationBackprop),
}


def chosen(composite="epsilon_plus", overrides=(), epsilon=None, **options):
    return rules_of(linear_maps(TinyModel(relu=True, **options)), COMPOSITES[composite], overrides, epsilon)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_composite_gives_first_convolutions_convolutions_and_dense_layers_their_rules(composite):
    rules = chosen(composite)
    assert tuple(rules) == LAYERS
    assert tuple(map(type, rules.values())) == KINDS[composite]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("conv1=flat", ("conv1", Flat())),
        ("*=gamma:0.5", ("*", Gamma(gamma=0.5))),
        ("conv?=alpha_beta:3:2", ("conv?", AlphaBeta(alpha=3, beta=2))),
        ("conv2=alpha_beta:1:0", ("conv2", AlphaBeta(alpha=1, beta=0))),
        ("fc=epsilon:1e-3", ("fc", Epsilon(1e-3))),
        ("fc=epsilon:.25", ("fc", Epsilon(0.25))),
        ("conv1=w_square", ("conv1", WSquare())),
        ("/layer1/a=b=z_plus", ("/layer1/a=b", ZPlus())),
    ],
)
def test_a_rule_by_layer_is_a_pattern_a_name_and_its_numbers(text, want):
    assert parse_rule(text) == want


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flat", r"rule 'flat' names no layer; write LAYER=RULE, for example 'conv1=flat' or '\*=gamma:0\.5'"),
        ("=flat", r"rule '=flat' names no layer; write LAYER=RULE"),
        ("conv1=flatt", r"no rule 'flatt'; there are .*Did you mean 'flat'\?"),
        ("conv1=flat:1", r"rule 'conv1=flat:1': flat takes no number, as in 'gamma:0\.25' or 'alpha_beta:2:1'"),
        ("*=gamma:1:2", r"rule '\*=gamma:1:2': gamma takes one number of 0 or more"),
        ("*=gamma:x", r"rule '\*=gamma:x': gamma takes one number of 0 or more"),
        ("*=gamma:-1", r"rule '\*=gamma:-1': gamma takes one number of 0 or more"),
        ("*=gamma:1e400", r"gamma is inf; give 0 or more, and not infinity: gamma:0\.25"),
        ("*=alpha_beta:1:0:0", r"rule '\*=alpha_beta:1:0:0': alpha_beta takes two numbers of 0 or more"),
        (
            "*=alpha_beta:1e400:1e400",
            r"alpha_beta has alpha inf and beta inf; relevance is conserved with alpha - beta",
        ),
        ("*=alpha_beta:2:0.5", r"alpha_beta has alpha 2 and beta 0\.5; .* alpha_beta:2:1 or alpha_beta:1:0"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_with_what_would_be_right(text, message):
    with pytest.raises(ParameterError, match=rf"^{message}"):
        parse_rule(text)
    with pytest.raises(ParameterError, match=message):
        crosslens.method("lrp", rules=(text,))(TinyModel(), np.zeros((1, 3, 8, 8), np.float32), target=0)


def test_of_several_rules_that_fit_a_layer_the_last_one_counts():
    rules = chosen(overrides=("conv*=epsilon", "conv2=gamma:1", "fc=alpha_beta"))
    assert rules == {"conv1": Epsilon(), "conv2": Gamma(gamma=1.0), "fc": AlphaBeta()}
    assert chosen(overrides=("conv2=gamma:1", "conv*=epsilon"))["conv2"] == Epsilon()


def test_epsilon_is_the_stabiliser_of_every_rule_but_of_one_that_says_its_own():
    rules = chosen(overrides=("fc=epsilon:0.5", "conv2=gamma:1"), epsilon=0.1)
    assert {name: rule.epsilon for name, rule in rules.items()} == {"conv1": 0.1, "conv2": 0.1, "fc": 0.5}
    assert {rule.epsilon for rule in chosen("excitation", epsilon=0.1).values()} == {0.0}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("conv3=flat", r"rule 'conv3=flat': no layer with a kernel is called 'conv3'; there are 'conv1', 'c"),
        ("act1=flat", r"no layer with a kernel is called 'act1'"),
        ("conv2=flat", r"flat is a rule for layers that read the image, and 'conv2' reads other layers; .* 'conv1'"),
        ("fc=w_square", r"w_square is a rule for layers that read the image, and 'fc' reads other layers; .* epsilon"),
    ],
)  # fmt: skip
def test_a_rule_that_fits_no_layer_is_refused_with_those_that_it_would_fit(override, message):
    with pytest.raises(LayerError, match=message):
        chosen(overrides=(override,))


def test_the_box_is_that_of_black_and_white_images_as_the_first_layer_reads_them():
    rule = chosen("epsilon_gamma_box", preprocess=Preprocess(mean=(0.4, 0.5, 0.3), std=(0.25, -0.5, 0.4)))["conv1"]
    np.testing.assert_allclose(rule.low, [-0.4 / 0.25, 0.5 / -0.5, -0.3 / 0.4], rtol=1e-6)
    np.testing.assert_allclose(rule.high, [0.6 / 0.25, -0.5 / -0.5, 0.7 / 0.4], rtol=1e-6)


def test_a_layer_answers_to_the_name_of_the_normalisation_that_is_part_of_it():
    """torch has conv and bn where an ONNX file has one fused layer, often under the name of the normalisation."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten()).eval()
    maps = linear_maps(crosslens.wrap(net, preprocess=None, input_shape=(3, 5, 5)))
    assert [rules_of(maps, COMPOSITES["epsilon"], [f"{name}=flat"])["0"].name for name in ("0", "1")] == ["flat"] * 2
