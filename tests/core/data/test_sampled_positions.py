"""Sampled positions against whole activations and a slow sort of keys in Python's own whole numbers."""

from hashlib import blake2b

import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource, Batch, Samples, sweep
from crosslens.data.sampling.sampled_positions import SampledPositions
from crosslens.errors import ModelError, ParameterError
from crosslens.introspection.default_layer import default_layer

from tests.conformance.plans import images
from tests.conformance.zoo import BUILDERS, net

MAPS = np.random.default_rng(0).standard_normal((9, 4, 5, 6)).astype(np.float32)
MASK = 2**64 - 1


class Asks:
    """Asks for one statistic."""

    def __init__(self, statistic):
        self.statistic = statistic

    def statistics(self, model, source, gathered=None):
        return [self.statistic]


def batch(values, order):
    ids = tuple(f"image {each}" for each in order)
    samples = Samples(images=values[order], indices=tuple(order), ids=ids, records=({},) * len(order))
    return Batch(samples, {"layer": values[order]})


def slow_key(seed, name, position):
    key = int.from_bytes(blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest(), "little")
    key = (key + (position + 1) * 0x9E3779B97F4A7C15) & MASK
    key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & MASK
    return key ^ (key >> 31)


def slow(count, seed, edge, per_image):
    found = []
    for image, maps in enumerate(MAPS):
        inner = [(y, x) for y in range(edge, 5 - edge) for x in range(edge, 6 - edge)]
        of_image = sorted((slow_key(seed, f"image {image}", 6 * y + x), image, 6 * y + x) for y, x in inner)
        found += [(*each, maps[:, each[2] // 6, each[2] % 6]) for each in of_image[:per_image]]
    return sorted(found, key=lambda each: each[:3])[:count]


@pytest.mark.parametrize(("count", "seed", "edge", "per_image"), [(5, 0, 1, 1), (20, 3, 0, 4), (99, 7, 2, 3)])
def test_the_sample_is_that_of_sorting_all_keys(count, seed, edge, per_image):
    statistic = SampledPositions("layer", count, seed, edge, per_image)
    state = statistic.add(statistic.empty(), batch(MAPS, list(range(9))))
    expected = slow(count, seed, edge, per_image)
    assert state["key"].tolist() == [each[0] for each in expected]
    assert state["image"].tolist() == [each[1] for each in expected]
    assert state["position"].tolist() == [each[2] for each in expected]
    np.testing.assert_array_equal(state["activation"], np.stack([each[3] for each in expected]))


def test_neither_order_nor_batches_nor_grouping_change_a_bit():
    statistic = SampledPositions("layer", 6, per_image=2)
    whole = statistic.add(statistic.empty(), batch(MAPS, list(range(9))))
    a, b, c = (statistic.add(statistic.empty(), batch(MAPS, part)) for part in ([8, 2, 5], [0, 7], [1, 6, 4, 3]))
    for other in (
        statistic.merge(statistic.merge(c, a), b),
        statistic.merge(b, statistic.merge(statistic.empty(), statistic.merge(a, c))),
    ):
        for name, values in whole.items():
            assert values.dtype == other[name].dtype
            np.testing.assert_array_equal(values, other[name])


@pytest.mark.parametrize("backend", BUILDERS)
def test_a_sweep_gives_the_activations_at_the_positions(backend):
    model = net(backend, "smooth").model
    layer, pictures = default_layer(model), images(5)
    statistic = SampledPositions(layer, 8, per_image=2)
    state = sweep(model, ArraySource(pictures), [Asks(statistic)]).states[statistic]
    maps = as_numpy(model.forward(pictures, [layer])[layer])
    y, x = np.divmod(state["position"], maps.shape[3])
    assert len(y) == 8
    assert set(y.tolist()) <= set(range(1, maps.shape[2] - 1))
    assert set(x.tolist()) <= set(range(1, maps.shape[3] - 1))
    np.testing.assert_allclose(state["activation"], maps[state["image"], :, y, x], rtol=1e-5, atol=1e-6)


def test_tokens_and_vectors_have_no_edge():
    tokens, vectors = MAPS[:, :, :, 0], MAPS[:, :, 0, 0]
    statistic = SampledPositions("layer", 99, edge=3, per_image=9)
    state = statistic.add(statistic.empty(), batch(tokens, [0, 1]))
    assert sorted(state["position"].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(state["activation"], tokens[state["image"], state["position"]])
    state = statistic.add(statistic.empty(), batch(vectors, [0, 1, 2]))
    np.testing.assert_array_equal(state["activation"], vectors[state["image"]])


def test_what_cannot_be_sampled_is_refused():
    with pytest.raises(ParameterError, match="count is 0"):
        SampledPositions("layer", 0)
    statistic = SampledPositions("layer", 4, edge=3)
    with pytest.raises(ParameterError, match=r"maps of 5 x 6.*edge=0"):
        statistic.add(statistic.empty(), batch(MAPS, [0]))
    broken = np.full_like(MAPS, np.nan)
    with pytest.raises(ModelError, match="NaN for the image 'image 0'"):
        SampledPositions("layer", 4).add(statistic.empty(), batch(broken, [0]))
