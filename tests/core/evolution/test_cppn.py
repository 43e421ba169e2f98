"""CPPNs: functions, pictures and mutations against slow ones, one node, one pixel and one child at a time."""

import colorsys
import math

import numpy as np
import pytest
from crosslens.evolution import cppn_mutation
from crosslens.evolution.activation_functions import FUNCTIONS
from crosslens.evolution.cppn import ABSENT, INPUTS, LARGEST_WEIGHT, Cppns
from crosslens.evolution.cppn_mutation import RATES, choose, mutated
from crosslens.evolution.cppn_pictures import cppn_outputs
from crosslens.evolution.genomes import CppnGenomes
from crosslens.evolution.hsv import rgb_of_hsv

SLOW = {
    "sine": math.sin,
    "sigmoid": lambda x: 2 / (1 + math.exp(-x)) - 1,
    "gaussian": lambda x: math.exp(-(x**2)),
    "linear": lambda x: min(max(x, -3.0), 3.0) / 3.0,
}
"""As Nguyen, Yosinski and Clune's program has them."""


def evolved(count=40, outputs=3, generations=30, seed=0):
    """CPPNs that have grown."""
    rng = np.random.default_rng(seed)
    population = Cppns.first(count, outputs, rng)
    for _ in range(generations):
        population = mutated(population, rng)
    return population


def edges(c, n):
    """The connections of CPPN n, (from, to)."""
    return {(int(source), int(to)) for to, source in zip(*np.nonzero(c.weights[n]), strict=True)}


def slow_value(c, n, node, position):
    """One node at one pixel, from the nodes that lead to it."""
    if node < INPUTS:
        x, y = position
        return (x, y, math.sqrt(x * x + y * y), 1.0)[node]
    total = sum(
        c.weights[n, node, source] * slow_value(c, n, source, position) for source, to in edges(c, n) if to == node
    )
    return list(SLOW.values())[int(c.functions[n, node])](total)


def test_the_functions_are_those_of_the_paper():
    assert list(FUNCTIONS) == list(SLOW)
    x = np.linspace(-12, 12, 97)
    for name, function in FUNCTIONS.items():
        np.testing.assert_allclose(function(x), [SLOW[name](each) for each in x], rtol=1e-12, atol=1e-15)


def test_a_picture_is_its_graph_computed_one_pixel_at_a_time():
    c = evolved(count=8, generations=12)
    assert (c.hidden.sum(axis=1) > 0).sum() >= 5, "most have hidden nodes"
    got = cppn_outputs(c, (3, 4), np.float64)
    for n in range(len(c)):
        for row, y in enumerate((-1, 0, 1)):
            for column, x in enumerate((-1, -1 / 3, 1 / 3, 1)):
                wanted = [slow_value(c, n, INPUTS + k, (x, y)) for k in range(3)]
                np.testing.assert_allclose(got[n, :, row, column], wanted, rtol=1e-6, atol=1e-9)


def test_pictures_do_not_depend_on_the_population_or_on_how_pixels_are_divided(monkeypatch):
    c = evolved()
    whole = cppn_outputs(c, (9, 7))
    alone = [cppn_outputs(Cppns.from_rows(row[None], 3), (9, 7))[0] for row in c.rows()]
    np.testing.assert_allclose(whole, alone, atol=1e-4)
    monkeypatch.setattr("crosslens.evolution.cppn_pictures.NUMBERS", 1)
    np.testing.assert_allclose(cppn_outputs(c, (9, 7)), whole, atol=1e-4)


def test_grey_and_colours_of_a_picture():
    c = evolved(count=5)
    numbers = np.abs(cppn_outputs(c, (6, 6)))
    np.testing.assert_array_equal(CppnGenomes(3, (6, 6), hsv=False).pictures(c.rows()), numbers)
    coloured = CppnGenomes(3, (6, 6), hsv=True).pictures(c.rows())
    slow = [[[colorsys.hsv_to_rgb(*pixel) for pixel in row] for row in each] for each in numbers.transpose(0, 2, 3, 1)]
    np.testing.assert_allclose(coloured, np.transpose(slow, (0, 3, 1, 2)), atol=1e-6)
    assert coloured.dtype == np.float32
    grey = evolved(count=2, outputs=1)
    assert CppnGenomes(1, (6, 5), hsv=False).pictures(grey.rows()).shape == (2, 1, 6, 5)


