"""facets: scikit-learn's clusters, planted ones found, means and centroids; starts and targets that read them."""

from functools import reduce
from itertools import pairwise

import crosslens
import numpy as np
import pytest
from crosslens import load, method
from crosslens.data import Batch, Samples, sweep
from crosslens.data.top_rows import TopRows
from crosslens.errors import ParameterError, TargetError
from crosslens.objective.facet_file import read_facets
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16)
COLOURS = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]], np.float32)
PLANTED = np.array([0] * 9 + [1] * 5 + [2] * 5)[np.random.default_rng(3).permutation(19)]


def pictures():
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, (19, 3, 16, 16)).astype(np.float32)
    return COLOURS[PLANTED][:, :, None, None] + noise


IMAGES = pictures()
SETTINGS = {"layer": "<output>", "space": "act1", "units": (1,), "count": 19, "facets": 3, "nearest": 4}


def facets(images=IMAGES, model=MODEL, **more):
    return method("facets", **{**SETTINGS, **more})(model, images)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("facets") / "f.npz"
    facets(units=(1, 2)).save(path)
    return path


def embeddings():
    return MODEL.forward(IMAGES, ["act1"])["act1"].mean(axis=(2, 3))


def groups_of(result):
    """The sets of images of each facet of the first unit."""
    return [set(result.members[0][result.facet_of[0] == n].tolist()) for n in range(int(result.facet_of[0].max()) + 1)]


def test_facets_are_scikit_learn_s_clusters_of_the_pooled_layer():
    from sklearn.cluster import KMeans

    result = facets(facets=4)
    rows = embeddings()[result.members[0]].astype(np.float32).astype(np.float64)
    labels = KMeans(4, n_init=10, random_state=0).fit(rows).labels_
    assert sorted(map(sorted, groups_of(result))) == sorted(
        sorted(result.members[0][labels == label].tolist()) for label in range(4)
    )


@pytest.mark.parametrize("reduction", ["none", "pca", "tsne"])
def test_planted_kinds_are_found_the_largest_first_then_the_one_with_the_lowest_image(reduction):
    found = groups_of(facets(reduction=reduction))
    planted = [set(np.flatnonzero(n == PLANTED).tolist()) for n in range(3)]
    assert found == [planted[0], *sorted(planted[1:], key=min)]


def test_examples_are_the_pictures_with_the_largest_answers():
    result = facets(count=6)
    answers = MODEL.forward(IMAGES)["<output>"][:, 1]
    assert result.members[0].tolist() == np.argsort(-answers, kind="stable")[:6].tolist()
    for n, group in enumerate(groups_of(result)):
        assert result["value"][n] == pytest.approx(answers[list(group)].mean(), rel=1e-5)


def test_means_are_of_the_pictures_nearest_to_the_centroid():
    result, rows = facets(), embeddings()
    for n, group in enumerate(groups_of(result)):
        own = np.array(sorted(group))
        centre = rows[own].mean(axis=0)
        np.testing.assert_allclose(result.centroids[n], centre, rtol=1e-5)
        near = own[np.argsort(((rows[own] - centre) ** 2).sum(axis=1))[:4]]
        np.testing.assert_allclose(result.means[n], IMAGES[near].mean(axis=0).clip(0, 1), atol=1e-6)
        assert result["nearest"][n] == str(near[0])


def test_means_lie_in_0_to_1_for_a_network_of_other_bounds():
    wide = TinyModel(size=16)
    wide.input = type(wide.input)(**{**vars(wide.input), "bounds": (-1.0, 1.0)})
    result = facets(2 * IMAGES.clip(0, 1) - 1, wide)
    shares = [IMAGES.clip(0, 1)[sorted(group)].mean() for group in groups_of(result)]
    assert result.means.min() >= 0
    np.testing.assert_allclose(result.means.mean(axis=(1, 2, 3)), shares, atol=0.02)


def test_a_unit_with_fewer_different_examples_has_fewer_facets_and_says_so():
    result = facets(np.repeat(IMAGES[:2], 3, axis=0), count=6)
    assert len(result) == 2
    assert any("2 facets, not 3" in note for note in result.notes)


def test_facets_of_all_pictures_are_said_to_be_of_the_data():
    assert any("all 19 images" in note for note in facets().notes)
    assert not any("images are among" in note for note in facets(count=18).notes)


def test_what_is_saved_comes_back_whole_with_a_sheet_and_a_table(saved, tmp_path):
    result, again = facets(units=(1, 2)), load(saved)
    for name in ("means", "centroids", "examples", "members", "facet_of"):
        np.testing.assert_array_equal(getattr(again, name), getattr(result, name))
    assert again["size"].tolist() == result["size"].tolist()
    assert again.picture().shape[2] == 3
    assert result.save(tmp_path / "t.csv").read_text().startswith("unit,facet,size,share")
    assert len(result[:2]) == len(result[:2].means) == 2


