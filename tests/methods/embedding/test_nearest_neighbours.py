"""Nearest neighbours: copies and doubtful labels, queries, sheets, earlier results."""

from types import SimpleNamespace

import crosslens
import numpy as np
import pytest
from crosslens.data.sources.array_source import ArraySource
from crosslens.errors import ImageError, ModelError, ParameterError
from crosslens.model.input_spec import InputSpec
from crosslens.neighbours import sheet as drawing
from crosslens.neighbours.queries import _pictures
from crosslens.testing import TinyModel
from PIL import Image


def clusters(labels=None):
    """Twelve images of two kinds, the last of each kind planted: a wrong label, a copy."""
    shape = TinyModel().input.example_shape[1:]
    rng = np.random.default_rng(0)
    left = np.tile(np.arange(shape[-1]) < shape[-1] // 2, (*shape[:-1], 1))
    images = [np.where(left == (n < 6), 0.9, 0.1) + rng.uniform(0, 0.01, shape) for n in range(12)]
    images[11] = images[10]
    return ArraySource(np.float32(images), labels or ["a"] * 5 + ["b"] + ["b"] * 6)


def found(**parameters):
    method = crosslens.method("nearest_neighbours", layer="<input>", pooling="flatten", count=4, **parameters)
    return method(TinyModel(), clusters())


def test_a_planted_wrong_label_is_suspect_and_no_other():
    columns = found().columns
    assert np.flatnonzero(columns["suspect"]).tolist() == [5]
    assert columns["suggested"][5] == "a"
    assert columns["agreeing"][5] == 0


def test_a_copy_is_listed_by_distance_and_by_pixels():
    columns = found(duplicate=1e-12).columns
    assert columns["duplicate_of"].tolist() == [-1] * 10 + [11, 10]
    assert columns["same_pixels_as"].tolist() == [-1] * 10 + [11, 10]


def test_of_few_images_all_others_are_neighbours_and_a_note_says_so():
    few = crosslens.method("nearest_neighbours", count=12)(TinyModel(), clusters())
    assert few.columns["neighbour"].shape == (12, 11)
    assert any("all 11 other images" in note for note in few.notes)
    assert not any("other images" in note for note in found().notes)


def test_one_image_has_no_neighbours_which_is_refused():
    alone = crosslens.data(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(ParameterError, match="need another image"):
        crosslens.method("nearest_neighbours")(TinyModel(), alone)


def test_where_some_images_have_no_label_the_others_are_judged_and_counted():
    source = clusters(["a"] * 5 + ["b"] + ["b"] * 5 + [""])
    result = crosslens.method("nearest_neighbours", layer="<input>", count=4)(TinyModel(), source)
    assert np.flatnonzero(result["suspect"]).tolist() == [5]
    assert any(note.startswith("1 label is suspect") for note in result.notes)
    assert any(note.startswith("1 image has no label") for note in result.notes)


def method(**parameters):
    return crosslens.method("nearest_neighbours", **{"layer": "<input>", "count": 4, **parameters})


def brute(rows, queries, count):
    """Places of the nearest by cosine, in float64."""
    rows, queries = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (np.float64(rows), queries))
    return np.argsort(1 - queries @ rows.T, axis=1, kind="stable")[:, :count]


def pictures_in(folder, count=6):
    """Pictures of colours that differ, as files."""
    folder.mkdir()
    size = TinyModel().input.example_shape[:0:-1]
    for n in range(count):
        colours = np.random.default_rng(n).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(colours).save(folder / f"picture{n}.png")
    return folder


def test_planted_copies_and_wrong_labels_are_found():
    rng = np.random.default_rng(0)
    kinds = rng.uniform(0, 1, (5, 3, 8, 8))
    labels = np.repeat(np.arange(5), 30)
    images = np.float32(0.7 * kinds[labels] + 0.3 * rng.uniform(0, 1, (150, 3, 8, 8)))
    wrong, copied = [7, 44, 100, 133], [20, 60, 90]
    given = labels.copy()
    given[wrong] = (labels[wrong] + 2) % 5
    source = ArraySource(np.concatenate([images, images[copied]]), np.concatenate([given, given[copied]]))
    result = method(count=10)(TinyModel(), source)
    assert sorted(result.suspects.tolist()) == wrong
    assert result["suggested"][wrong].tolist() == [str(label) for label in labels[wrong]]
    assert result.duplicates == [[20, 150], [60, 151], [90, 152]]


def test_pictures_that_are_asked_for_have_the_neighbours_of_brute_force():
    source, model = clusters(), TinyModel()
    asked = np.float32(np.random.default_rng(9).uniform(0, 1, (3, *model.input.example_shape)))
    result = method()(model, source).neighbours_of(asked, model)
    rows = source.read(0, 12, model).images.reshape(12, -1)
    assert result["neighbour"].tolist() == brute(rows, asked.reshape(3, -1), 4).tolist()
    assert result["index"].tolist() == [-1] * 3
    assert (result["neighbour_image"] == result["neighbour"].astype(str)).all()
    assert not result["suspect"].any()


def test_an_image_without_a_label_is_given_that_of_its_neighbours():
    source, model = clusters(), TinyModel()
    image = source.read(7, 8, model).images * np.float32(0.999)
    result = method()(model, source).neighbours_of(image, model)
    assert (result["suggested"][0], result["votes"][0], result["agreeing"][0]) == ("b", 4, -1)


def test_images_of_the_data_are_asked_for_by_id_and_place_and_have_the_same_row():
    whole = method()(TinyModel(), clusters())
    some = method(query=("3", "10"))(TinyModel(), clusters())
    for again in (whole.neighbours_of(["3", 10]), whole.neighbours_of((3, "10"), count=4)):
        assert again["image"].tolist() == ["3", "10"]
        for name in whole.columns:
            assert again[name].tolist() == some[name].tolist() == whole[name][[3, 10]].tolist()


def test_files_are_loaded_as_the_data_was(tmp_path):
    folder, model = pictures_in(tmp_path / "photos"), TinyModel()
    Image.new("RGB", (40, 9), "red").save(tmp_path / "wide.png")
    for fit in ({"resize": "squash"}, {"resize": "pad"}):
        result = method(count=2)(model, crosslens.data(folder, **fit))
        asked = result.neighbours_of([tmp_path / "wide.png", "picture2.png"], model)
        image = crosslens.load_image(tmp_path / "wide.png", like=model, **fit)
        expected = brute(result.data["features"], image.reshape(1, -1), 2)
        assert asked["neighbour"][:1].tolist() == expected.tolist()
        assert asked["index"].tolist() == [-1, 2]
    copy = tmp_path / "copy.png"
    copy.write_bytes((folder / "picture4.png").read_bytes())
    found = result.neighbours_of(copy, model)
    assert (found["neighbour"][0, 0], found["distance"][0, 0], found["same_pixels_as"][0]) == (4, 0, 4)
    assert f"{copy} = picture4.png (the same pixels)" in found.text()


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(
    ("query", "match"),
    [
        (("picture9.png",), "no image of the data that can be read has this id.*Did you mean 'picture"),
        (("6",), "places in the data are 0 to 5"),
        (("-1",), "places in the data are 0 to 5"),
        (("*.gif",), "no picture fits"),
    ],
)
def test_what_is_not_there_is_refused(query, match, earlier, tmp_path):
    data = pictures_in(tmp_path / "photos")
    if earlier:
        data = method(count=2)(TinyModel(), data)
    with pytest.raises(ImageError, match=match):
        method(count=2, query=query)(TinyModel(), data)


def test_a_name_that_is_nowhere_is_refused_before_the_work(tmp_path):
    def never(done, total, what):
        raise AssertionError(what)

    with pytest.raises(ImageError, match=r"'x\.png'"):
        method(count=2, query=("x.png",))(TinyModel(), pictures_in(tmp_path / "photos"), progress=never)


def test_a_file_that_is_no_picture_is_refused_with_its_name(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"none")
    with pytest.raises(ImageError, match=r"broken\.png"):
        method(count=2, query=(str(tmp_path / "broken.png"),))(TinyModel(), pictures_in(tmp_path / "photos"))


def test_an_earlier_result_is_asked_again_in_python_by_file_and_by_survey(tmp_path):
    model, folder = TinyModel(), pictures_in(tmp_path / "photos")
    method(count=2)(model, folder).save(tmp_path / "old.npz")
    crosslens.sweep(model, folder, method(count=3, keep=False), store=tmp_path / "survey")
    asked = method(count=3, query=("picture1.png",), metric="euclid")
    expected = asked(model, folder)
    for place in (tmp_path / "old.npz", tmp_path / "survey", crosslens.load(tmp_path / "old.npz")):
        again = asked(model, place)
        for name in expected.columns:
            assert again[name].tolist() == expected[name].tolist()
        assert again.parameters["metric"] == "euclid"
    with pytest.raises(ParameterError, match="keep=True"):
        crosslens.load(tmp_path / "survey")["nearest_neighbours"].neighbours_of(0)


def test_an_earlier_result_of_another_network_layer_pooling_or_preprocessing_is_refused(tmp_path):
    model, folder = TinyModel(), pictures_in(tmp_path / "photos")
    old = method(count=2, layer="act1")(model, folder).save(tmp_path / "old.npz")
    with pytest.raises(ParameterError, match="another network"):
        method(count=2, layer="act1")(model.randomised(["conv1"], 0), old)
    with pytest.raises(ParameterError, match="of layer 'act1', not of '<input>'"):
        method(count=2)(model, old)
    with pytest.raises(ParameterError, match="not by max"):
        method(count=2, layer="act1", pooling="max")(model, old)
    mean = crosslens.method("mean_activation")(model, folder)
    with pytest.raises(ParameterError, match="is a result of mean_activation"):
        method()(model, mean.save(tmp_path / "mean.npz"))
    crosslens.sweep(model, folder, "mean_activation", store=tmp_path / "survey")
    with pytest.raises(ParameterError, match="holds no nearest_neighbours"):
        method()(model, tmp_path / "survey")


def test_features_without_numbers_are_refused_with_the_image():
    class Broken(TinyModel):
        def _forward(self, x, capture, replace):
            found = dict(super()._forward(x, capture, replace))
            return {name: np.where(x[:, :1].mean() < 0.4, np.nan, values) for name, values in found.items()}

    images = np.full((20, *TinyModel().input.example_shape), 0.5, np.float32)
    images[13] = 0.1
    with pytest.raises(ModelError, match="NaN or infinite features of image '"):
        method(layer="<output>")(Broken(), images)


def test_a_sheet_has_a_row_for_each_image_and_says_how_many_it_leaves_out(tmp_path):
    result = method(shown=3)(TinyModel(), clusters())
    tall = result.picture(rows=6).shape[0]
    assert result.picture().shape[0] < tall
    assert "a sheet shows 3 images, and 9 more are left out: shown=, query= or show= choose" in result.notes
    assert not any("sheet" in note for note in method(query=("1",), shown=3)(TinyModel(), clusters()).notes)
    for show in ("neighbours", "suspects", "duplicates"):
        assert result.picture(show).ndim == 3
        assert result.save(tmp_path / f"{show}.png").stat().st_size
    with pytest.raises(ParameterError, match="no view 'suspect'"):
        result.picture("suspect")
    with pytest.raises(ImageError, match="no thumbnails"):
        method(thumbnail=0)(TinyModel(), clusters()).picture()
    with pytest.raises(ImageError, match="there are no suspects"):
        method(query=("1",), show="suspects")(TinyModel(), clusters()).picture()


def test_duplicates_and_suspects_are_listed_in_the_text():
    text = method()(TinyModel(), clusters()).text(2)
    assert "... and 10 more images" in text
    assert "10 = 11 (the same pixels)" in text
    assert "5: label b, 4 of 4 neighbours a" in text
    assert method(show="suspects")(TinyModel(), clusters()).text().startswith("suspects:\n  5: label b")


def test_a_result_and_its_rows_are_saved_whole(tmp_path):
    for result in (method()(TinyModel(), clusters()), method(query=("1", "2"))(TinyModel(), clusters())):
        assert crosslens.load(result.save(tmp_path / "all.npz")) == result
        assert result[1]["neighbour"].tolist() == result["neighbour"][1:2].tolist()
        assert result[1].picture().ndim == 3


def test_two_workers_and_a_sweep_that_was_stopped_give_the_bits_of_one_call(tmp_path):
    asked = method(layer="act1", query=("2", "7"))
    expected = asked(TinyModel(), clusters())
    shared = crosslens.sweep(TinyModel(), clusters(), [asked], store=tmp_path / "two", workers=2)

    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crosslens.sweep(TinyModel(), clusters(), [asked], store=tmp_path / "stopped", progress=stop)
    resumed = crosslens.sweep(TinyModel(), clusters(), [asked], store=tmp_path / "stopped")
    for survey in (shared, resumed):
        found = survey["nearest_neighbours"]
        assert {name: values.tobytes() for name, values in found.columns.items()} == {
            name: values.tobytes() for name, values in expected.columns.items()
        }
        assert [path.name for path in survey.files("nearest_neighbours")] == [
            "sheet.png",
            "table.parquet",
            "result.npz",
        ]


def test_an_approximate_search_says_its_recall_and_uses_its_index_again(tmp_path):
    pytest.importorskip("usearch")
    asked = method(search="approximate", indexes=str(tmp_path))
    exact = method()(TinyModel(), clusters())
    first, second = (asked(TinyModel(), clusters()) for _ in range(2))
    assert first["distance"].tolist() == exact["distance"].tolist()
    assert first["neighbour"].tolist() == exact["neighbour"].tolist() == second["neighbour"].tolist()
    assert len(list(tmp_path.glob("*.usearch"))) == 1
    assert any(
        "100.00% of the true neighbours found, measured at 12 of 12 images; index kept in" in n for n in first.notes
    )
    assert any("index from" in note for note in second.notes)


def test_groups_of_duplicates_are_the_connected_components_of_all_pairs_within_the_distance():
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial.distance import cdist

    size = int(np.prod(TinyModel().input.example_shape))
    angles = np.array([0.0, 0.01, 0.025, 0.035, 0.5, 0.9, 0.91])  # the pairs 0 1 and 2 3 are joined by 1 2
    rows = np.zeros((len(angles), size))
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    images = np.float32(rows).reshape(-1, *TinyModel().input.example_shape)
    result = method(duplicate=0.02, metric="euclid")(TinyModel(), images)
    count, of = connected_components(cdist(rows, rows) <= 0.02)
    assert result.duplicates == [g for n in range(count) if len(g := np.flatnonzero(of == n).tolist()) > 1]
    assert result["alike"].tolist() == ((cdist(rows, rows) <= 0.02).sum(axis=1) - 1).tolist()


def test_all_copies_of_a_picture_that_is_asked_for_are_listed_and_drawn():
    images = np.random.default_rng(0).random((8, *TinyModel().input.example_shape), np.float32)
    images[[3, 6]] = images[1]
    result = method(query=("1",))(TinyModel(), images)
    assert "1 = 3 = 6 (the same pixels)" in result.text()
    assert result.duplicates_of(0) == [3, 6]
    assert (
        result.picture("duplicates").shape[1]
        > method(query=("1",), duplicate=0, count=1)(TinyModel(), images[[0, 1, 2, 3]]).picture("duplicates").shape[1]
    )


def test_images_are_asked_for_by_whole_numbers_names_and_paths(tmp_path):
    folder, model = pictures_in(tmp_path / "photos"), TinyModel()
    expected = method(count=2, query=("3", "1"))(model, folder)
    for query in ([3, 1], np.array([3, 1]), (np.int64(3), "picture1.png"), ("picture3.png", 1)):
        found = method(count=2, query=query)(model, folder)
        assert found["neighbour"].tolist() == expected["neighbour"].tolist()
        assert expected.neighbours_of(query, model)["neighbour"].tolist() == expected["neighbour"].tolist()
    for query in (3, "3", "picture3.png", folder / "picture3.png"):
        assert method(count=1, query=query)(model, folder)["image"].tolist() in (["picture3.png"], [str(query)])
    with pytest.raises(ParameterError, match="neighbours_of"):
        method(query=np.zeros((3, 8, 8)))(model, folder)


def test_names_that_hold_commas_are_asked_for_as_they_are_typed(tmp_path):
    folder = pictures_in(tmp_path / "photos", 3)
    (folder / "picture0.png").rename(folder / "cats, dogs.png")
    typed = f"cats, dogs.png,picture1.png, 1,{folder / 'cats, dogs.png'}"
    for query in (typed, tuple(typed.split(","))):
        result = method(count=1, query=query)(TinyModel(), folder)
        assert result["image"].tolist() == [
            "cats, dogs.png",
            "picture1.png",
            "picture1.png",
            str(folder / "cats, dogs.png"),
        ]


def test_one_grey_picture_and_several_are_told_apart_by_the_axes_of_an_array():
    grey, colour = (SimpleNamespace(input=InputSpec((channels, 8, 8))) for channels in (1, 3))
    for model, shape, one in (
        (grey, (8, 8), True),
        (grey, (8, 8, 1), True),
        (grey, (2, 8, 8), False),
        (grey, (2, 1, 8, 8), False),
        (colour, (3, 8, 8), True),
        (colour, (8, 8, 3), True),
        (colour, (2, 3, 8, 8), False),
    ):
        asked = np.zeros(shape)
        assert (_pictures(asked, model) is not asked) == one


def test_an_option_that_an_exact_search_has_no_use_for_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="exact search has none"):
        method(search="exact", indexes=str(tmp_path))(TinyModel(), clusters())