def test_hues_go_round():
    hues = np.linspace(0, 1, 25)
    hsv = np.stack([hues, np.full(25, 0.7), np.full(25, 0.9)])[None, :, :, None]
    wanted = [colorsys.hsv_to_rgb(hue, 0.7, 0.9) for hue in hues]
    np.testing.assert_allclose(rgb_of_hsv(hsv)[0, :, :, 0].T, wanted, atol=1e-12)


def test_there_are_never_loops_and_inputs_are_never_computed():
    c = evolved(count=60, generations=150)
    for n in range(len(c)):
        remaining, nodes = edges(c, n), set(np.flatnonzero(c.present[n]))
        assert {node for edge in remaining for node in edge} <= nodes
        assert not [to for _, to in remaining if to < INPUTS]
        while nodes:  # Kahn's: a graph without loops can be taken apart from its start
            free = {node for node in nodes if node not in {to for _, to in remaining}}
            assert free, f"the connections of CPPN {n} run in a circle"
            nodes -= free
            remaining = {edge for edge in remaining if edge[0] not in free}
    assert (np.abs(c.weights) <= LARGEST_WEIGHT).all()
    assert set(np.unique(c.functions[c.present])) <= {0.0, 1.0, 2.0, 3.0}


def test_choose_takes_each_allowed_column_equally_often():
    allowed = np.array([[False, True, True, False, True]] * 3000)
    got = np.bincount(choose(allowed, (np.arange(3000) + 0.5) / 3000), minlength=5)
    np.testing.assert_array_equal(got, [0, 1000, 1000, 0, 1000])
    assert choose(np.zeros((2, 4), bool), np.array([0.0, 0.99])).tolist() == [-1, -1]


COUNT = 8000


def parent():
    """One CPPN with 3 hidden nodes, many times."""
    c = evolved(count=200, outputs=1, generations=25, seed=1)
    n = int(np.flatnonzero((c.hidden.sum(axis=1) == 3) & ((c.weights != 0).sum(axis=(1, 2)) >= 6))[0])
    return Cppns.from_rows(np.repeat(c.rows()[n : n + 1], COUNT, axis=0), 1)


def only(monkeypatch, name):
    """Children to which nothing but one kind of change happens."""
    before = parent()
    monkeypatch.setattr(cppn_mutation, "RATES", dict.fromkeys(RATES, 0.0) | {name: RATES[name]})
    monkeypatch.setattr(cppn_mutation, "VALUE_RATE", 0.0)
    return before, mutated(before, np.random.default_rng(3))


def check_share(share, wanted):
    """Within four standard deviations of a binomial share."""
    assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / COUNT)


def check_even(counts, choices):
    """Each choice is made about equally often."""
    assert set(counts) == set(choices)
    even = sum(counts.values()) / len(choices)
    assert max(abs(count - even) for count in counts.values()) < 4 * math.sqrt(even)


def counted(changes):
    return {each: changes.count(each) for each in set(changes)}


def test_connections_are_added_where_the_order_allows_in_half_of_the_children(monkeypatch):
    before, after = only(monkeypatch, "add_connection")
    old = edges(before, 0)
    places, nodes = before.places[0], np.flatnonzero(before.present[0])
    allowed = {(int(a), int(b)) for a in nodes for b in nodes if places[a] < places[b]} - old
    added = [next(iter(new)) for n in range(COUNT) if (new := edges(after, n) - old)]
    assert all(old <= edges(after, n) and len(edges(after, n)) <= len(old) + 1 for n in range(0, COUNT, 50))
    check_share(len(added) / COUNT, 0.5)
    check_even(counted(added), allowed)
    weights = after.weights[(after.weights != 0) & (before.weights == 0)]
    assert np.abs(np.quantile(weights, [0.25, 0.5, 0.75]) - [-5, 0, 5]).max() < 0.6


def test_connections_are_deleted_in_three_tenths_of_the_children(monkeypatch):
    before, after = only(monkeypatch, "delete_connection")
    old = edges(before, 0)
    deleted = [next(iter(gone)) for n in range(COUNT) if (gone := old - edges(after, n))]
    check_share(len(deleted) / COUNT, 0.3)
    check_even(counted(deleted), old)
    assert all(edges(after, n) <= old for n in range(COUNT))