def test_climbed_pictures_excite_the_unit_more_than_the_means_that_they_started_from():
    result = facets(steps=8)
    before, after = (MODEL.forward(each)["<output>"][:, 1] for each in (result.means, result.pictures))
    assert np.all(after > before)


@pytest.mark.parametrize("name", ["activation_maximisation", "class_maximisation"])
def test_a_picture_starts_from_each_mean_picture(saved, name):
    made = method(name, start=f"data:{saved}#1", steps=1, learning_rate=1e-9)(MODEL, target=1)
    means = load(saved).means[:3]
    np.testing.assert_allclose(made.images, means, atol=2e-3)
    np.testing.assert_allclose(made.starts, means, atol=1e-6)
    one = method(name, start=f"data:{saved}#2/1", steps=1, learning_rate=1e-9)(MODEL, target=1)
    np.testing.assert_allclose(one.images, load(saved).means[4:5], atol=2e-3)


def test_pictures_of_diversity_start_from_a_facet_each(saved):
    made = method("diversity", start=f"data:{saved}#1", count=2, steps=1, learning_rate=1e-9)(MODEL, target=1)
    np.testing.assert_allclose(made.images, load(saved).means[:2], atol=2e-3)
    with pytest.raises(ParameterError, match=r"count is 4, and 'data:.*' holds 3 facets"):
        method("diversity", start=f"data:{saved}#1", count=4, steps=1)(MODEL, target=1)
    with pytest.raises(
        ParameterError, match=r"diversity makes several pictures of one target, and .* names 2; name one"
    ):
        method("diversity", steps=1)(MODEL, target=f"facet:{saved}#1/0 | facet:{saved}#1/1")


@pytest.mark.parametrize("name", ["channel_grid", "interpolation"])
def test_methods_without_a_picture_for_each_facet_refuse_them(saved, name):
    with pytest.raises(ParameterError, match="starts from noise or grey"):
        method(name, start=f"data:{saved}#1", steps=1)(MODEL)


def test_a_start_is_no_other_one_beside(saved):
    with pytest.raises(ParameterError, match="leave one of them out"):
        method("activation_maximisation", start=f"data:{saved}#1", steps=1)(MODEL, IMAGES[:1], 1)


def test_facets_of_another_network_are_refused_as_starts_and_as_targets(saved):
    other = TinyModel(size=16, seed=5)
    for name, settings, target, error in (
        ("activation_maximisation", {"start": f"data:{saved}#1"}, 1, ParameterError),
        ("diversity", {"start": f"data:{saved}#1", "count": 3}, 1, ParameterError),
        ("activation_maximisation", {}, f"facet:{saved}#2/1", TargetError),
        ("diversity", {}, f"facet:{saved}#2/1", TargetError),
    ):
        with pytest.raises(error, match=r"holds facets of another network.*make them with this one: crosslens run"):
            method(name, steps=1, **settings)(other, target=target)


def test_nothing_but_reading_is_left_when_the_round_is_over():
    """The embeddings are gathered: a model that refuses to run after the sweep gives the same facets."""
    asked = method("facets", **SETTINGS)
    source = crosslens.data(IMAGES)
    gathered = sweep(MODEL, source, [asked]).states
    still = TinyModel(size=16)
    assert still.layers
    still._run = None
    states = {asked._examples(still): gathered[asked._examples(MODEL)]}
    found = asked.finish(still, source, states, lambda *_: None)
    np.testing.assert_array_equal(found.centroids, facets().centroids)


def test_states_of_shards_in_any_cut_hold_the_best_images_and_their_rows():
    rng = np.random.default_rng(0)
    values, rows = rng.integers(0, 4, (20, 3)).astype(np.float32), rng.random((20, 2), dtype=np.float32)

    class Given(TopRows):
        count = 5

        def scores(self, batch):
            return values[list(batch.samples.indices)]

        def rows(self, batch):
            return rows[list(batch.samples.indices)]

    best = [np.lexsort((np.arange(20), -values[:, k]))[:5] for k in range(3)]
    for cuts in ([0, 20], [0, 3, 4, 11, 20]):
        parts = []
        for start, stop in pairwise(cuts):
            samples = Samples(range(start, stop), [str(n) for n in range(start, stop)], None, ({},) * (stop - start))
            parts.append(Given().add(Given().empty(), Batch(samples, {})))
        state = reduce(Given().merge, parts, Given().empty())
        np.testing.assert_array_equal(state["image"], best)
        np.testing.assert_array_equal(state["value"], [values[each, k] for k, each in enumerate(best)])
        np.testing.assert_array_equal(state["index"], np.unique(best))
        np.testing.assert_array_equal(state["rows"], rows[np.unique(best)])


