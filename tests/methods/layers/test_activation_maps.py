"""Activation maps: raw activations by layer, and which of them a sheet shows in which order and colours."""

import numpy as np
import pytest
from crosslens import load, method
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError, ModelError, ParameterError
from crosslens.sheets import activation_maps as sheets
from crosslens.sheets.activation_maps import ActivationMaps
from crosslens.testing import TinyModel

MODEL = TinyModel()
IMAGES = np.random.default_rng(1).random((3, 3, 8, 8), dtype=np.float32)
ACTIVATIONS = MODEL.forward(IMAGES, ["act1", "conv2", "fc"])


@pytest.fixture
def drawn(monkeypatch):
    """The tiles, by row, and the titles that a result puts on its sheet."""

    def of(shown):
        given = []
        monkeypatch.setattr(sheets, "sheet", lambda rows, titles, **options: given.extend([rows, titles]))
        shown.picture()
        return given

    return of


def test_they_are_the_layers_activations_and_nothing_else():
    shown = method("activation_maps", layers=("act1", "conv2", "fc"))(MODEL, IMAGES)
    assert list(shown.maps) == ["act1", "conv2", "fc"]
    for name, values in ACTIVATIONS.items():
        np.testing.assert_array_equal(shown.maps[name], values)
    np.testing.assert_allclose(shown.summed("act1"), ACTIVATIONS["act1"].sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("by", ["maximum", "mean"])
def test_the_strongest_come_first_and_of_equal_ones_the_lower_number(by):
    shown = method("activation_maps", layers=("act1",), by=by)(MODEL, IMAGES)
    measure = np.max if by == "maximum" else np.mean
    for image, order in zip(ACTIVATIONS["act1"], shown.strongest("act1"), strict=True):
        assert list(order) == sorted(range(4), key=lambda unit, image=image: (-measure(image[unit]), unit))
    equal = ActivationMaps(maps={"a": np.ones((1, 3, 2, 2))}, images=IMAGES[:1])
    np.testing.assert_array_equal(equal.strongest("a"), [[0, 1, 2]])


def test_the_sheet_has_the_picture_the_sum_and_the_strongest_maps_with_their_numbers(drawn):
    shown = method("activation_maps", layers=("act1", "conv2"), count=2)(MODEL, IMAGES[:2])
    rows, titles = drawn(shown)
    first, second = shown.strongest("act1")[0][:2]
    captions = [[tile.caption.split("  ")[0] for tile in row] for row in rows]
    top = [np.quantile(np.abs(ACTIVATIONS["act1"][n].sum(axis=0)), 0.995) for n in range(2)]
    assert captions[0] == ["picture", f"sum, to {top[0]:.3g}", f"#{first}", f"#{second}"]
    assert [row[0] for row in captions][::2] == ["picture", "picture"]
    assert captions[2][1] == f"sum, to {top[1]:.3g}"
    assert titles[0].startswith("act1: 2 of 4 maps 8 x 8, by maximum; 0 black, ")
    assert "blue, 0 white" in titles[1]
    np.testing.assert_array_equal(rows[0][0].pixels, (IMAGES[0].transpose(1, 2, 0) * 255).round())


def test_one_scale_is_shared_by_a_layer_or_each_map_has_its_own(drawn):
    maps = np.zeros((1, 2, 2, 2))
    maps[0, 0], maps[0, 1, 0, 0] = 4, 1
    shared = ActivationMaps(maps={"a": maps}, images=IMAGES[:1])
    own = ActivationMaps(maps={"a": maps}, images=IMAGES[:1], own_scale=True)
    (_, _, _, weak), (_, _, _, as_strong) = drawn(shared)[0][0], drawn(own)[0][0]
    assert weak.pixels[0, 0].sum() < as_strong.pixels[0, 0].sum()
    assert "each map to its own scale" in own.title("a")


def test_maps_with_negative_values_are_white_at_zero(drawn):
    maps = np.array([0.0, -2, 2, 0, 0, 0, 0, 0]).reshape(1, 2, 2, 2)
    rows, _ = drawn(ActivationMaps(maps={"a": maps}, images=IMAGES[:1]))
    pixels = rows[0][2].pixels.astype(int)
    assert tuple(pixels[0, 0]) == (247, 247, 247)
    assert pixels[0, 1, 2] > pixels[0, 1, 0]  # blue
    assert pixels[1, 0, 0] > pixels[1, 0, 2]  # red


def test_a_vector_is_a_strip_and_its_title_names_the_largest():
    shown = method("activation_maps", layers=("fc",))(MODEL, IMAGES[:1])
    best = int(ACTIVATIONS["fc"][0].argmax())
    assert f"fc: 5 units in order; the largest #{best} " in shown.title("fc")
    assert shown.picture().dtype == np.uint8


def tokens(count):
    """A network whose layer gives (N, count, 4): four numbers of each token."""
    torch = pytest.importorskip("torch")
    import crosslens

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lay_out, self.token = torch.nn.Identity(), torch.nn.Linear(4, 4)

        def forward(self, x):
            return self.token(self.lay_out(x.reshape(len(x), -1)[:, : count * 4].reshape(len(x), count, 4))).mean(1)

    return crosslens.wrap(Tokens().eval(), preprocess="unit", input_shape=(3, 8, 8))


def test_tokens_are_maps_where_they_are_a_grid_of_patches():
    model = tokens(17)
    shown = method("activation_maps", layers=("token",))(model, IMAGES)
    raw = as_numpy(model.forward(IMAGES, ["token"])["token"])
    np.testing.assert_array_equal(shown.values, raw[:, 1:].reshape(3, 4, 4, 4).transpose(0, 3, 1, 2))
    other = tokens(3)
    shown = method("activation_maps", layers=("token",))(other, IMAGES)
    raw = as_numpy(other.forward(IMAGES, ["token"])["token"])
    np.testing.assert_array_equal(shown.values, raw.transpose(0, 2, 1)[:, :, None])


def test_one_image_of_several_and_several_batches_as_one():
    whole = method("activation_maps", layers=("act1", "fc"))(MODEL, IMAGES)
    np.testing.assert_array_equal(whole[1].maps["fc"], ACTIVATIONS["fc"][1:2])
    assert len(whole[1:]) == 2
    parts = TinyModel()
    parts.batch_size = 2
    joined = method("activation_maps", layers=("act1", "fc"))(parts, IMAGES)
    np.testing.assert_allclose(joined.maps["act1"], ACTIVATIONS["act1"], rtol=1e-6)
    np.testing.assert_allclose(joined.maps["fc"], ACTIVATIONS["fc"], rtol=1e-6)


def test_the_table_has_a_row_for_each_image_layer_and_unit():
    frame = method("activation_maps", layers=("act1", "fc"))(MODEL, IMAGES).to_dataframe()
    assert len(frame) == 3 * (4 + 5)
    row = frame[(frame.image == 2) & (frame.layer == "act1") & (frame.unit == 1)].iloc[0]
    np.testing.assert_allclose(
        (row.maximum, row["mean"]), (ACTIVATIONS["act1"][2, 1].max(), ACTIVATIONS["act1"][2, 1].mean())
    )


def test_a_saved_file_gives_it_back_whole(tmp_path):
    shown = method("activation_maps", layers=("act1", "fc"))(MODEL, IMAGES)
    assert load(shown.save(tmp_path / "maps.npz")) == shown
    assert shown.save(tmp_path / "maps.png").read_bytes()[:4] == b"\x89PNG"


def test_words_stand_for_many_layers_and_the_default_is_the_last_maps():
    every = method("activation_maps", layers=("all",))(MODEL, IMAGES)
    assert list(every.maps) == ["conv1", "act1", "conv2", "act2", "pool", "fc", "<output>"]
    assert every.provenance["layers"] == list(every.maps)
    default = method("activation_maps")(MODEL, IMAGES)
    assert list(default.maps) == ["act2"]
    assert default.provenance["default_layer"]


def test_what_it_cannot_show_it_says():
    with pytest.raises(LayerError, match="no layer 'act3'"):
        method("activation_maps", layers=("act3",))(MODEL, IMAGES)
    with pytest.raises(ParameterError, match="by is 'sum'; it must be maximum or mean"):
        method("activation_maps", by="sum")(MODEL, IMAGES)
    broken = TinyModel()
    broken._parameters["conv2"]["bias"][0] = np.nan
    with pytest.raises(ModelError, match=r"layer 'act2' gives NaN or infinite values|NaN"):
        method("activation_maps")(broken, IMAGES)
