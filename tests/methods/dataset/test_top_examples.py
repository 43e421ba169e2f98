"""Top examples: what a full sort finds, in every layer; rectangles that hold all that matters; pictures and files."""

import crosslens
import numpy as np
import pandas as pd
import pytest
from crosslens.data import ArraySource
from crosslens.errors import LayerError, ParameterError, PluginError
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(3).random((9, 3, 8, 8), dtype=np.float32)
SOURCE = ArraySource(IMAGES, [f"class {n % 2}" for n in range(9)])


class Rectified(TinyModel):
    """Its activation functions are rectifiers, and it says which layer each reads."""

    def __init__(self):
        super().__init__(relu=True)

    def reads(self, layer):
        names = list(self.layers)
        return (names[names.index(layer) - 1],) if layer != names[0] else ()


def examples(model=TinyModel, **parameters):
    return crosslens.method("top_examples", **{"count": 4, **parameters})(model(), SOURCE)


def best_of_images(layer, unit, count):
    """(value, image, position) of the largest value of each image, largest first, by sorting all."""
    maps = TinyModel().forward(IMAGES, [layer])[layer][:, unit].reshape(len(IMAGES), -1)
    best = [(-float(v[p]), n, int(p)) for n, v in enumerate(maps) for p in [np.lexsort((np.arange(v.size), -v))[0]]]
    return [(-value, image, position) for value, image, position in sorted(best)[:count]]


@pytest.mark.parametrize("layer", ["conv1", "act2", "fc"])
def test_the_examples_of_a_unit_are_its_largest_values_one_of_each_image(layer):
    found = examples(layers=(layer,), before_rectifier="no", kinds=("most",))
    for unit in range(found.values[layer].shape[1]):
        own = [found.values[layer][0, unit], found.indices[layer][0, unit], found.positions[layer][0, unit]]
        for got, expected in zip(zip(*own, strict=True), best_of_images(layer, unit, 4), strict=True):
            assert got == pytest.approx(expected, rel=1e-6)


def test_a_rectified_layer_is_looked_at_before_its_rectifier_and_says_so():
    found = examples(Rectified, layers=("act1",), kinds=("least",))
    assert found.looked_at == {"act1": "conv1"}
    assert found.values["act1"].min() < 0
    assert "looked at before the rectifier: act1 at conv1" in found.notes
    assert "before its rectifier" in found._heading("act1")


def test_after_the_rectifier_a_note_says_that_least_values_say_little():
    found = examples(Rectified, layers=("act1",), before_rectifier="no")
    assert found.looked_at == {"act1": "act1"}
    assert any("after their rectifier" in note and "act1" in note for note in found.notes)
    assert (found.indices["act1"][found.kinds.index("slightly_negative")] == -1).all()


def test_a_layer_without_a_rectifier_is_refused_where_its_input_is_asked_for():
    with pytest.raises(LayerError, match=r"'conv1'.* leave before_rectifier out"):
        examples(layers=("conv1",), before_rectifier="yes")


def test_pixels_outside_the_rectangle_change_nothing_at_the_position():
    found = examples(layers=("act1",), kinds=("most",))
    at, model = found.looked_at["act1"], TinyModel()
    for unit, (top, left, bottom, right) in enumerate(found.rectangles["act1"][0, :, 0].tolist()):
        index, position = found.indices["act1"][0, unit, 0], found.positions["act1"][0, unit, 0]
        changed = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
        changed[..., top:bottom, left:right] = IMAGES[index : index + 1, :, top:bottom, left:right]
        value = model.forward(changed, [at])[at][0, unit].ravel()[position]
        assert value == pytest.approx(found.values["act1"][0, unit, 0], rel=1e-5)


def test_saved_and_read_back_it_is_the_same(tmp_path):
    found = examples(units=(1, 2))
    again = crosslens.load(found.save(tmp_path / "examples.npz"))
    assert again == found
    np.testing.assert_array_equal(again.page("act2", 1), found.page("act2", 1))


def test_the_table_has_a_row_for_each_example_and_no_other():
    found = examples(layers=("act1", "conv1"), count=20)
    table = found.to_dataframe()
    assert list(table) == [
        "layer", "unit", "kind", "rank", "value", "image", "id", "position", "top", "left", "bottom", "right",
    ]  # fmt: skip
    assert len(table) == sum((indices >= 0).sum() for indices in found.indices.values())
    row = table.iloc[7]
    place = (found.kinds.index(row["kind"]), row["unit"], row["rank"])
    assert found.values[row["layer"]][place] == np.float32(row["value"])
    assert (table["id"] == table["image"].astype(str)).all()
    assert not table.duplicated(["layer", "unit", "kind", "image"]).any()


def test_captions_name_value_label_and_id_and_a_page_has_a_row_for_each_kind():
    found = examples(units=(2,), kinds=("most", "least"))
    first, *_ = found._example_tiles("act2", 0, 0, False)
    index = found.indices["act2"][0, 2, 0]
    assert first.caption == f"{found.values['act2'][0, 2, 0]:.4g}\nclass {index % 2}: {index}"
    one_kind = examples(units=(2,), kinds=("most",))
    assert found.page("act2", 2).shape[0] > 1.5 * one_kind.page("act2", 2).shape[0]
    assert found.page("act2", 2, whole=True).shape[2] == 3


