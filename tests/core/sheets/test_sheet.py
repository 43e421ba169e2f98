"""Sheets: where tiles stand, how large they are, and that text neither fails nor leaves its place."""

import numpy as np
import pytest
from crosslens import sheets
from crosslens.errors import ImageError, ParameterError
from crosslens.sheets import Tile, sheet, square_rows
from crosslens.sheets.lettering import cut, font, printable, text_width, wrap
from PIL import ImageFont


def tile(height=40, width=64, caption="", value=200, **options):
    """A tile of a colour that no letter has."""
    return Tile(np.full((height, width, 3), (value, 250, 3), np.uint8), caption, **options)


def places(pixels, value=200):
    """Rows and columns, half-open, of the tile of this value."""
    found = (pixels == (value, 250, 3)).all(axis=2)
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def dark(pixels):
    return (pixels < 128).all(axis=2)


def test_the_ground_is_white_and_a_tile_keeps_its_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (80, 100, 3)).astype(np.uint8)
    pixels = sheet([[Tile(picture)]])
    assert pixels.dtype == np.uint8
    assert (pixels[0] == 255).all()
    assert (pixels[-1] == 255).all()
    assert any(
        np.array_equal(pixels[y : y + 80, x : x + 100], picture)
        for y in range(pixels.shape[0] - 79)
        for x in range(pixels.shape[1] - 99)
    )


def test_tiles_of_different_sizes_stand_in_one_row_and_column_without_touching():
    pixels = sheet([[tile(70, 90, value=1), tile(20, 66, value=2)], [tile(65, 65, value=3), tile(80, 80, value=4)]])
    one, two, three, four = (places(pixels, value) for value in (1, 2, 3, 4))
    assert one[0] == two[0] < one[1] < three[0] == four[0]
    assert one[2] == three[2] < one[3] < two[2] == four[2]
    assert (one[1] - one[0], one[3] - one[2], two[1] - two[0], two[3] - two[2]) == (70, 90, 20, 66)


def test_a_wide_tile_alone_in_its_row_moves_no_column():
    pixels = sheet([[tile(value=1), tile(value=2)], [tile(20, 300, value=3)]])
    one, two, alone = (places(pixels, value) for value in (1, 2, 3))
    assert two[2] - one[3] < 10
    assert alone[3] - alone[2] == 300


def test_small_tiles_grow_by_a_whole_factor_each_pixel_a_square():
    kernel = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    larger = Tile(kernel).drawn(64)
    assert larger.shape == (63, 63, 3)
    np.testing.assert_array_equal(larger, np.kron(kernel, np.ones((21, 21, 1), np.uint8)))
    assert Tile(kernel).drawn(2).shape == (3, 3, 3)
    assert tile(65, 10).drawn(64).shape == (65, 10, 3)


def test_a_frame_goes_round_the_picture_and_hides_nothing_of_it():
    framed = tile(frame=(255, 0, 0)).drawn(64)
    assert places(framed) == (2, 42, 2, 66)
    assert (framed[:2] == (255, 0, 0)).all()
    assert (framed[:, -2:] == (255, 0, 0)).all()


@pytest.mark.parametrize("caption", ["#7", "n02123045_a_very_long_name_of_a_file.jpeg\n0.25", "猫 → Köln", "a\tb\x00c"])
def test_a_caption_stands_under_its_own_tile_only(caption):
    pixels = sheet([[tile(value=1), tile(caption=caption, value=200), tile(value=2)]])
    first, own, last = places(pixels, 1), places(pixels, 200), places(pixels, 2)
    under = dark(pixels)[own[1] :]
    assert under.any()
    columns = np.flatnonzero(under.any(axis=0))
    assert first[3] <= columns[0]
    assert columns[-1] < last[2]
    assert own[2] <= columns[0]
    assert columns[-1] < own[3]


def test_titles_stand_over_their_rows_and_a_heading_over_all():
    pixels = sheet([[tile(value=200)], [], [tile(value=210)]], ["first", "none here", "third"], "all of them")
    first, third = places(pixels, 200), places(pixels, 210)
    lines = dark(pixels).any(axis=1)
    assert np.diff(np.flatnonzero(np.diff(lines[: first[0]].astype(int)) > 0)).size >= 1  # heading, then a title
    assert lines[first[1] : third[0]].any()
    assert not lines[third[1] :].any()


def test_a_title_wider_than_its_sheet_is_broken_and_stays_inside():
    long = "a title of many words that are together much wider than one small tile " * 3
    pixels = sheet([[tile(value=200)]], [long], long)
    assert (pixels[:, -3:] == 255).all()
    assert pixels.shape[1] < 300


@pytest.mark.parametrize("text", ["", "short", "a longer text of several words", "verylongwordwithoutanyspace" * 4])
@pytest.mark.parametrize("width", [3, 30, 90])
def test_text_fits_into_the_width_it_is_given(text, width):
    assert text_width(cut(text, width, 11), 11) <= width
    assert all(text_width(line, 11) <= width for line in wrap(text, width, 11))


def test_text_that_fits_is_not_changed():
    assert cut("unit 3", 200, 11) == "unit 3"
    assert wrap("one two three", 500, 11) == ["one two three"]
    assert " ".join(wrap("one two three four", 60, 11)) == "one two three four"


def test_signs_that_the_font_does_not_have_become_ones_that_it_has():
    assert printable("Köln, naïve, 3 × 3") == "Koln, naive, 3 x 3"
    assert printable("猫") == "?"
    assert printable("a\nb\x07") == "a b?"


def test_without_freetype_sheets_are_drawn_with_the_fixed_font(monkeypatch):
    fixed = ImageFont.load_default_imagefont()

    def load_default(size=None):
        if size is not None:
            raise ImportError("The _imagingft C module is not installed")
        return fixed

    monkeypatch.setattr(ImageFont, "load_default", load_default)
    for known in (font, sheets.lettering.line_height, sheets.lettering._printable_letter):
        known.cache_clear()
    try:
        assert dark(sheet([[tile(caption="Köln 猫", value=200)]], ["title"])).any()
    finally:
        for known in (font, sheets.lettering.line_height, sheets.lettering._printable_letter):
            known.cache_clear()


def test_square_rows_keep_the_order():
    assert square_rows(list(range(5)), 2) == [[0, 1], [2, 3], [4]]
    assert square_rows(list(range(9))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_what_is_no_sheet_is_refused():
    with pytest.raises(ImageError, match="no tile"):
        sheet([[], []], ["a", "b"])
    with pytest.raises(ParameterError, match="1 rows was given 2 titles"):
        sheet([[tile()]], ["a", "b"])
    with pytest.raises(ImageError, match=r"received float64 \(2, 2, 3\)"):
        Tile(np.zeros((2, 2, 3)))
    with pytest.raises(ImageError, match=r"received uint8 \(0, 2, 3\)"):
        Tile(np.zeros((0, 2, 3), np.uint8))
