"""Dissection: the counts of a slow one, by default and with each preset; planted units; the null; errors."""

import crosslens
import numpy as np
import pytest
from crosslens.data.shapes import NAMES, shape_arrays
from crosslens.dissection.basis import directions
from crosslens.dissection.dissection import Dissection
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.method import with_preset
from crosslens.methods.dissection._unit_pictures import best_units
from crosslens.methods.dissection.dissect import Dissect
from crosslens.testing import TinyModel

from tests.conformance.plans import images
from tests.conformance.zoo import BUILDERS, net

from .slow_dissection import scores, shuffled

PRESETS = {
    None: (0.995, "exact", "activations", "fields", "category"),
    "netdissect": (994 / 999, "linear", "activations", "whole_pixels", "category"),
    "netdissect-lite": (994 / 999, "linear", "activations", "pillow", "under_mask"),
    "dissect": (0.99, "hazen", "enlarged", "zeros", "all"),
}
NAMED = {"shape": ["disc", "square"], "colour": ["red", "green", "blue"], "scene": ["street", "beach"]}
CATEGORIES = [category for category, names in NAMED.items() for _ in names]
COUNT = 7


def label_planes(size, seed=0):
    """(N, 3, H, W) of numbers within their category: blobs; some pictures lack a category, scenes fill the picture."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((COUNT, 2, -(-size // 3), -(-size // 3))).repeat(3, axis=2).repeat(3, axis=3)[..., :size, :size]
    planes = np.zeros((COUNT, 3, size, size), int)
    planes[:, 0] = np.digitize(coarse[:, 0], [0.5, 0.8])
    planes[:, 1] = np.digitize(coarse[:, 1], [0.4, 0.6, 0.85])
    planes[:, 2] = rng.integers(3, size=COUNT)[:, None, None]
    planes[[1, 4], 0] = 0
    planes[2] = 0
    return planes


def data(pictures, planes):
    return crosslens.concept_data((pictures, {name: planes[:, n] for n, name in enumerate(NAMED)}, NAMED))


def numbered(planes):
    """The same planes in the source's numbers, counted through all categories."""
    first = np.cumsum([0, *(len(names) for names in NAMED.values())])
    return np.stack([np.where(planes[:, n] > 0, planes[:, n] + first[n], 0) for n in range(3)], axis=1)


def assert_as_slow(model, pictures, planes, layer, preset, quantile, centres):
    settings = PRESETS[preset] if quantile is None else (quantile, *PRESETS[preset][1:])
    given = {} if quantile is None else {"quantile": quantile}
    source = data(pictures, planes)
    result = crosslens.method("dissect", preset=preset, layers=(layer,), examples=0, **given)(model, source)
    maps = np.asarray(model.forward(pictures, [layer])[layer])
    maps = maps if maps.ndim == 4 else maps[:, :, None, None]
    labels, size = numbered(planes), pictures.shape[2:]
    wanted, cuts = scores(maps, labels, CATEGORIES, settings=settings, centres=centres, picture=size)
    np.testing.assert_allclose(result.columns["threshold"], cuts, rtol=1e-6)
    np.testing.assert_allclose(result.ious, wanted, atol=1e-6)
    moved = shuffled(labels, CATEGORIES, source.ids, 0)
    chance, _ = scores(maps, labels, CATEGORIES, settings=settings, centres=centres, picture=size, null=moved)
    np.testing.assert_allclose(result.null_ious, chance, atol=1e-6)
    assert (wanted.max(axis=1) > 0).any()


@pytest.mark.parametrize("quantile", [None, 0.8])
@pytest.mark.parametrize("preset", PRESETS)
def test_scores_are_those_of_a_slow_dissection(preset, quantile):
    pictures = np.random.default_rng(4).random((COUNT, 3, 8, 8), dtype=np.float32)
    assert_as_slow(TinyModel(), pictures, label_planes(8), "act2", preset, quantile, None)


@pytest.mark.parametrize("size", [18, 9])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("backend", BUILDERS)
def test_maps_lie_where_receptive_fields_do_on_every_backend(backend, preset, size):
    """The pooling: fields of 7 pixels begin 2 before the picture and are 4 apart, so centres lie at 1.5, 5.5, ..."""
    model = net(backend, "smooth").model
    assert_as_slow(model, images(COUNT), label_planes(size), "pool", preset, 0.8, (-2, 7, 4))


@pytest.mark.parametrize("preset", [None, "netdissect-lite", "dissect"])
def test_a_vector_is_dissected_as_maps_of_one_value(preset):
    pictures = np.random.default_rng(4).random((COUNT, 3, 8, 8), dtype=np.float32)
    assert_as_slow(TinyModel(), pictures, label_planes(8), "pool", preset, 0.6, None)


def planted(size):
    """Units 0, 1, 2 are red, green and blue without the others; unit 3 is brightness."""
    model = TinyModel(size=size, relu=True)
    kernel = np.zeros((4, 3, 3, 3), np.float32)
    kernel[:, :, 1, 1] = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1 / 3, 1 / 3, 1 / 3]]
    return model._with_weights({"conv1": {"kernel": kernel, "bias": np.zeros(4, np.float32)}})


