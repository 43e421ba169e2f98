"""Units of two layers, matched one to one."""

import numpy as np
from crosslens.explorer.beside.matched_units import correlations, matched_units


def test_correlations_are_numpys():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((50, 4)), rng.standard_normal((50, 3))
    expected = np.corrcoef(a, b, rowvar=False)[:4, 4:]
    np.testing.assert_allclose(correlations(a, b), expected, rtol=1e-12)


def test_units_in_another_order_and_scale_are_found_again():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((200, 6))
    order = [4, 2, 5, 0, 1, 3]
    b = 3 * a[:, order] + 7 + 0.01 * rng.standard_normal((200, 6))
    found = matched_units(a, b)
    assert [(order[j], i) for i, j, _ in found] == [(i, i) for i in range(6)]
    assert min(r for *_, r in found) > 0.999


def test_constant_units_correlate_with_nothing():
    a = np.column_stack([np.full(9, 0.1, np.float32), np.arange(9)])
    np.testing.assert_allclose(correlations(a, a), [[0, 0], [0, 1]], atol=1e-12)
