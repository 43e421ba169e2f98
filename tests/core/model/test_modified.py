"""`Model.modified`: every option is checked by core, then obeyed or refused, never dropped."""

import numpy as np
import pytest
from crosslens.errors import LayerError, ModelError, ParameterError
from crosslens.model import INPUT, OUTPUT, BackwardRules, Branch, KernelRule, Model
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
C = np.random.default_rng(1).standard_normal((2, 5), dtype=np.float32)


class OnlyRectifiers(TinyModel):
    rules_for = frozenset({"relu"})


def table(shape, **branch):
    return KernelRule((Branch((("any", np.ones(shape, np.float32)),), **branch),))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"slope": "secant"}, "slope='secant'"),
        ({"norms": "stop"}, "norms='stop'"),
        ({"products": "half"}, "products='half'"),
        ({"kernels": {"fc": table((5, 6))}}, r"kernels= \(layers 'fc'\)"),
    ],
)
def test_a_rule_that_the_backend_lacks_is_refused_with_backend_option_and_value(change, text):
    with pytest.raises(
        ModelError, match=rf"^the tiny backend has no backward rule for {text}; it has rules for relu=$"
    ):
        OnlyRectifiers(relu=True).modified(relu="guided", **change)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"relu": "gided"}, ParameterError, r"no relu rule 'gided'; there are exact, guided.* Did you mean 'guided'\?"),
        (
            {"slope": "secannt"},
            ParameterError,
            r"no slope rule 'secannt'; there are exact, secant, ratio\. Did you mean 'secant'",
        ),
        ({"kernels": {"conv3": table((4, 3, 3, 3))}}, LayerError, "no layer 'conv3'.*Did you mean 'conv2'"),
        ({"kernels": {"pool": table((4, 3))}}, LayerError, "layer 'pool' has no kernel"),
        ({"kernels": {"fc": table((6, 5))}}, ParameterError, r"has shape \(6, 5\); give \(5, 6\)"),
        ({"kernels": {"fc": table((5, 6), side="up")}}, ParameterError, "no sign 'up'; there are any, positive"),
        (
            {"kernels": {"fc": table((5, 6), bias=np.zeros(6))}},
            ParameterError,
            r"a bias of the rule for layer 'fc' has shape \(6,\); give \(5,\)",
        ),
        ({"kernels": {"fc": KernelRule(())}}, ParameterError, "the kernel rule for layer 'fc' has no branch"),
    ],
)
def test_values_and_layers_are_checked_before_the_backend_is_asked(change, error, text):
    with pytest.raises(error, match=text):
        TinyModel(relu=True).modified(**change)


def test_a_backend_is_given_the_rules_that_it_supports_with_canonical_layer_names():
    class Supporting(TinyModel):
        rules_for = frozenset({"kernels", "slope"})

        def _modified(self, rules):
            return self._copy(rules=rules)

    rule = table((5, 6))
    rules = Supporting().modified(slope="secant", kernels={"fc": rule}).rules
    assert (rules.relu, rules.slope, rules.kernels, rules.norms) == ("exact", "secant", {"fc": rule}, "exact")


def test_a_backend_without_rules_gives_an_exact_copy_and_refuses_the_rest():
    class Plain(TinyModel):
        rules_for = frozenset()
        _modified = Model._modified

    np.testing.assert_array_equal(Plain().modified().forward(X)[OUTPUT], Plain().forward(X)[OUTPUT])
    with pytest.raises(ModelError, match=r"no backward rule for relu='guided'; it has rules for no option"):
        Plain().modified(relu="guided")


def test_a_plugin_that_overrides_modified_for_relu_alone_still_works():
    class Old(TinyModel):
        def modified(self, *, relu="exact"):
            return self._copy(rules=BackwardRules(relu))

    want = TinyModel(relu=True).modified(relu="guided").vjp(X, {OUTPUT: C}).gradients[INPUT]
    np.testing.assert_array_equal(Old(relu=True).modified(relu="guided").vjp(X, {OUTPUT: C}).gradients[INPUT], want)


def test_a_copy_has_its_own_digest_and_shares_the_rest():
    model = TinyModel()
    assert model.digest == model.modified().digest
    copy = model._copy("layers", _parameters=TinyModel(seed=1)._parameters)
    assert copy.digest == TinyModel(seed=1).digest != model.digest
    assert "layers" in vars(model)
    assert "layers" not in vars(model._copy("layers"))
    assert copy.labels is model.labels
