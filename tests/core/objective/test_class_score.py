"""Class scores: units, the predicted class, probabilities that are probabilities already."""

import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.model import OUTPUT
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
