"""Class statistics against NumPy and scikit-learn: means, likeness, confusions, units that tell classes apart."""

import csv

import crosslens
import numpy as np
import pytest
from crosslens.arrays import as_numpy
from crosslens.data import ArraySource
from crosslens.errors import ImageError, ParameterError
from crosslens.testing import TinyModel
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

RNG = np.random.default_rng(0)
COUNT = 60
IMAGES = RNG.random((COUNT, 3, 8, 8), np.float32) * np.linspace(0.3, 1, COUNT, dtype=np.float32)[:, None, None, None]
NUMBERS = RNG.integers(0, 4, COUNT)
LABELS = np.array([f"class {n}" for n in NUMBERS])
MODEL = TinyModel()
FEATURES = as_numpy(MODEL.forward(IMAGES, ["conv1"])["conv1"]).astype(np.float64).mean(axis=(2, 3)).astype(np.float32)


def run(labels=LABELS, images=IMAGES, model=MODEL, **parameters):
    method = crosslens.method("class_statistics", **{"layer": "conv1", **parameters})
    return method(model, ArraySource(images, labels))


@pytest.fixture(scope="module")
def result():
    return run()


def of_classes(function):
    return np.stack([function(np.float64(FEATURES[n == NUMBERS])) for n in range(4)])


def test_means_and_deviations_are_those_of_each_class(result):
    assert result["class"].tolist() == [f"class {n}" for n in range(4)]
    assert result["images"].tolist() == np.bincount(NUMBERS).tolist()
    np.testing.assert_allclose(result["mean"], of_classes(lambda rows: rows.mean(axis=0)), rtol=1e-6)
    np.testing.assert_allclose(result["deviation"], of_classes(lambda rows: rows.std(axis=0)), rtol=1e-5)


def test_the_confusion_matrix_is_that_of_scikit_learn(result):
    predicted = as_numpy(MODEL.forward(IMAGES)["<output>"]).argmax(axis=1)
    expected = confusion_matrix(NUMBERS, predicted, labels=range(5))[:4]
    assert result.confusion.tolist() == expected[:, :4].tolist()
    assert result.other_predictions.tolist() == expected[:, 4].tolist()
    assert (result["other_classes"] * result["images"]).tolist() == pytest.approx(expected[:, 4].tolist())
    table = result.confusion_table()
    assert np.asarray(list(table.columns.values())[1:]).T.tolist() == expected.tolist()
    assert list(table.columns)[1:3] == ["predicted class 0", "predicted class 1"]
    assert result.figures()["accuracy"] == pytest.approx((predicted == NUMBERS).mean())


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        ("cosine", lambda means: cosine_similarity(means - means.mean(axis=0))),
        ("correlation", np.corrcoef),
        ("euclid", lambda means: -euclidean_distances(means)),
    ],
)
def test_likeness_of_classes_is_that_of_scikit_learn(similarity, expected):
    found = run(similarity=similarity)
    np.testing.assert_allclose(found.similarity, expected(found["mean"]), atol=1e-7)


def test_signal_to_noise_is_the_scatter_between_classes_over_that_within(result):
    rows, labels = np.float64(FEATURES), NUMBERS
    means = np.stack([rows[labels == n].mean(axis=0) for n in labels])
    expected = np.square(means - rows.mean(axis=0)).sum(axis=0) / np.square(rows - means).sum(axis=0)
    np.testing.assert_allclose(result.signal_to_noise(), expected, rtol=1e-5)


def planted():
    """Pictures of two digits that only pixel 9 of the first channel tells apart; "1" has none of that pixel at all."""
    images, labels = RNG.random((80, 3, 8, 8), np.float32) * 0.5, np.array(["3", "5", "1", "7"] * 20)
    images[labels == "3", 0, 1, 1] += 0.45
    images[labels == "1", 0, 1, 1] = 0
    return images, labels