def test_nodes_are_added_within_connections_in_half_of_the_children(monkeypatch):
    """The connection is replaced by two: the first has weight 1, the second the weight that it had."""
    before, after = only(monkeypatch, "add_node")
    old, divided, functions = edges(before, 0), [], []
    for n in range(COUNT):
        if not (new := edges(after, n) - old):
            continue
        ((source, to),) = old - edges(after, n)
        (node,) = {a for a, _ in new} & {b for _, b in new}
        assert new == {(source, node), (node, to)}
        assert after.weights[n, node, source] == 1
        assert after.weights[n, to, node] == before.weights[n, to, source]
        assert after.places[n, source] < after.places[n, node] < after.places[n, to]
        divided.append((source, to))
        functions.append(int(after.functions[n, node]))
    check_share(len(divided) / COUNT, 0.5)
    check_even(counted(divided), old)
    check_even(counted(functions), range(4))


def test_hidden_nodes_are_deleted_with_their_connections_in_a_fifth_of_the_children(monkeypatch):
    before, after = only(monkeypatch, "delete_node")
    old, deleted = edges(before, 0), []
    for n in range(COUNT):
        gone = np.flatnonzero(before.present[n] & ~after.present[n])
        if gone.size:
            (node,) = (int(each) for each in gone)
            assert edges(after, n) == {edge for edge in old if node not in edge}
            deleted.append(node)
        else:
            assert edges(after, n) == old
    check_share(len(deleted) / COUNT, 0.2)
    check_even(counted(deleted), np.flatnonzero(before.hidden[0]).tolist())


def test_a_tenth_of_weights_and_functions_change_and_connections_stay(monkeypatch):
    before = parent()
    monkeypatch.setattr(cppn_mutation, "RATES", dict.fromkeys(RATES, 0.0))
    after = mutated(before, np.random.default_rng(4))
    np.testing.assert_array_equal(after.weights != 0, before.weights != 0)
    moved = (after.weights != before.weights)[before.weights != 0].mean()
    assert abs(moved - 0.1) < 0.01
    computed = before.present.copy()
    computed[:, :INPUTS] = False
    changed = (after.functions != before.functions)[computed].mean()
    assert abs(changed - 0.1 * 3 / 4) < 0.01, "one in four draws is the function that there was"
    np.testing.assert_array_equal(after.functions[~computed], before.functions[~computed])


def test_a_child_depends_on_its_parent_and_its_place_alone():
    """So that one genome that differs between two runs changes no other child."""
    c = evolved(count=6)
    other = Cppns.from_rows(c.rows(), 3)
    other.weights[2] = evolved(count=6, seed=9).weights[2]
    other.places[2], other.functions[2] = evolved(count=6, seed=9).places[2], evolved(count=6, seed=9).functions[2]
    a, b = mutated(c, np.random.default_rng(5)).rows(), mutated(other, np.random.default_rng(5)).rows()
    np.testing.assert_array_equal(np.delete(a, 2, axis=0), np.delete(b, 2, axis=0))


def test_a_full_cppn_takes_no_more_nodes(monkeypatch):
    monkeypatch.setattr(
        cppn_mutation, "RATES", {**RATES, "add_node": 1.0, "delete_node": 0.0, "delete_connection": 0.0}
    )
    c = evolved(count=3, outputs=1, generations=60)
    assert c.present.all()
    assert len(edges(c, 0)) > 20
    assert (c.functions != ABSENT).all()


def test_the_first_cppns_have_no_hidden_nodes_and_read_every_input():
    c = Cppns.first(500, 3, np.random.default_rng(0))
    assert not c.hidden.any()
    assert edges(c, 0) == {(source, INPUTS + to) for source in range(INPUTS) for to in range(3)}
    drawn = c.weights[c.weights != 0]
    assert np.abs(np.quantile(drawn, [0.25, 0.5, 0.75]) - [-5, 0, 5]).max() < 0.6


def test_rows_hold_everything():
    c = evolved(count=4)
    back = Cppns.from_rows(c.rows(), 3)
    for name in ("functions", "places", "weights"):
        np.testing.assert_array_equal(getattr(back, name), getattr(c, name))


def test_nodes_that_no_output_reads_do_not_count():
    c = Cppns.first(1, 1, np.random.default_rng(0))
    node = INPUTS + 1
    c.functions[0, node], c.places[0, node], c.weights[0, node, 0] = 0, 0.5, 1.0
    figures = CppnGenomes(1, (4, 4), hsv=False).figures(c.rows()[0])
    assert figures == {"nodes": 5, "connections": 4}


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1)])
def test_pictures_of_one_row_or_column(size):
    assert np.isfinite(cppn_outputs(evolved(count=3), size)).all()
