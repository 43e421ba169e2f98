"""Top positions against a full sort of all values, with many ties, however the images are cut and merged."""

from itertools import pairwise

import numpy as np
import pytest
from crosslens.data import Batch, Samples
from crosslens.data.top_positions import TOP_KINDS, TopPositions
from crosslens.errors import ModelError, ParameterError
from crosslens.model.reduction import reduced

SHAPES = {"maps": (11, 5, 3, 4), "tokens": (11, 6, 5), "vectors": (11, 5), "one unit": (11, 1, 2, 2)}


def random_activations(shape, seed=0):
    """Whole numbers from -2 to 2: almost every value occurs many times; zeros of both signs."""
    rng = np.random.default_rng(seed)
    values = rng.integers(-2, 3, shape).astype(np.float32)
    return np.where(rng.random(shape) < 0.5, values, -values)


def by_sorting(activations, statistic):
    """The definition, slowly: every value of a unit as (order, image, position) in one sorted list."""
    maps = activations if activations.ndim == 3 else np.moveaxis(activations, 1, -1)
    count, units = len(maps), maps.shape[-1]
    rows = maps.reshape(count, -1, units)
    found = []
    for unit in range(units):
        order = []
        for image in range(count):
            own = [(sign(statistic.kind, float(v)), image, p, float(v)) for p, v in enumerate(rows[image, :, unit])]
            own = sorted(each for each in own if wanted(statistic.kind, each[3]))
            order += own[:1] if statistic.per_image else own
        best = [(value + 0.0, image, place) for _, image, place, value in sorted(order)[: statistic.count]]
        found.append(best + [(0.0, -1, -1)] * (statistic.count - len(best)))
    return {
        "value": np.array([[each[0] for each in row] for row in found], np.float32),
        "image": np.array([[each[1] for each in row] for row in found]),
        "position": np.array([[each[2] for each in row] for row in found]),
    }


def sign(kind, value):
    return (-value if kind in {"most", "slightly_negative"} else value) + 0.0


def wanted(kind, value):
    return {"slightly_positive": value > 0, "slightly_negative": value < 0}.get(kind, True)


def batch(statistic, activations, start, stop, first=0):
    part = {"layer": activations[start:stop]}
    indices = tuple(range(first + start, first + stop))
    samples = Samples(indices, tuple(map(str, indices)), None, ({},) * len(indices))
    return Batch(samples, part, {each: reduced(each, part) for each in statistic.reductions})


def gathered(statistic, activations, cuts, start=0):
    state = statistic.empty()
    for first, last in pairwise([start, *cuts]):
        state = statistic.add(state, batch(statistic, activations, first, last))
    return state


def assert_same_bits(got, expected):
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)
        assert got[name].tobytes() == values.astype(got[name].dtype).tobytes(), name


@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("kind", TOP_KINDS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_best_are_those_of_a_full_sort_however_images_are_cut_into_batches(shape, kind, per_image):
    activations = random_activations(shape)
    for count in (1, 4, 40):
        statistic = TopPositions("layer", count, kind, per_image)
        expected = by_sorting(activations, statistic)
        for cuts in ([11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [4, 8, 11]):
            assert_same_bits(gathered(statistic, activations, cuts), expected)


@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("kind", TOP_KINDS)
def test_states_of_shards_merge_to_the_same_bits_in_any_order_and_grouping(kind, per_image):
    activations = random_activations((40, 7, 3, 3), seed=1)
    statistic = TopPositions("layer", 6, kind, per_image)
    expected = by_sorting(activations, statistic)
    rng = np.random.default_rng(0)
    for _ in range(20):
        limits = [0, *sorted(rng.choice(np.arange(1, 40), 5, replace=False)), 40]
        states = [gathered(statistic, activations, [b], a) for a, b in pairwise(limits)]
        while len(states) > 1:
            a, b = rng.choice(len(states), 2, replace=False)
            merged = statistic.merge(states[a], states[b])
            states = [state for n, state in enumerate(states) if n not in {a, b}] + [merged]
        assert_same_bits(states[0], expected)


def test_adding_and_merging_change_no_state_that_they_are_given():
    activations = random_activations((8, 5, 2, 2))
    statistic = TopPositions("layer", 3)
    first, second = gathered(statistic, activations, [4]), gathered(statistic, activations, [8], 4)
    before = {name: values.copy() for name, values in first.items()}
    statistic.merge(first, second)
    statistic.add(first, batch(statistic, activations, 4, 8))
    assert_same_bits(first, before)


@pytest.mark.parametrize("kind", TOP_KINDS)
def test_nan_is_refused_with_the_layer_and_the_image(kind):
    activations = random_activations((3, 2, 2, 2))
    activations[1, 0, 1, 1] = np.nan
    statistic = TopPositions("layer", 3, kind)
    with pytest.raises(ModelError, match="layer 'layer' gives NaN for the image '1'"):
        gathered(statistic, activations, [3])


@pytest.mark.parametrize("kind", TOP_KINDS)
def test_infinite_values_are_ordered_as_numbers(kind):
    activations = np.array([-np.inf, 1, np.inf, -1, np.inf], np.float32).reshape(5, 1)
    statistic = TopPositions("layer", 5, kind)
    assert_same_bits(gathered(statistic, activations, [2, 5]), by_sorting(activations, statistic))


def test_unknown_kinds_and_counts_below_one_are_refused():
    with pytest.raises(ParameterError, match=r"no kind of examples 'mots'.*'most'"):
        TopPositions("layer", 3, "mots")
    with pytest.raises(ParameterError, match="count is 0"):
        TopPositions("layer", 0)