def test_the_planted_unit_tells_a_pair_apart_with_the_exact_auc():
    images, labels = planted()
    found = run(labels, images, layer="<input>", pair=("3", "5"), count=5)
    rows = np.float64(images.reshape(80, -1))
    first, second = rows[labels == "3"], rows[labels == "5"]
    pooled = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2)
    expected = (first.mean(axis=0) - second.mean(axis=0)) / pooled
    assert found["unit"][0] == 9
    np.testing.assert_allclose(found["d_prime"], expected[found["unit"]], rtol=1e-6)
    assert (np.diff(np.abs(found["d_prime"])) <= 0).all()
    truth = np.repeat([1, 0], 20)
    areas = [roc_auc_score(truth, np.r_[first[:, unit], second[:, unit]]) for unit in found["unit"][:5]]
    np.testing.assert_allclose(found["auc"][:5], areas, rtol=1e-12)
    assert np.isnan(found["auc"][5:]).all()
    assert found["stands_for"][0] == "3"


def test_one_class_is_compared_with_all_other_images():
    images, labels = planted()
    labels[-3:] = ""
    found = run(labels, images, layer="<input>", pair=("3",), count=3)
    rows, own = np.float64(images.reshape(80, -1)), labels == "3"
    others = ~own & (labels != "")
    pooled = np.sqrt((rows[own].var(axis=0) + rows[others].var(axis=0)) / 2)
    expected = (rows[own].mean(axis=0) - rows[others].mean(axis=0)) / pooled
    np.testing.assert_allclose(found["d_prime"], expected[found["unit"]], rtol=1e-6)
    scored = rows[:, found["unit"][0]][own | others]
    assert found["auc"][0] == pytest.approx(roc_auc_score(own[own | others], scored), rel=1e-12)
    assert found.counts == (own.sum(), others.sum())


def test_the_unit_that_stands_for_a_class_is_the_best_one_against_all_others():
    images, labels = planted()
    every = run(labels, images, layer="<input>")
    alone = run(labels, images, layer="<input>", pair=("3",), count=1)
    place = every["class"].tolist().index("3")
    assert every["unit"][place] == alone["unit"][0] == 9
    assert every["d_prime"][place] == pytest.approx(alone["d_prime"][0], rel=1e-9)
    assert (
        every.units_of("3", 2)["unit"][0] == every.units_of(3)["unit"][0] == every.units_of(np.int64(3))["unit"][0] == 9
    )


def test_images_without_a_label_are_no_class_and_are_counted():
    labels = LABELS.astype(object)
    labels[:4], labels[4], labels[5] = None, np.nan, b"\xff\xfe"
    found = run(labels)
    assert found["class"].tolist() == [f"class {n}" for n in range(4)]
    assert found["images"].sum() == COUNT - 6
    assert "5 images without a label left out" in found.notes
    assert "1 image with a label that is no text left out" in found.notes


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["a"] * 59 + [None], r"all 59 labelled images are 'a' \(1 have none\), and at least two classes"),
        (None, "no image has a label"),
    ],
)
@pytest.mark.parametrize("pair", [(), ("a",)])
def test_fewer_than_two_classes_are_refused(labels, match, pair):
    with pytest.raises(ImageError, match=match):
        run(labels, pair=pair)


def test_labels_that_are_no_classes_of_the_network_have_no_confusion_and_a_note_says_why():
    found = run(np.array(["cat", "dog"] * 30))
    assert found.confusion is None
    assert any("none of the labels, 'cat', 'dog', is alone the name or the number" in note for note in found.notes)
    assert "accuracy" not in found.columns
    assert found.picture().shape[2] == 3


def test_a_label_that_is_no_class_has_no_accuracy_and_the_others_keep_theirs(result):
    labels = np.where(NUMBERS == 3, "cow", LABELS)
    found = run(labels)
    assert found["class"].tolist() == ["class 0", "class 1", "class 2", "cow"]
    assert found.confusion[:3, :3].tolist() == result.confusion[:3, :3].tolist()
    assert np.isnan(found["accuracy"][3])
    assert not found.confusion[:, 3].any()
    assert "labels that stand for no class of the network: 'cow'" in found.notes


def of_kind(output_kind, model):
    model.output_kind = output_kind
    return model


def test_a_network_without_classes_has_no_confusion():
    found = run(model=of_kind("score", TinyModel()))
    assert found.confusion is None
    assert any(note.startswith("no confusion matrix: the network's output is scores") for note in found.notes)