def shapes(count, size):
    arrays = shape_arrays(count, size=size)
    pictures = np.moveaxis(arrays.images, 3, 1).astype(np.float32) / 255
    return crosslens.concept_data((pictures, arrays.masks, NAMES))


def test_units_that_were_made_for_a_colour_are_found_and_chance_finds_none():
    result = crosslens.method("dissect", layers=("act1",), quantile=0.98, examples=0)(planted(32), shapes(80, 32))
    assert result.columns["concept"][:3].tolist() == ["red", "green", "blue"]
    assert result.columns["detector"].tolist() == [True, True, True, False]
    assert (result.columns["null_iou"] < result.columns["iou"] / 3)[:3].all()
    assert result.figures()["act1"]["detectors"] == 3
    assert result.figures()["act1"]["concepts_by_category"] == {"shape": 0, "colour": 3, "texture": 0}


def test_a_unit_that_is_the_mask_itself_has_an_iou_of_one():
    """Red is 1 where a square is and 0 elsewhere: squares are a quarter of all pixels, so the 0.6 quantile is 0."""
    pictures, masks = np.zeros((6, 3, 8, 8), np.float32), np.zeros((6, 8, 8), int)
    for n in range(6):
        masks[n, n % 3 : n % 3 + 4, n % 5 : n % 5 + 4] = 1
    pictures[:, 0] = masks
    source = crosslens.concept_data((pictures, masks, ["square"]))
    result = crosslens.method("dissect", layers=("act1",), quantile=0.6)(planted(8), source)
    assert result.columns["threshold"][0] == 0
    assert result.columns["iou"][0] == 1
    assert 0 < result.columns["null_iou"][0] < 1


def test_random_directions_stand_beside_units_and_find_fewer_colours():
    result = crosslens.method("dissect", layers=("act1",), basis="random:1", quantile=0.98, examples=0)(
        planted(32), shapes(80, 32)
    )
    assert result.bases == ("units", "directions")
    assert result.columns["basis"].tolist() == ["units"] * 4 + ["directions"] * 4
    figures = result.figures()["act1"]
    alone = crosslens.method("dissect", layers=("act1",), quantile=0.98, examples=0)(planted(32), shapes(80, 32))
    assert figures["units"] == alone.figures()["act1"]
    rows = result.rows_of("act1", "directions")
    best = [result.columns["iou"][result.rows_of("act1", basis)].max() for basis in result.bases]
    assert len(rows) == 4
    assert best[1] < best[0]


def test_random_directions_are_orthogonal_and_follow_the_seed():
    first = directions(16, 5).astype(np.float64)
    np.testing.assert_allclose(first @ first.T, np.eye(16), atol=1e-6)
    assert np.array_equal(directions(16, 5), directions(16, 5))
    assert not np.allclose(first, directions(16, 6))


def test_scores_along_directions_are_those_of_rotated_maps():
    pictures, planes = np.random.default_rng(4).random((COUNT, 3, 8, 8), dtype=np.float32), label_planes(8)
    model = TinyModel()
    result = crosslens.method("dissect", layers=("conv2",), basis="random:3", quantile=0.9, examples=0)(
        model, data(pictures, planes)
    )
    maps = np.asarray(model.forward(pictures, ["conv2"])["conv2"])
    rotated = np.einsum("du,nuhw->ndhw", directions(maps.shape[1], 3), maps)
    wanted, _ = scores(rotated, numbered(planes), CATEGORIES, settings=(0.9, *PRESETS[None][1:]), picture=(8, 8))
    np.testing.assert_allclose(result.ious[result.rows_of("conv2", "directions")], wanted, atol=1e-6)


def test_a_preset_sets_what_is_not_given_and_is_recorded():
    method = crosslens.method("dissect", preset="dissect", minimum_iou=0.1)
    assert (method.quantile, method.counted, method.minimum_iou) == (0.99, "all", 0.1)
    result = with_preset(Dissect, "dissect")(layers=("act1",), examples=0)(planted(8), data_of(8))
    assert result.provenance["preset"] == "dissect"
    with pytest.raises(ParameterError, match=r"'captum'.*netdissect"):
        crosslens.method("dissect", preset="captum")


def data_of(size):
    return data(np.random.default_rng(4).random((COUNT, 3, size, size), dtype=np.float32), label_planes(size))


def test_pictures_show_the_units_that_fit_best_and_their_masks():
    result = crosslens.method("dissect", layers=("act1",), quantile=0.98, examples=2)(planted(32), shapes(40, 32))
    assert result.pictured["act1"][0] == int(np.argmax(result.columns["iou"]))
    assert result.pictures["act1"].shape == (4, 2, 128, 128, 3)
    sheet = result.picture()
    assert sheet.dtype == np.uint8
    assert (sheet == (255, 230, 0)).all(axis=2).any()
    chosen = crosslens.method("dissect", layers=("act1",), units=(3, 1), examples=2)(planted(32), shapes(40, 32))
    assert chosen.pictured["act1"] == (3, 1)


