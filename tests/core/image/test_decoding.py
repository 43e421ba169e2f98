"""Pictures that are damaged, lie about their size, or are no files: one line each, no other output, bounded memory."""

import os
import socket
import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from crosslens.errors import ImageError
from crosslens.image.decoding import decode_picture, open_picture, upright
from crosslens.image.io import load_image
from crosslens.image.video import is_animation, read_animation
from crosslens.limits.memory import resident_memory, set_memory_limit
from crosslens.model import InputSpec
from crosslens.testing import TinyModel
from PIL import Image


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, rows, *chunks, depth=8, colour=0):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data


ROWS = bytes(9 * 8)
PALETTE = chunk(b"PLTE", bytes(6))
DAMAGED = {
    "text bomb": png(8, 8, ROWS, chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(3_000_000)))),
    "profile bomb": png(8, 8, ROWS, chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(3_000_000)))),
    "palette index": png(8, 8, ROWS, PALETTE, chunk(b"tRNS", bytes(300)), colour=3),
    "cut header": png(8, 8, ROWS)[:20],
    "no pixels": png(0, 8, ROWS),
    "words": b"P6 a b c " + bytes(9),
    "not a number": b"Pf 2 2 nan " + bytes(16),
    "sizes as text": b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 256, 2, 4, 0x41414141) + bytes(40),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_refused_in_one_line(tmp_path, name):
    (tmp_path / "x.png").write_bytes(DAMAGED[name])
    with pytest.raises(ImageError, match=r"^[^\n]{10,500}$"):
        load_image(tmp_path / "x.png")


def test_pictures_that_pillow_has_opened_are_refused_where_their_pixels_are_damaged():
    """They are decoded, and converted, after `load_image` was called."""
    with pytest.raises(ImageError, match=r"^the picture is not a picture that Pillow can read \([^\n]+\)$"):
        load_image(Image.open(BytesIO(DAMAGED["palette index"])))


def test_what_pillow_warns_of_is_no_line_on_stderr(tmp_path, capfd):
    whole = BytesIO()
    Image.new("L", (8, 8)).save(whole, "JPEG")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12"
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "x.jpg").write_bytes(whole.getvalue()[:2] + segment + whole.getvalue()[2:])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_image(tmp_path / "x.jpg")
        filters = list(warnings.filters)
    assert not caught
    assert not any("PIL" in getattr(each[3], "pattern", "") for each in filters)
    assert capfd.readouterr() == ("", "")


def test_libtiff_writes_nothing(tmp_path, capfd):
    whole = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(whole, "TIFF", compression="tiff_lzw")
    content = whole.getvalue()
    (tmp_path / "x.tif").write_bytes(content[:300] + bytes(600) + content[900:])
    with pytest.raises(ImageError):
        load_image(tmp_path / "x.tif")
    assert capfd.readouterr() == ("", "")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.png"))
        for path in (tmp_path / "pipe.png", tmp_path / "folder.png", tmp_path / "s.png", "/dev/zero"):
            with pytest.raises(ImageError, match="not a regular file"):
                load_image(path)
        with pytest.raises(ImageError, match="not a regular file"):
            read_animation(tmp_path / "pipe.png")


@pytest.fixture
def _limited():
    set_memory_limit(resident_memory() + 5 * 10**8)
    yield
    set_memory_limit(None)


@pytest.mark.usefixtures("_limited")
def test_a_declared_size_is_compared_with_the_limit_before_it_is_made(tmp_path):
    for content in (png(60_000, 60_000, ROWS, depth=16, colour=6), b"P6 60000 60000 255 " + bytes(100)):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(ImageError, match=r"'.*x.png', 60000 x 60000 pixels, would take .* GB of memory") as caught:
            load_image(tmp_path / "x.png")
        assert "give a smaller picture" in str(caught.value)
        with pytest.raises(ImageError, match="60000 x 60000 pixels"):
            decode_picture(content, "x.png")


@pytest.mark.usefixtures("_limited")
def test_frames_of_an_animation_are_counted_before_they_are_made(tmp_path):
    frames = [Image.new("L", (2000, 2000), n) for n in (0, 1)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    content = (tmp_path / "x.gif").read_bytes()
    start = content.rindex(b"!\xf9\x04")
    (tmp_path / "x.gif").write_bytes(content[:start] + content[start:-1] * 30 + b";")
    assert is_animation(tmp_path / "x.gif")
    with pytest.raises(ImageError, match=r"31 frames of 2000 x 2000 pixels, would take .*fewer or smaller frames"):
        read_animation(tmp_path / "x.gif")


@pytest.mark.parametrize("flag", range(1, 9))
def test_turning_a_picture_upright_is_what_pillow_does(flag):
    from PIL import ImageOps

    picture = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    picture.getexif()[274] = flag
    assert upright(picture).tobytes() == ImageOps.exif_transpose(picture).tobytes()


def test_parts_of_a_tiff_that_unpack_to_more_than_they_declare_are_refused(tmp_path):
    """8 x 8 pixels of four pages, whose strip unpacks to 60 MB."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((4, 8, 8), np.uint8), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        offset, place = page.tags["StripOffsets"].valueoffset, page.tags["StripByteCounts"].valueoffset
    bomb, content = zlib.compress(bytes(60_000_000), 9), bytearray(path.read_bytes())
    content[offset : offset + 4] = struct.pack("<I", len(content))
    kind = struct.unpack_from("<H", content, place - 6)[0]
    content[place : place + (2 if kind == 3 else 4)] = struct.pack("<H" if kind == 3 else "<I", len(bomb))
    path.write_bytes(bytes(content) + bomb)
    model = TinyModel()
    model.input = InputSpec((4, 8, 8))
    with pytest.raises(ImageError, match="holds more than the 64 bytes that it declares"):
        load_image(path, like=model)


def test_a_picture_without_damage_is_read_as_pillow_reads_it(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        Image.fromarray(pixels).save(tmp_path / "x", kind)
        assert np.array_equal(np.asarray(open_picture(tmp_path / "x")), pixels)