def test_one_number_of_two_classes_is_cut_where_both_are_as_likely():
    model = TinyModel(classes=1, seed=3)
    middle = np.median(as_numpy(model.forward(IMAGES)["<output>"]))
    last = model.weights("fc")
    model = of_kind("independent_logits", model._with_weights({"fc": {**last, "bias": last["bias"] - middle}}))
    positive = (as_numpy(model.forward(IMAGES)["<output>"])[:, 0] > 0).astype(int)
    labels = NUMBERS % 2
    assert run(labels, model=model).confusion.tolist() == confusion_matrix(labels, positive).tolist()


@pytest.mark.parametrize(
    ("pair", "match"),
    [
        (("class 0", "clas 3"), "no class 'clas 3' among the 4 of the data: 'class 0', .*Did you mean 'class 3'"),
        (("class 0", "class 0"), "pair names one class twice"),
        (("a", "b", "c"), "no class 'a,b,c' among"),
        ((" ",), r"pair is \(' ',\)"),
    ],
)
def test_a_pair_that_is_not_two_classes_is_refused(pair, match):
    with pytest.raises(ParameterError, match=match):
        run(pair=pair)


def test_results_are_saved_whole_and_as_tables(result, tmp_path):
    for found in (result, run(pair=("class 0", "class 1"))):
        assert crosslens.load(found.save(tmp_path / "all.npz")) == found
        with found.save(tmp_path / "table.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == len(found) + 1
    assert rows[0][:3] == ["unit", "d_prime", "auc"]
    assert result.to_dataframe()["mean"][2].tolist() == result["mean"][2].tolist()


def test_a_sweep_by_two_workers_gives_the_bits_of_one_call(result, tmp_path):
    asked = [
        crosslens.method("class_statistics", layer="conv1", **more) for more in ({}, {"pair": ("class 0", "class 1")})
    ]
    source = ArraySource(IMAGES, LABELS)
    survey = crosslens.sweep(MODEL, source, asked, store=tmp_path / "store", workers=2)
    again = crosslens.sweep(MODEL, source, asked, store=tmp_path / "store")
    for found, name in zip((result, run(pair=("class 0", "class 1"))), survey, strict=True):
        assert {n: v.tobytes() for n, v in found.columns.items()} == {
            n: v.tobytes() for n, v in survey[name].columns.items()
        }
        assert again[name] == survey[name]


def test_a_pair_of_whole_numbers_is_that_of_the_labels_which_they_are():
    expected = run(labels=NUMBERS, pair=("2", "3"))
    for pair in ((2, 3), [2, 3], np.array([2, 3]), (np.int64(2), "3"), "2,3"):
        assert run(labels=NUMBERS, pair=pair).columns["d_prime"].tolist() == expected.columns["d_prime"].tolist()
    assert run(labels=NUMBERS, pair=2).pair == run(labels=NUMBERS, pair="2").pair == ("2", "all others")
    with pytest.raises(ParameterError, match="several texts"):
        run(labels=NUMBERS, pair=(2.5, 3))


class Unread(ArraySource):
    """Images that nobody may read."""

    def read(self, start, stop, model):
        raise AssertionError("an image was read")


@pytest.mark.parametrize(
    ("labels", "pair", "match"),
    [
        (None, (), "no image has a label, and"),
        (["a"] * 59 + [""], (), r"all 59 labelled images are 'a' \(1 have none\)"),
        (NUMBERS, ("2", "7"), "no class '7' among the 4 of the data"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused_before_an_image_is_read(labels, pair, match):
    with pytest.raises((ImageError, ParameterError), match=match):
        crosslens.method("class_statistics", layer="conv1", pair=pair)(MODEL, Unread(IMAGES, labels))


def test_options_that_a_question_has_no_use_for_are_refused():
    with pytest.raises(ParameterError, match="similarity is 'euclid', of all classes"):
        run(pair=("class 1", "class 2"), similarity="euclid")
    with pytest.raises(ParameterError, match="count is 5, of units of a pair"):
        run(count=5)
