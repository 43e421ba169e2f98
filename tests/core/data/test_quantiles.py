"""Quantiles and histograms by whole-number counts equal sorting and numpy.histogram, however the data are cut."""

import numpy as np
import pytest
from crosslens.data import Batch, Samples
from crosslens.data.histogram import Histogram, edges_between
from crosslens.data.quantiles import exact_quantiles, from_sortable, sortable
from crosslens.errors import ModelError

RNG = np.random.default_rng(0)
SHARES = (0.0, 0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995, 1.0)
SHAPE = (23, 5, 4, 3)
ODD = {
    "normal": RNG.normal(size=SHAPE),
    "rectified": np.maximum(RNG.normal(size=SHAPE), 0),
    "ties": RNG.integers(-2, 3, SHAPE),
    "all equal": np.full(SHAPE, 0.3),
    "zeros of both signs": RNG.choice([-0.0, 0.0], SHAPE),
    "subnormal": RNG.integers(-9, 9, SHAPE) * 1e-45,
    "infinite": RNG.choice([-np.inf, 0, np.inf], SHAPE),
    "all magnitudes": RNG.normal(size=SHAPE) * 10.0 ** RNG.integers(-38, 38, SHAPE),
}


def batch(values):
    ids = tuple(map(str, range(len(values))))
    return Batch(Samples(tuple(range(len(values))), ids, None, ({},) * len(values)), {"layer": values})


def gathered(statistic, values, cuts):
    """As shards of random length in batches of random length, merged in another order."""
    parts = []
    for shard in np.split(values, cuts):
        state = statistic.empty()
        for start in range(0, len(shard), 3):
            state = statistic.add(state, batch(shard[start : start + 3]))
        parts.append(state)
    whole = statistic.empty()
    for part in reversed(parts):
        whole = statistic.merge(whole, part)
    return whole


def quantiles_of(values, shares=SHARES, cuts=(4, 11)):
    known = {}
    while True:
        asked, quantiles = exact_quantiles("layer", shares, known)
        if quantiles is not None:
            return quantiles
        known[asked[-1]] = gathered(asked[-1], values, cuts)


def by_sorting(values, shares=SHARES):
    rows = np.sort(np.moveaxis(values, 1, -1).reshape(-1, values.shape[1]), axis=0)
    places = [max(int(np.ceil(round(share * len(rows), 6))) - 1, 0) for share in shares]
    return rows[places]


@pytest.mark.parametrize("name", ODD)
def test_quantiles_equal_sorting(name):
    values = ODD[name].astype(np.float32)
    np.testing.assert_array_equal(quantiles_of(values), by_sorting(values))


def test_quantiles_do_not_depend_on_the_cut():
    values = ODD["normal"].astype(np.float32)
    np.testing.assert_array_equal(quantiles_of(values, cuts=(1, 2, 20)), quantiles_of(values, cuts=()))


def test_quantiles_are_numpys_inverted_cdf():
    values = RNG.normal(size=(50, 4)).astype(np.float32)
    expected = np.quantile(values, [0.02, 0.5, 0.99], axis=0, method="inverted_cdf")
    np.testing.assert_array_equal(quantiles_of(values, (0.02, 0.5, 0.99)), expected)


def test_no_more_than_the_tail_lies_above_the_threshold_of_dissection():
    values = RNG.normal(size=(40, 3, 10, 10)).astype(np.float32)
    (threshold,) = quantiles_of(values, (0.995,))
    above = (values > threshold[:, None, None]).mean(axis=(0, 2, 3))
    assert (above <= 0.005).all()
    assert ((values >= threshold[:, None, None]).mean(axis=(0, 2, 3)) > 0.005).all()


def test_sortable_bits_keep_the_order_and_come_back():
    values = np.array([-np.inf, -1, -1e-45, 0, 1e-45, 1, np.inf], np.float32)
    keys = sortable(values)
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    np.testing.assert_array_equal(from_sortable(keys), values)


def test_nan_is_refused_by_layer():
    values = np.full((2, 3, 4), np.nan, np.float32)
    with pytest.raises(ModelError, match="layer 'layer' gives NaN for some of the images 0 to"):
        quantiles_of(values)


@pytest.mark.parametrize("name", [name for name in ODD if name not in {"infinite", "all magnitudes"}])
@pytest.mark.parametrize("bins", [1, 7, 64])
def test_histograms_are_numpys(name, bins):
    values = ODD[name].astype(np.float32)
    edges = edges_between(values.min(axis=(0, 2, 3)), values.max(axis=(0, 2, 3)), bins)
    counts = gathered(Histogram("layer", 5, edges.tobytes()), values, (2, 9))["counts"]
    for unit in range(5):
        np.testing.assert_array_equal(counts[unit], np.histogram(values[:, unit], bins=edges[unit])[0])
