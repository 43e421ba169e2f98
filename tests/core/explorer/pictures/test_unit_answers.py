"""What a picture's page says of units: the strongest of a layer, and those that stand out at a position."""

import numpy as np
from crosslens.explorer.pictures.unit_answers import LayerScale, dictionary, strongest

MAPS = np.zeros((4, 2, 3), np.float32)
MAPS[0, 1, 2] = 5.0
MAPS[1] = 9.0  # large everywhere, as it is over all data
MAPS[2, 0, 1] = -1.0
MAPS[3, 0, 0] = 2.0
SCALE = LayerScale(mean=np.array([0.0, 9.0, 0.0, 0.0]), deviation=np.array([1.0, 3.0, 1.0, 0.0]))


def test_the_strongest_units_are_those_far_above_their_own_mean():
    """Unit 1 has the largest value, but always; unit 3 does not vary, so nothing can be said of it."""
    assert strongest(MAPS, SCALE) == [{"unit": 0, "value": 5.0, "place": [0.75, 5 / 6], "score": 5.0}]


def test_without_statistics_values_decide():
    assert [each["unit"] for each in strongest(MAPS, None)] == [1, 0, 3]
    assert strongest(MAPS, None)[0]["score"] is None


def test_units_of_a_vector_have_no_place():
    found = strongest(np.array([0.0, 3.0])[:, None, None], None)
    assert found == [{"unit": 1, "value": 3.0, "place": None, "score": None}]


def test_the_dictionary_names_units_at_their_own_position():
    found = dictionary(MAPS, SCALE)
    assert (found["rows"], found["columns"]) == (2, 3)
    assert found["units"] == [[], [], [], [], [], [0]]
    assert found["values"][5] == [5.0]


def test_a_cell_of_a_coarse_dictionary_has_the_largest_value_within_it():
    rng = np.random.default_rng(0)
    maps = rng.random((3, 40, 37)).astype(np.float32)
    found = dictionary(maps, None)
    assert (found["rows"], found["columns"]) == (16, 16)
    edges = [np.linspace(0, size, 17).astype(int) for size in (40, 37)]
    for row in range(16):
        for column in range(16):
            part = maps[:, edges[0][row] : edges[0][row + 1], edges[1][column] : edges[1][column + 1]]
            best = sorted(range(3), key=lambda unit: -part[unit].max())
            at = row * 16 + column
            assert found["units"][at] == best
            np.testing.assert_allclose(found["values"][at], [part[unit].max() for unit in best], rtol=1e-3)
