"""Filters: which units are shown and in which order, and that a picture is what the paper's figure shows."""

import numpy as np
import pytest
from crosslens import load, method
from crosslens.errors import LayerError, ParameterError
from crosslens.model.preprocessing import Preprocess
from crosslens.sheets import filters as sheets
from crosslens.sheets.filters import Filters
from crosslens.testing import TinyModel

MODEL = TinyModel(preprocess=Preprocess(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), order="BGR"))
KERNELS = MODEL.weights("conv1")["kernel"]


def result(values, reads="", **options):
    """Filters with these values (n, C, ...), numbered from the last one down."""
    kernels = np.asarray(values, np.float32)
    norms = np.sqrt((kernels.astype(float) ** 2).sum(axis=tuple(range(1, kernels.ndim))))
    given = {"layer": "conv", "kernels": kernels, "norms": norms, "units": np.arange(len(kernels)), "values": kernels}
    return Filters(**{**given, "reads": reads, **options})


@pytest.fixture
def tiles(monkeypatch):
    """The pictures of the tiles that a result puts on its sheet, row by row."""

    def drawn(shown):
        rows = []
        monkeypatch.setattr(sheets, "sheet", lambda given, *texts, **options: rows.extend(given))
        shown.picture()
        return [tile.pixels for row in rows for tile in row]

    return drawn


def test_they_are_the_weights_and_in_colour_the_weights_over_the_deviation_channels_turned_round():
    shown = method("filters")(MODEL)
    np.testing.assert_array_equal(shown.kernels, KERNELS)
    np.testing.assert_allclose(shown.values, KERNELS[:, ::-1] / np.array([0.4, 0.3, 0.2])[:, None, None], rtol=1e-6)
    np.testing.assert_array_equal(shown.units, range(4))
    np.testing.assert_allclose(shown.norms, [np.sqrt((kernel.astype(float) ** 2).sum()) for kernel in KERNELS])
    assert shown.in_colour
    assert shown.provenance["layers"] == ["conv1"]


def test_the_picture_draws_zero_as_mid_grey_and_the_largest_weight_as_white_or_black(tiles):
    values = np.zeros((2, 3, 3, 3))
    values[0, 0, 1, 1], values[0, 2, 0, 0], values[1, 1, 2, 2] = 4, -1, -1
    first, second = tiles(result(values, "<input>"))
    assert tuple(first[0, 2]) == (128, 128, 128)
    assert tuple(first[1, 1]) == (255, 128, 128)
    assert tuple(first[0, 0]) == (128, 128, 96)  # 128 - 127 / 4
    assert tuple(second[2, 2]) == (128, 1, 128)


def test_one_scale_for_all_draws_a_weaker_unit_weaker(tiles):
    values = np.zeros((2, 3, 3, 3))
    values[0, :, 1, 1], values[1, :, 1, 1] = 4, -1
    _, second = tiles(result(values, "<input>", shared_scale=True))
    assert second[1, 1, 0] == 96


def test_elsewhere_a_unit_is_a_row_of_its_strongest_input_channels(tiles):
    values = np.zeros((2, 5, 3, 3))
    values[0, 1, 0, 0], values[1, 4, 2, 2], values[0, 2] = 1.0, -2.0, 0.1
    shown = result(values, most_inputs=2)
    np.testing.assert_array_equal(shown.channels(), [1, 4])
    drawn = tiles(shown)
    assert [tuple(tile[0, 0]) for tile in drawn] == [(255,) * 3, (128,) * 3, (128,) * 3, (128,) * 3]
    assert tuple(drawn[3][2, 2]) == (1, 1, 1)
    assert "a row each: 2 of 5 input channels" in shown.heading()


def test_kernels_of_one_number_are_a_matrix(tiles):
    shown = result(np.array([[1.0, -1.0, 0.0], [2.0, 0.0, 2.0]]).reshape(2, 3, 1, 1))
    (matrix,) = tiles(shown)
    np.testing.assert_array_equal(matrix[..., 0], [[255, 1, 128], [255, 128, 255]])
    assert "across: 3 inputs" in shown.heading()


def test_one_input_channel_each_and_lines_and_volumes_are_drawn(tiles):
    assert len(tiles(result(np.ones((4, 1, 3, 3))))) == 4
    assert [tile.shape for tile in tiles(result(np.ones((4, 2, 5))))] == [(1, 5, 3)] * 8
    volume = np.zeros((1, 1, 2, 3, 3))
    volume[0, 0, 1, 0, 0] = 1
    (slices,) = tiles(result(volume))
    assert slices.shape == (3, 6, 3)
    assert tuple(slices[0, 3]) == (255, 255, 255)
    assert tuple(slices[0, 0]) == (128, 128, 128)


