"""MAP-Elites, pixel genomes and polynomial mutation, against brute force and the published distribution."""

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.evolution.confidence import Confidence
from crosslens.evolution.genomes import CppnGenomes, PixelGenomes
from crosslens.evolution.map_elites import MapElites, keep_best
from crosslens.evolution.polynomial_mutation import polynomial_mutation
from crosslens.evolution.search import run_search
from crosslens.execution.progress import silent
from crosslens.model import OUTPUT
from crosslens.synthesis.checkpoint import Checkpoint
from crosslens.testing import TinyModel


def clearly_more(new, old):
    """Whether the log odds differ by more than rounding, or the cell was empty."""
    return old < 0 or new - old > 1e-4 * old * (1 - old + 1e-3)


def best_by_brute_force(elites, best, children, fitness):
    """Cell by cell, child by child; the first of equals stays."""
    elites, best = elites.copy(), best.copy()
    for cell in range(len(best)):
        highest = max(fitness[:, cell])
        first = next(n for n in range(len(children)) if not clearly_more(highest, fitness[n, cell]))
        if clearly_more(fitness[first, cell], best[cell]):
            best[cell], elites[cell] = fitness[first, cell], children[first]
    return elites, best


def test_each_cell_keeps_the_best_that_was_there():
    rng = np.random.default_rng(0)
    for _ in range(50):
        elites, children = rng.random((7, 3)), rng.random((11, 3))
        best, fitness = rng.integers(-1, 5, 7) / 5, rng.integers(0, 6, (11, 7)) / 5  # with ties, and empty cells
        fitness = np.clip(fitness * (1 + 1e-8 * rng.standard_normal(fitness.shape)), 0, 1)  # and rounding
        got = keep_best(elites, best, children, fitness)
        wanted = best_by_brute_force(elites, best, children, fitness)
        np.testing.assert_array_equal(got[0], wanted[0])
        np.testing.assert_array_equal(got[1], wanted[1])
        np.testing.assert_array_equal(got[2], (wanted[0] != elites).any(axis=1))


class Recording(MapElites):
    """Remembers every genome that was looked at."""

    def fitness(self, genomes):
        values = super().fitness(genomes)
        self.seen = [*getattr(self, "seen", []), (genomes.copy(), values)]
        return values


def search(
    kind=MapElites, encoding=CppnGenomes, classes=range(5), cells=range(5), population=12, seed=0, goal=1.0, model=None
):
    model = model or TinyModel()
    genomes = encoding(3, (8, 8), hsv=True)
    return kind(Confidence.of(model), genomes, np.asarray(classes), np.asarray(cells), population, seed, goal)


@pytest.mark.parametrize("encoding", [CppnGenomes, PixelGenomes])
def test_the_archive_holds_the_best_genome_of_each_class_that_was_ever_looked_at(encoding):
    looked = search(Recording, encoding)
    run, _ = run_search(looked, 9, None, silent)
    genomes = np.concatenate([each for each, _ in looked.seen])
    fitness = np.concatenate([each for _, each in looked.seen])
    assert len(genomes) == 9 * 12
    best, made, *_ = run.state.moments
    np.testing.assert_allclose(best, fitness.max(axis=0), rtol=2e-4)
    for cell, genome in enumerate(run.state.parameters):
        first = np.flatnonzero((genomes == genome).all(axis=1))[0]
        assert fitness[first, cell] == pytest.approx(best[cell], rel=1e-6)
        assert made[cell] == first // 12 + 1
    so_far = np.maximum.accumulate([values.max(axis=0) for _, values in looked.seen])
    np.testing.assert_allclose(run.history, so_far, rtol=2e-4)


def test_a_mutation_that_changes_nothing_is_not_kept():
    """Whatever the last digit of its confidence."""
    elites, best = np.zeros((1, 2)), np.array([0.25])
    for more, kept in ((1e-8, True), (1e-6, True), (1e-3, False)):
        after, _, better = keep_best(elites, best, np.ones((1, 2)), best[None] + more)
        assert (after == elites).all() == kept
        assert better[0] != kept


def test_fitness_is_the_probability_of_the_class_in_the_picture():
    looked = search(classes=[4], cells=[4, 1])
    genomes = looked.genomes.first(5, np.random.default_rng(1))
    logits = TinyModel().forward(looked.genomes.pictures(genomes))[OUTPUT].astype(np.float64)
    odds = np.exp(logits)
    np.testing.assert_allclose(looked.fitness(genomes), (odds / odds.sum(axis=1, keepdims=True))[:, [4, 1]], rtol=1e-6)


