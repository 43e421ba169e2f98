"""Intervals of shares against SciPy's."""

import numpy as np
import pytest
from crosslens.robustness.intervals import wilson
from scipy.stats import binomtest


@pytest.mark.parametrize(("count", "of"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (513, 1000), (999, 1000)])
def test_wilson_is_scipys(count, of):
    expected = binomtest(count, of).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(count, of), [expected.low, expected.high], atol=1e-12)


def test_nothing_is_known_of_no_image():
    assert [float(end) for end in wilson(0, 0)] == [0.0, 1.0]
