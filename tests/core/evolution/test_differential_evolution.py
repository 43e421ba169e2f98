"""Differential evolution: children by the formula, one at a time, and scipy's on a function with many valleys."""

from itertools import permutations

import numpy as np
import pytest
from crosslens.evolution.differential_evolution import STRATEGIES, DifferentialEvolution
from scipy.optimize import differential_evolution


def generators(count):
    return [np.random.default_rng(seed) for seed in range(count)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_child_is_one_member_moved_by_the_difference_of_two_others(strategy):
    first = 0.4 + 0.1 * np.random.default_rng(9).random((3, 6, 4))  # so near each other that no child leaves [0, 1]
    evolution = DifferentialEvolution(generators(3), first, (0.7, 0.7), strategy)
    assert (evolution.children() == first).all()
    values = np.random.default_rng(10).random((3, 6))
    evolution.select(first, values)
    children = evolution.children()
    for n in range(3):
        for i in range(6):
            others = [m for m in range(6) if m != i]
            made = [(a, first[n, a] + 0.7 * (first[n, b] - first[n, c])) for a, b, c in permutations(others, 3)]
            if strategy == "best1":
                best = values[n].argmin()
                made = [(best, first[n, best] + 0.7 * (first[n, b] - first[n, c])) for b, c in permutations(others, 2)]
            assert any(np.allclose(children[n, i], child) for _, child in made)


def test_numbers_that_leave_the_range_are_drawn_anew_within_it():
    first = np.random.default_rng(3).integers(0, 2, (1, 50, 6)).astype(float)
    evolution = DifferentialEvolution(generators(1), first, (0.9, 0.9))
    evolution.select(first, np.ones((1, 50)))
    children = evolution.children()
    assert children.min() >= 0
    assert children.max() <= 1
    moved = ~np.isin(np.round(children, 6), [0, 0.1, 0.9, 1])
    assert 0.2 < moved.mean() < 0.8
    assert abs(children[moved].mean() - 0.5) < 0.05


def test_a_child_takes_its_own_parents_place_and_no_other():
    first = np.random.default_rng(4).random((2, 5, 3))
    evolution = DifferentialEvolution(generators(2), first)
    evolution.select(first, np.ones((2, 5)))
    children, values = evolution.children(), np.ones((2, 5)) * 2
    values[1, 3], values[0, 2] = 0.5, 1.0
    evolution.select(children, values)
    for n in range(2):
        for i in range(5):
            taken = (n, i) in {(1, 3), (0, 2)}
            assert (evolution.members[n, i] == (children if taken else first)[n, i]).all()
    assert evolution.values[1].tolist() == [1, 1, 1, 0.5, 1]


def test_populations_do_not_know_of_each_other():
    first = np.random.default_rng(5).random((3, 8, 2))

    def run(rows):
        evolution = DifferentialEvolution([generators(3)[row] for row in rows], first[rows])
        for _ in range(4):
            children = evolution.children()
            evolution.select(children, valleys(children))
        return evolution.members

    together = run([0, 1, 2])
    for row in range(3):
        np.testing.assert_array_equal(run([row])[0], together[row])


def valleys(x):
    """Rastrigin's function on [0, 1]: 0 at 0.3, with many other minima."""
    z = (np.asarray(x) - 0.3) * 6
    return (z**2 - 2 * np.cos(2 * np.pi * z) + 2).sum(axis=-1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_finds_what_scipys_finds_as_fast(strategy):
    """Medians over 40 seeds of the best value after so many generations, within a factor of 3 of each other."""
    population, seeds = 20, 40
    for generations in (10, 40, 120):
        theirs = []
        for seed in range(seeds):
            start = np.random.default_rng(100 + seed).random((population, 3))
            found = differential_evolution(
                valleys, [(0, 1)] * 3, strategy=f"{strategy}bin", recombination=1, mutation=0.6, maxiter=generations,
                init=start, polish=False, updating="deferred", tol=0, atol=-1, rng=seed,
            )  # fmt: skip
            theirs.append(found.fun)
        first = np.stack([np.random.default_rng(100 + seed).random((population, 3)) for seed in range(seeds)])
        evolution = DifferentialEvolution(generators(seeds), first, (0.6, 0.6), strategy)
        for _ in range(generations + 1):
            children = evolution.children()
            evolution.select(children, valleys(children))
        ours = evolution.values.min(axis=1)
        assert 1 / 3 < (np.median(ours) + 1e-9) / (np.median(theirs) + 1e-9) < 3