def test_a_crop_shows_the_pixels_of_its_rectangle_and_grey_beyond():
    found = examples(layers=("conv1",), units=(0,), kinds=("most",), attribution=None)
    assert found.attributions == {}
    top, left, bottom, right = found.rectangles["conv1"][0, 0, 0]
    shown = found.crops["conv1"][0, 0, 0]
    inside = np.round(IMAGES[found.indices["conv1"][0, 0, 0]] * 255).astype(np.uint8)[:, top:bottom, left:right]
    seen = shown[(shown != 128).any(axis=2)]
    expected = np.moveaxis(inside, 0, -1).reshape(-1, 3)
    assert sorted(seen.tolist()) == sorted(each for each in expected.tolist() if each != [128] * 3)


def test_the_attribution_is_that_of_the_unit_at_the_position():
    found = examples(layers=("conv1",), units=(1,), kinds=("most",), attribution="gradient")
    assert found.attribution == "gradient"
    drawn = found.attributions["conv1"][0, 0, 0][..., 0]
    kernel = np.abs(TinyModel().weights("conv1")["kernel"][1]).sum(axis=0)
    padded = np.zeros((10, 10), np.float32)
    row, column = divmod(int(found.positions["conv1"][0, 1, 0]), 8)
    padded[row : row + 3, column : column + 3] = kernel
    expected = padded[1:-1, 1:-1]
    assert drawn.shape == expected.shape
    assert ((drawn > 0) == (expected > 0.01 * expected.max())).mean() > 0.95
    assert drawn.argmax() == expected.argmax()


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"kinds": ("mots",)}, ParameterError, "no kind of examples 'mots'"),
        ({"kinds": ()}, ParameterError, "kinds is empty"),
        ({"kinds": ("most", "most")}, ParameterError, "kinds holds a kind twice"),
        ({"layers": "act2"}, ParameterError, r"layers is 'act2'; it must be several texts: \('act2',\)"),
        ({"units": (600,)}, ParameterError, "units are .600,.; layer 'act2' has"),
        ({"layers": ("conv9",)}, LayerError, "no layer 'conv9'"),
        ({"attribution": "gradeint"}, PluginError, "gradeint"),
        ({"attribution": "deep_dream"}, ParameterError, "give a method that explains images"),
        ({"count": 0}, ParameterError, "count is 0"),
    ],
)
def test_what_is_wrong_is_told_before_the_sweep(parameters, error, text):
    class Unread(ArraySource):
        def read(self, start, stop, model):
            raise AssertionError("an image was read")

    with pytest.raises(error, match=text):
        crosslens.method("top_examples", **parameters)(TinyModel(), Unread(IMAGES))


def test_a_unit_without_pictures_is_refused_with_what_to_ask_for():
    with pytest.raises(ParameterError, match=r"unit 4 of layer 'act2' has no pictures, units 0, 1 have.*units=\(4,\)"):
        examples(units=(0, 1)).page("act2", 4)


def test_other_units_get_pictures_without_another_sweep():
    class Counting(ArraySource):
        reads = 0

        def read(self, start, stop, model):
            Counting.reads += stop - start
            return super().read(start, stop, model)

    source, model = Counting(IMAGES), TinyModel()
    found = crosslens.method("top_examples", count=2, units=(0,))(model, source)
    Counting.reads = 0
    other = crosslens.method("top_examples", count=2, units=(3,)).with_pictures(found, model, source)
    assert Counting.reads == len({*found.indices["act2"][:, 3].ravel().tolist()} - {-1})
    assert other.pictured == {"act2": (3,)}
    assert other.page("act2", 3).shape[2] == 3


def test_an_image_that_can_no_longer_be_read_is_a_note_and_a_white_picture():
    class Vanishing(ArraySource):
        gone = False

        def read(self, start, stop, model):
            if stop - start == 1:
                self._images = np.full_like(IMAGES, np.nan)
            return super().read(start, stop, model)

    found = crosslens.method("top_examples", units=(0,), count=2)(TinyModel(), Vanishing(IMAGES))
    assert any("could not be read again and have no picture" in note for note in found.notes)
    assert (found.crops["act2"] == 255).all()
    assert found.page("act2", 0, whole=True).shape[2] == 3


def test_an_image_that_is_another_one_when_it_is_read_again_is_named():
    class Changing(ArraySource):
        def read(self, start, stop, model):
            if stop - start == 1:
                self._images = IMAGES[[8, *range(1, 9)]]
            return super().read(start, stop, model)

    found = crosslens.method("top_examples", units=(0,), count=9, shown=9)(TinyModel(), Changing(IMAGES))
    assert [note for note in found.notes if "examples" in note] == [
        "1 images of examples are other ones than those swept, so their pictures do not show what has these values: 0"
    ]
    assert not [note for note in examples(count=9, shown=9).notes if "other ones" in note]


def test_a_survey_folder_gets_sheets_pages_and_a_table(tmp_path):
    found = examples(units=(0, 1))
    written = [path.name for path in found.save_into(tmp_path)]
    assert written == ["act2.png", "act2-unit-0.png", "act2-unit-1.png", "table.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), found.to_dataframe(), check_dtype=False)
    before = [(tmp_path / name).read_bytes() for name in written]
    examples(units=(0, 1)).save_into(tmp_path)
    assert before == [(tmp_path / name).read_bytes() for name in written]