def test_the_sheet_itself_is_a_picture():
    pixels = result(np.ones((2, 3, 3, 3)), "<input>").picture()
    assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3)


@pytest.mark.parametrize("sort", ["none", "norm", "similarity"])
def test_count_takes_the_first_of_the_order(sort):
    whole = method("filters", layer="conv2", sort=sort)(MODEL)
    few = method("filters", layer="conv2", sort=sort, count=2)(MODEL)
    assert sorted(whole.units) == list(range(6))
    np.testing.assert_array_equal(few.units, whole.units[:2])
    np.testing.assert_array_equal(few.values, whole.kernels[few.units])


def test_by_norm_the_longest_comes_first():
    shown = method("filters", layer="conv2", sort="norm")(MODEL)
    lengths = [np.linalg.norm(kernel.ravel()) for kernel in shown.values]
    assert lengths == sorted(lengths, reverse=True)


def chain(vectors):
    """From the longest on, each time the nearest by cosine of those left: slow on purpose."""
    left = list(range(len(vectors)))
    order = [max(left, key=lambda n: (np.linalg.norm(vectors[n]), -n))]
    left.remove(order[0])
    while left:
        last = vectors[order[-1]] / np.linalg.norm(vectors[order[-1]])
        order.append(max(left, key=lambda n: (vectors[n] @ last / np.linalg.norm(vectors[n]), -n)))
        left.remove(order[-1])
    return order


def test_by_similarity_each_is_next_to_the_nearest_of_those_left():
    shown = method("filters", layer="conv2", sort="similarity")(MODEL)
    vectors = MODEL.weights("conv2")["kernel"].reshape(6, -1).astype(float)
    np.testing.assert_array_equal(shown.units, chain(vectors))


def test_by_similarity_equal_ones_keep_their_order_and_dead_ones_come_last():
    from crosslens.methods.layers._seriation import by_similarity

    order = by_similarity(np.array([[0.0, 0], [3, 0], [3, 0], [0, 0], [0, 1], [2, 1]]))
    np.testing.assert_array_equal(order, [1, 2, 5, 4, 0, 3])


def test_named_units_are_shown_as_they_are_named():
    shown = method("filters", layer="conv2", units=(4, 1))(MODEL)
    np.testing.assert_array_equal(shown.values, MODEL.weights("conv2")["kernel"][[4, 1]])
    np.testing.assert_array_equal(shown[1].values, MODEL.weights("conv2")["kernel"][[1]])
    assert len(shown) == 2


def test_the_table_has_a_row_for_each_filter():
    frame = method("filters", units=(3, 0))(MODEL).to_dataframe()
    assert list(frame.columns) == ["unit", "norm", "smallest", "largest"]
    assert list(frame["unit"]) == [3, 0]
    np.testing.assert_allclose(frame["norm"], [np.linalg.norm(KERNELS[n].astype(float)) for n in (3, 0)])


def test_a_saved_file_gives_it_back_whole(tmp_path):
    shown = method("filters", layer="fc", sort="norm", count=3)(MODEL)
    assert load(shown.save(tmp_path / "filters.npz")) == shown
    assert shown.save(tmp_path / "filters.png").read_bytes()[:4] == b"\x89PNG"
    assert shown._repr_png_()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"units": (1, 9)}, ParameterError, r"no unit 9 in layer 'conv1': it has 4, 0 to 3"),
        (
            {"units": (1,), "count": 3},
            ParameterError,
            r"units= names the filters and their order, and count= was given",
        ),
        ({"units": (1,), "sort": "norm"}, ParameterError, r"and sort= was given too"),
        ({"units": ()}, ParameterError, r"units is empty"),
        ({"layer": "pool"}, LayerError, r"layer 'pool' has no kernels"),
        ({"kernel": "bias"}, LayerError, r"layer 'conv1' has no weights 'bias'; it has kernel"),
    ],
)
def test_what_it_cannot_show_it_says(options, error, text):
    with pytest.raises(error, match=text):
        method("filters", **options)(MODEL)


def test_images_are_refused():
    with pytest.raises(ParameterError, match="takes no images; activation_maps shows"):
        method("filters")(MODEL, np.zeros((1, 3, 8, 8), np.float32))


def test_bands_are_for_what_reads_the_image():
    with pytest.raises(ParameterError, match="bands choose the colours of what reads the image, and 'conv' does not"):
        result(np.ones((1, 3, 3, 3)), bands=(3, 2, 1)).picture()
    red_first = result(np.ones((1, 3, 3, 3)), "<input>").picture()
    assert red_first.shape == result(np.ones((1, 3, 3, 3)), "<input>", bands=(3, 2, 1)).picture().shape