def test_each_concepts_best_unit_gets_pictures_before_second_ones():
    found = {"iou": [0.3, 0.2, 0.1, 0.05, 0.0], "concept": ["red", "red", "blue", "red", ""]}
    result = dissection_of({**found, "category": ["colour", "colour", "colour", "shape", ""]})
    assert best_units(result, "a", 5) == (0, 2, 3, 1, 4)
    assert best_units(result, "a", 2) == (0, 2)


def dissection_of(columns):
    columns = {name: np.array(values) for name, values in columns.items()}
    rows = len(columns["iou"])
    columns |= {"layer": np.full(rows, "a"), "basis": np.full(rows, "units")}
    return Dissection(columns, concepts=("red",), categories=("colour",), ious=np.zeros((rows, 1)), minimum_iou=0.04)


def test_a_dissection_is_saved_whole_as_a_table_and_into_a_folder(tmp_path):
    result = crosslens.method("dissect", layers=("act1", "act2"), quantile=0.98, examples=2)(
        planted(32), shapes(40, 32)
    )
    again = crosslens.load(result.save(tmp_path / "d.npz"))
    assert again == result
    assert again.figures() == result.figures()
    assert result.save(tmp_path / "d.csv").read_text().startswith("layer,basis,unit,concept,category,iou,")
    names = {path.name for path in result.save_into(tmp_path)}
    assert {"act1.png", "act2.png", "concepts.png", "table.parquet"} <= names
    first = result[1:3]
    assert first.ious.shape == (2, len(result.concepts))


def test_the_pictures_of_chosen_rows_are_those_of_their_units_under_their_own_concepts():
    result = crosslens.method("dissect", layers=("act1", "act2"), quantile=0.98, examples=2, basis="random:0")(
        planted(32), shapes(40, 32)
    )
    assert result[:].picture().tobytes() == result.picture().tobytes()
    rows = [int(result.rows_of("act2")[unit]) for unit in result.pictured["act2"][:2]]
    chosen = result[[*rows[::-1], int(result.rows_of("act1", "directions")[0])]]
    assert chosen.pictured == {"act2": result.pictured["act2"][:2]}
    np.testing.assert_array_equal(chosen.pictures["act2"], result.pictures["act2"][:2])
    np.testing.assert_array_equal(chosen.answers["act2"], result.answers["act2"][:2])
    for unit, row in zip(chosen.pictured["act2"], rows, strict=True):
        place = int(np.flatnonzero(np.asarray(chosen["unit"])[:2] == unit)[0])
        assert chosen["iou"][place] == result["iou"][row]
        assert chosen._title(chosen._row_by_unit("act2")[unit], unit) == result._title(row, unit)
    with pytest.raises(ImageError, match="no pictures"):
        result[result.rows_of("act1", "directions")].picture()


def test_without_a_null_there_is_none():
    result = crosslens.method("dissect", layers=("act1",), null=False, examples=0)(planted(8), data_of(8))
    assert result.null_ious is None
    assert np.isnan(result.columns["null_iou"]).all()
    assert "null_detectors" not in result.figures()["act1"]


def test_what_cannot_be_dissected_is_refused_with_what_would_be_right():
    with pytest.raises(ParameterError, match=r"no concepts.*concept_data"):
        crosslens.method("dissect")(TinyModel(), np.zeros((2, 3, 8, 8), np.float32))
    with pytest.raises(LayerError, match=r"'tokens'.*maps"):
        crosslens.method("dissect", layers=("tokens",))(TinyModel(tokens=True), data_of(8))
    for wrong in ("random", "random:x", "pca"):
        with pytest.raises(ParameterError, match=r"random:"):
            crosslens.method("dissect", basis=wrong)(TinyModel(), data_of(8))
    with pytest.raises(ParameterError, match=r"units are .9,.*0 to 3"):
        crosslens.method("dissect", layers=("act1",), units=(9,))(TinyModel(), data_of(8))
    with pytest.raises(LayerError, match=r"whole_pixels.*closer"):
        crosslens.method("dissect", preset="netdissect", layers=("act1",))(TinyModel(), half_size())


def half_size():
    planes = label_planes(8)[:, :, ::2, ::2]
    return data(np.random.default_rng(4).random((COUNT, 3, 8, 8), dtype=np.float32), planes)


def test_concepts_that_no_picture_has_are_noted():
    pictures = np.random.default_rng(4).random((3, 3, 8, 8), dtype=np.float32)
    source = crosslens.concept_data((pictures, np.ones((3, 8, 8), int), ["all", "nothing"]))
    result = crosslens.method("dissect", layers=("act1",), examples=0)(TinyModel(), source)
    assert any("nothing (concept)" in note for note in result.notes)


def test_chance_of_few_pictures_is_noted():
    def notes(**settings):
        found = crosslens.method("dissect", layers=("act1",), examples=0, **settings)(planted(8), data_of(8)).notes
        return [note for note in found if "one shuffle of the labels of only" in note]

    assert len(notes()) == 1
    assert notes(null=False) == []