def test_a_store_two_workers_and_a_resumed_sweep_give_the_same_facets(tmp_path):
    alone = facets()
    asked = method("facets", **SETTINGS)
    for workers in (1, 2):
        store = tmp_path / str(workers)
        for _ in range(2):
            found = crosslens.sweep(MODEL, IMAGES, [asked], store=store, workers=workers)["facets"]
            np.testing.assert_array_equal(found.means, alone.means)
            np.testing.assert_allclose(found.centroids, alone.centroids, rtol=1e-6)


def test_the_target_is_the_distance_to_the_centroid_and_climbing_comes_nearer(saved):
    made = method("activation_maximisation", steps=10)(MODEL, target=f"facet:{saved}#2/1")
    space = MODEL.forward(made.images, ["act1"])["act1"].mean(axis=(2, 3))[0]
    centre = load(saved).centroids[4]
    before, after = made.history[0], -((space - centre) ** 2).sum() / (centre**2).sum()
    assert after > before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nowhere.npz", "no facets at 'nowhere.npz': the file does not exist; make them: crosslens run facets"),
        ("{}", "holds facets of the units 1, 2; write which: .*f.npz#1"),
        ("{}#7", "holds no facets of unit 7; it holds those of 1, 2"),
        ("{}#1/3", "unit 1 of .* has 3 facets, 0 to 2, not 3"),
        ("{}#one", "names no facets; write FILE.npz"),
        ("other.npz", "'.*other.npz' holds no facets; make them"),
        ("text.npz", "'.*text.npz' holds no facets; make them"),
        (".", "the store '.' holds no facets: crosslens sweep MODEL DATA facets"),
    ],
)
def test_what_names_no_facets_gets_one_line(saved, tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    np.savez("other.npz", means=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ParameterError, match=words) as failure:
        read_facets(text.format(saved), MODEL)
    assert "\n" not in str(failure.value)
    with pytest.raises(TargetError, match=words):
        method("activation_maximisation", steps=1)(MODEL, target="facet:" + text.format(saved))


def test_a_target_is_one_facet(saved):
    with pytest.raises(TargetError, match="means 3 facets; name one"):
        method("activation_maximisation", steps=1)(MODEL, target=f"facet:{saved}#1")


def test_a_unit_that_is_not_there_is_refused():
    with pytest.raises(ParameterError, match=r"units are \(9,\); layer '<output>' has 5, 0 to 4"):
        facets(units=(9,))


def test_a_sweep_s_store_is_read_as_a_file_is(tmp_path):
    crosslens.sweep(MODEL, IMAGES, [method("facets", **SETTINGS)], store=tmp_path / "s")
    np.testing.assert_array_equal(read_facets(str(tmp_path / "s"), MODEL).means, facets().means)


def test_examples_that_do_not_excite_a_unit_are_noted():
    images = np.concatenate([IMAGES[:3], np.repeat(IMAGES[3:4], 16, axis=0)])
    notes = facets(images, count=6, facets=1).notes
    answers = MODEL.forward(images)["<output>"][:, 1]
    above = int((answers > answers[3]).sum())
    assert any(f"{6 - above} of the 6 examples of unit 1 have one answer" in note for note in notes)
    assert not any("have one answer" in note for note in facets(count=6, facets=1).notes)


def test_units_that_nothing_excites_keep_their_start_and_are_named():
    tiny = TinyModel(size=16, relu=True)
    nothing = {"kernel": np.zeros_like(tiny.weights("conv2")["kernel"]), "bias": np.full(6, -99.0, np.float32)}
    dead = tiny._with_weights({"conv2": nothing})
    notes = facets(model=dead, layer="act2", units=(0,), facets=2, steps=2, size=16).notes
    assert any("the picture stayed as it began: channel('conv2', 0)" in note for note in notes)


def test_a_facet_keeps_its_number_in_a_file_of_chosen_rows(tmp_path):
    found = facets()
    path = found[1:2].save(tmp_path / "one.npz")
    rows = read_facets(f"{path}#1/1", MODEL)
    assert rows.numbers == (1,)
    np.testing.assert_array_equal(rows.means[0], found.means[1])
    with pytest.raises(ParameterError, match=r"has one facet, 1, not 0"):
        read_facets(f"{path}#1/0", MODEL)