def test_children_come_from_the_archive():
    """After a generation in which nothing mutates, all children are elites."""
    looked = search(Recording, PixelGenomes)
    looked.genomes.__class__.children, kept = (lambda self, parents, generation, rng: parents), PixelGenomes.children
    try:
        state = looked.advance(looked.advance(looked.start()))
    finally:
        PixelGenomes.children = kept
    children = {row.tobytes() for row in looked.seen[1][0]}
    assert children <= {row.tobytes() for row in state.parameters}
    assert len(children) > 1


def test_of_a_few_classes_half_of_the_parents_are_theirs_and_the_others_anyones():
    looked = search(classes=[3, 1], population=20000)
    drawn = np.bincount(looked._parents(np.random.default_rng(0)), minlength=5) / 20000
    np.testing.assert_allclose(drawn, [0.1, 0.35, 0.1, 0.35, 0.1], atol=0.015)
    everyone = search(population=20000)._parents(np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(everyone) / 20000, [0.2] * 5, atol=0.015)


def test_the_wanted_classes_come_in_their_order():
    some, (whole, _) = search(classes=[4, 0]), run_search(search(), 1, None, silent)
    run, _ = run_search(some, 1, None, silent)
    np.testing.assert_array_equal(run.history, whole.history[:, [4, 0]])
    np.testing.assert_array_equal(some.pictures(run.state), search().pictures(whole.state)[[4, 0]])


def test_the_batch_size_does_not_matter():
    small = TinyModel()
    small.batch_size = 5
    one, other = run_search(search(), 4, None, silent)[0], run_search(search(model=small), 4, None, silent)[0]
    np.testing.assert_allclose(one.history, other.history, rtol=1e-5)


def test_it_ends_where_every_class_has_reached_the_goal():
    whole, _ = run_search(search(), 12, None, silent)
    goal = float(whole.history[5].min())
    run, _ = run_search(search(goal=goal), 12, None, silent)
    assert len(run.history) == 1 + int((whole.history.min(axis=1) < goal).sum())
    assert (run.history[-1] >= goal).all()
    assert run.history[-2].min() < goal


def test_a_finished_search_is_not_gone_on_with():
    done = search(goal=0.1)
    run, _ = run_search(done, 50, None, silent)
    with pytest.raises(ParameterError, match=r"every class of the run to go on from has reached confidence 0\.1"):
        run_search(done, 50, None, silent, Checkpoint(((run.state, run.history),)))


@pytest.mark.parametrize("eta", [0.0, 1.0, 15.0])
def test_polynomial_mutation_has_the_published_distribution(eta):
    """Deb and Goyal's density, integrated: (1 + d)^(eta + 1) / 2 up to d below 0, 1 - (1 - d)^(eta + 1) / 2 above."""
    draws = np.linspace(0, 1, 1001)[:-1]
    x = polynomial_mutation(np.zeros(1000), draws, -1.0, 1.0, eta)
    delta = x / 2
    below = delta <= 0
    within = np.abs(x) < 1
    np.testing.assert_allclose(((1 + delta) ** (eta + 1) / 2)[below & within], draws[below & within], atol=1e-12)
    np.testing.assert_allclose((1 - (1 - delta) ** (eta + 1) / 2)[~below & within], draws[~below & within], atol=1e-12)
    assert x.min() >= -1
    assert x.max() <= 1


@pytest.mark.parametrize(("generation", "share"), [(1, 0.1), (999, 0.1), (1000, 0.05), (2500, 0.025)])
def test_the_share_of_pixels_that_change_is_halved_every_thousand_generations(generation, share):
    genomes = PixelGenomes(1, (40, 40), hsv=False)
    rng = np.random.default_rng(0)
    parents = genomes.first(30, rng)
    children = genomes.children(parents, generation, rng)
    changed = (children != parents).mean()
    assert abs(changed - share) < 4 * np.sqrt(share / parents.size) + 1e-4
    assert (children.min(), children.max()) >= (0, 0)
    assert children.max() <= 1


def test_first_pixels_are_even_noise():
    numbers = PixelGenomes(3, (32, 32), hsv=False).first(10, np.random.default_rng(0))
    assert np.abs(np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]) - [0, 0.25, 0.5, 0.75, 1]).max() < 0.01
