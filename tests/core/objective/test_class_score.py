"""Class scores: units, the predicted class, probabilities that are probabilities already."""

import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model import OUTPUT
from crosslens.model.output.output_spec import OutputSpec
from crosslens.objective import ClassScore, is_distribution, logit, probability
from crosslens.testing import TinyModel

LOGITS = np.array([[0.0, 2.0, 1.0], [3.0, -1.0, 0.5]])


def test_fixing_choices_fixes_the_predicted_class_of_each_image():
    assert logit().fix_choices({OUTPUT: LOGITS}) == logit([1, 0])


def test_selecting_one_image_serves_any_number_of_its_variants():
    np.testing.assert_array_equal(logit([1, 0]).select(0, 1).value({OUTPUT: LOGITS}), LOGITS[:, 1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.25, 0.75], [1.0, 0.0]], True),
        ([[0.25, 0.5], [1.0, 0.0]], False),
        ([[1.5, -0.5]], False),
        ([[1.0]], False),
    ],
)
def test_a_distribution_has_no_negative_value_and_adds_up_to_1(values, expected):
    assert is_distribution(np.array(values)) is expected


def test_no_softmax_is_put_on_top_of_probabilities():
    with pytest.raises(TargetError, match="this network ends in a softmax already"):
        probability(1).value({OUTPUT: np.array([[0.25, 0.75]])})


def test_a_class_out_of_range_is_refused_with_the_range():
    with pytest.raises(TargetError, match="target 9 is out of range; this model has 5 classes, 0 to 4"):
        ClassScore(9).check(TinyModel())


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("logits", [[2.0, -1.0, 0.5]]),
        ("log_probabilities", [np.log([0.2, 0.5, 0.3])]),
        ("probabilities", [[0.2, 0.5, 0.3]]),
        ("independent", [[0.9, 0.5, 0.3]]),
        ("independent_logits", [[2.0, -1.0, 0.5]]),
        ("independent", [[0.3]]),
        ("independent_logits", [[-1.5]]),
    ],
)
def test_a_log_probability_is_the_logarithm_of_the_probability_with_its_slope(kind, output):
    a = np.asarray(output, np.float64)
    spec = OutputSpec(kind, a.shape[1:])
    for k in range(spec.count):
        wanted, likely = (ClassScore(k, unit, spec) for unit in ("log_probability", "probability"))

        def log_p(x, likely=likely):
            return float(np.log(likely.value({OUTPUT: x})[0]))

        np.testing.assert_allclose(wanted.value({OUTPUT: a})[0], log_p(a), rtol=1e-6)
        ways = 1e-5 * np.eye(a.size)
        slopes = [(log_p(a + way) - log_p(a - way)) / 2e-5 for way in ways]
        if kind == "log_probabilities":
            slopes = [float(n == k) for n in range(a.size)]
        np.testing.assert_allclose(wanted.cotangents({OUTPUT: a})[OUTPUT][0], slopes, atol=1e-6)


def test_a_log_probability_reads_the_logits_where_the_network_ends_in_a_softmax_and_never_is_infinite():
    spec = OutputSpec("probabilities", (2,), "softmax", "head")
    z = np.array([[300.0, 0.0]], np.float32)
    score = ClassScore(1, "log_probability", spec)
    assert score.layers == {"head"}
    np.testing.assert_allclose(score.value({"head": z}), [-300.0])
    np.testing.assert_allclose(score.cotangents({"head": z})["head"], [[-1.0, 1.0]])
    plain = ClassScore(1, "log_probability", OutputSpec("probabilities", (2,)))
    assert np.isfinite(plain.cotangents({OUTPUT: np.array([[1.0, 0.0]], np.float32)})[OUTPUT]).all()