def test_suspects_of_data_without_labels_are_refused_as_such():
    images = np.random.default_rng(0).random((8, *TinyModel().input.example_shape), np.float32)
    with pytest.raises(ImageError, match="the data have no labels"):
        method(show="suspects")(TinyModel(), images).picture()


def test_a_sheet_says_where_a_row_holds_more_pictures_than_are_drawn(monkeypatch):
    images = np.random.default_rng(0).random((20, *TinyModel().input.example_shape), np.float32)
    images[:14] = images[0]
    result = method(count=15)(TinyModel(), images)
    said = []
    monkeypatch.setattr(drawing, "sheet", lambda rows, titles, heading, **_: said.extend([*titles, heading]))
    result.picture("duplicates")
    result.picture(rows=1)
    method(count=15, query=("1",))(TinyModel(), images).picture("duplicates")
    assert said[0] == "0: 14 images, 12 of them drawn, the same pixels"
    assert said[4] == "1: 14 images, 12 of them drawn, the same pixels"
    assert said[3].endswith("the nearest 12 of 15; 19 more rows are not drawn")


def test_a_file_of_arrays_is_asked_for_among_pictures_and_an_empty_name_is_refused(tmp_path):
    folder = pictures_in(tmp_path / "photos")
    pixels = np.stack([np.asarray(Image.open(folder / f"picture{n}.png")) for n in (4, 2)])
    np.save(tmp_path / "asked.npy", pixels)
    result = method(count=1, query=(str(tmp_path / "asked.npy"),))(TinyModel(), folder)
    assert result["neighbour_image"].ravel().tolist() == ["picture4.png", "picture2.png"]
    for query in ("", "1,,2", ("1", " ")):
        with pytest.raises(ParameterError, match="query holds an empty name"):
            method(query=query)(TinyModel(), folder)


def test_a_survey_with_several_results_is_asked_where_their_features_are_the_same(tmp_path):
    model, folder, store = TinyModel(), pictures_in(tmp_path / "photos"), tmp_path / "survey"
    crosslens.sweep(model, folder, [method(count=2), method(count=2, query=("1",))], store=store)
    asked = method(count=3, query=("2",))
    assert asked(model, store)["neighbour"].tolist() == asked(model, folder)["neighbour"].tolist()
    crosslens.sweep(model, folder, method(count=2, layer="act1"), store=store)
    with pytest.raises(ParameterError, match=r"3 results of nearest_neighbours .*nearest_neighbours.result\.npz'"):
        asked(model, store)
