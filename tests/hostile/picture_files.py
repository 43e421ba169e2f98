"""Damaged and hostile pictures, made from a seed: whole small pictures of every format, damaged in bytes and in parts.

`whole_pictures` are what the damage is done to; `damaged_pictures` change bytes and parts at random; `hostile_pictures`
are made by hand, each for one thing that a reader must not trust.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from .damaged_bytes import damaged

__all__ = ["damaged_pictures", "hostile_pictures", "png", "png_chunk", "tiff", "whole_pictures"]

Parts = list[bytes]


def damaged_pictures(folder: Path, seed: int, count: int) -> Iterator[tuple[str, Path]]:
    """Pictures with one to four kinds of damage each, as (what was done, file)."""
    random, whole = Random(seed), whole_pictures()
    for number in range(count):
        name = random.choice(list(whole))
        content, done = damaged_picture(whole[name], name.rpartition(".")[2], whole, random)
        path = folder / f"{seed}-{number}-{name}"
        path.write_bytes(content)
        yield f"{name}: {', '.join(done)}", path


def damaged_picture(content: bytes, suffix: str, whole: dict[str, bytes], random: Random) -> tuple[bytes, list[str]]:
    """A picture with damage in its parts, in its bytes, or in both."""
    split, join = _PARTS.get(suffix, (lambda data: [data], b"".join))
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if random.random() < 0.5:
            content, what = damaged(content, random)
        else:
            donor = random.choice([each for name, each in whole.items() if name.endswith(suffix)])
            content, what = _damaged_parts(content, donor, split, join, random)
        done.append(what)
    return content, done


def _damaged_parts(
    content: bytes, donor: bytes, split: Callable[[bytes], Parts], join: Callable[[Parts], bytes], random: Random
) -> tuple[bytes, str]:
    """A part left out, repeated, moved, taken from another picture, or damaged itself; checksums are right again."""
    try:
        parts, others = split(content), split(donor)
    except (struct.error, IndexError, ValueError, OverflowError):  # it is damaged already
        return damaged(content, random)
    if not parts or not others:
        return damaged(content, random)
    place = random.randrange(len(parts))
    what = random.choice(("leave out", "repeat", "move", "insert another's", "damage", "damage", "damage", "grow"))
    if what == "leave out":
        del parts[place]
    elif what == "repeat":
        parts[place:place] = [parts[place]] * random.choice((1, 2, 100))
    elif what == "move":
        parts.insert(random.randrange(len(parts)), parts.pop(place))
    elif what == "insert another's":
        parts.insert(place, random.choice(others))
    elif what == "grow":
        parts[place] += bytes(random.choice((1, 100, 100_000)))
    else:
        parts[place], inner = damaged(parts[place], random)
        what = f"{inner} in a part"
    try:
        return join(parts), f"{what} ({place})"
    except struct.error:  # a part has lost its name
        return damaged(content, random)


def _png_parts(data: bytes) -> Parts:
    parts, place = [], 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        parts.append(data[place + 4 : place + 8 + length])
        place += 12 + length
    return parts


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG's chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png_of(parts: Parts) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(each[:4], each[4:]) for each in parts)


def _jpeg_parts(data: bytes) -> Parts:
    """Segments up to the scan, and the rest."""
    parts, place = [data[:2]], 2
    while data[place] == 0xFF and data[place + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, place + 2)
        parts.append(data[place : place + 2 + length])
        place += 2 + length
    return [*parts, data[place:]]


def _riff_parts(data: bytes) -> Parts:
    parts, place = [], 12
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place + 4)
        parts.append(data[place : place + 4] + data[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    return parts


def _riff_of(parts: Parts) -> bytes:
    chunks = [each[:4] + struct.pack("<I", len(each) - 4) + each[4:] + bytes(len(each) % 2) for each in parts]
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _box_parts(data: bytes) -> Parts:
    """Boxes of ISO files (AVIF, JPEG 2000), those inside `meta` and `jp2h` not taken apart."""
    parts, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        length = length if length >= 8 else len(data) - place
        parts.append(data[place + 4 : place + length])
        place += length
    return parts


def _boxes_of(parts: Parts) -> bytes:
    return b"".join(struct.pack(">I", 4 + len(each)) + each for each in parts)


def _tiff_parts(data: bytes) -> Parts:
    """The entries of the first directory of a little-endian TIFF, between what stands before and behind them."""
    big = data[2:4] == b"\x2b\0"
    (start,) = struct.unpack_from("<Q" if big else "<I", data, 8 if big else 4)
    (count,) = struct.unpack_from("<Q" if big else "<H", data, start)
    head, size = (8, 20) if big else (2, 12)
    count = min(count, 100)
    entries = [data[start + head + size * n : start + head + size * (n + 1)] for n in range(count)]
    return [data[:start], *entries, data[start + head + size * count :]]


def _tiff_of(parts: Parts) -> bytes:
    before, entries, behind = parts[0], parts[1:-1], parts[-1]
    count = struct.pack("<Q" if before[2:4] == b"\x2b\0" else "<H", len(entries) % 2**16)
    return b"".join([before, count, *entries, behind])


def _words(data: bytes) -> Parts:
    """The words of a PPM's header and its pixels."""
    return data.split(b" ", 4)


_PARTS: dict[str, tuple[Callable[[bytes], Parts], Callable[[Parts], bytes]]] = {
    "png": (_png_parts, _png_of),
    "jpg": (_jpeg_parts, b"".join),
    "webp": (_riff_parts, _riff_of),
    "avif": (_box_parts, _boxes_of),
    "jp2": (_box_parts, _boxes_of),
    "tif": (_tiff_parts, _tiff_of),
    "ppm": (_words, b" ".join),
    "pgm": (_words, b" ".join),
}


def whole_pictures() -> dict[str, bytes]:
    """Small pictures by file name, in each format that is read and in what it can hold; none is damaged."""
    values = np.random.default_rng(0).integers(0, 256, (24, 20, 4), np.uint8)
    rgba = Image.fromarray(values)
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    palette = rgb.quantize(16)
    frames = [rgb, rgb.rotate(90), rgb.rotate(180)]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    deep = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    floats = Image.fromarray(values[..., 0].astype(np.float32) / 255)
    movie = {"save_all": True, "append_images": frames[1:], "duration": 50}
    made: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "rgb.png": (rgb, {"exif": exif, "icc_profile": bytes(200), "dpi": (72, 72)}),
        "rgba.png": (rgba, {}),
        "grey.png": (grey, {"transparency": 3}),
        "one.png": (grey.convert("1"), {}),
        "deep.png": (deep, {}),
        "palette.png": (palette, {"transparency": bytes(range(16))}),
        "greyalpha.png": (rgba.convert("LA"), {}),
        "movie.png": (frames[0], movie),
        "rgb.jpg": (rgb, {"exif": exif, "icc_profile": bytes(200), "comment": b"text"}),
        "grey.jpg": (grey, {}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "progressive.jpg": (rgb, {"progressive": True, "subsampling": 2}),
        "palette.gif": (palette, {"transparency": 2, "comment": b"text"}),
        "movie.gif": (frames[0], movie | {"disposal": 2}),
        "rgb.bmp": (rgb, {}),
        "palette.bmp": (palette, {}),
        "one.bmp": (grey.convert("1"), {}),
        "raw.tif": (rgb, {"exif": exif}),
        "packbits.tif": (grey, {"compression": "packbits"}),
        "lzw.tif": (rgb, {"compression": "tiff_lzw"}),
        "deflate.tif": (rgba, {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (rgb, {"compression": "jpeg"}),
        "fax.tif": (grey.convert("1"), {"compression": "group4"}),
        "deep.tif": (deep, {}),
        "floats.tif": (floats, {}),
        "palette.tif": (palette, {}),
        "big.tif": (rgb, {"big_tiff": True}),
        "pages.tif": (frames[0], {"save_all": True, "append_images": frames[1:]}),
        "rgb.webp": (rgb, {"exif": exif, "icc_profile": bytes(200)}),
        "lossless.webp": (rgba, {"lossless": True}),
        "movie.webp": (frames[0], movie),
        "rgb.ppm": (rgb, {}),
        "grey.pgm": (grey, {}),
        "one.ppm": (grey.convert("1"), {}),
        "rgb.avif": (rgb, {"exif": exif, "speed": 10}),
        "movie.avif": (frames[0], movie | {"speed": 10}),
        "rgb.jp2": (rgb, {}),
        "rgba.jp2": (rgba, {"irreversible": True, "tile_size": (16, 16)}),
    }
    files = {name: _encoded(picture, name, options) for name, (picture, options) in made.items()}
    files["rgb.mpo.jpg"] = _encoded(rgb, "x.mpo", {"save_all": True, "append_images": frames[1:]})
    files["plain.ppm"] = b"P3 3 2 255 " + b" ".join(b"%d" % n for n in range(18))
    files["floats.ppm"] = b"Pf 3 2 -1.0 " + np.zeros(6, "<f4").tobytes()
    return files


def _encoded(picture: Image.Image, name: str, options: dict[str, object]) -> bytes:
    suffix = name.rpartition(".")[2]
    kinds = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "jp2": "JPEG2000"}
    file = BytesIO()
    picture.save(file, kinds.get(suffix, suffix.upper()), **options)
    return file.getvalue()


def png(width: int, height: int, pixels: bytes, *chunks: bytes, kind: tuple[int, int] = (8, 0)) -> bytes:
    """A PNG of any declared size, whatever its data holds.

    Args:
        width: declared.
        height: declared.
        pixels: rows before compression, each after a byte for its filter.
        chunks: between header and data.
        kind: bits a sample, and the type of colour.
    """
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *kind, 0, 0, 0))
    packed = zlib.compressobj(9)
    data = packed.compress(pixels) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def tiff(
    entries: dict[int, tuple[int, int, int]], behind: bytes = b"", following: int = 0, *, big: bool = False
) -> bytes:
    """A little-endian TIFF of one directory.

    Args:
        entries: (type, count, value or offset) by tag.
        behind: what follows the directory.
        following: offset of the next directory.
        big: BigTIFF.
    """
    head = b"II\x2b\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II\x2a\0" + struct.pack("<I", 8)
    form = "<HHQQ" if big else "<HHII"
    listed = b"".join(struct.pack(form, tag, *entry) for tag, entry in sorted(entries.items()))
    count = struct.pack("<Q" if big else "<H", len(entries))
    return head + count + listed + struct.pack("<Q" if big else "<I", following) + behind


def _tiff_entries(width: int, height: int, **more: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """Those of a grey picture of 8 bits in one strip of `width` x `height` bytes; `more` as t273=(...)."""
    entries = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    entries |= {273: (4, 1, 134), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, min(width * height, 2**32 - 1))}
    return entries | {int(name[1:]): entry for name, entry in more.items()}


def hostile_pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    """Pictures that each lie about one thing, as (what it is, file)."""
    for name, content in _hostile().items():
        path = folder / name.replace(" ", "-")
        path.write_bytes(content)
        yield name, path


def _hostile() -> dict[str, bytes]:
    whole = whole_pictures()
    return {
        **_hostile_pngs(),
        **_hostile_tiffs(),
        **_hostile_words(),
        "cut.avif": whole["rgb.avif"][: len(whole["rgb.avif"]) // 2],
        "cut.jpg": whole["rgb.jpg"][:-100],
        "huge.jpg": _jpeg_of_size(whole["grey.jpg"], 65500, 65500),
        "huge.gif": b"GIF89a\xff\xff\xff\xff\xf0\0\0" + whole["palette.gif"][13:],
        "huge.bmp": whole["rgb.bmp"][:18] + struct.pack("<ii", 60000, 60000) + whole["rgb.bmp"][26:],
        "huge.webp": _riff_of([b"VP8X" + b"\x10\0\0\0" + b"\xff\xff\x00" * 2, *_riff_parts(whole["lossless.webp"])]),
        "bad exif.jpg": _jpeg_with_exif(b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12"),
        "cyclic exif.jpg": _jpeg_with_exif(
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
        ),
        "text named.png": b"this is no picture\n",
        "empty.png": b"",
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n",
        "windows metafile.png": b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
        "dds.png": b"DDS " + struct.pack("<I", 124) + bytes(200),
        "qoi.png": b"qoif" + struct.pack(">II", 60000, 60000) + b"\x03\0",
        "icon.png": b"\0\0\x01\0\x01\0" + bytes(60),
        "vector.png": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        "fits.png": b"SIMPLE  =                    T" + bytes(3000),
        "frames.gif": _many_gif_frames(whole["movie.gif"], 20_000),
    }


def _hostile_pngs() -> dict[str, bytes]:
    grey = b"".join(b"\0" + bytes(8) for _ in range(8))
    bomb = zlib.compress(bytes(20_000_000), 9)
    return {
        "narrow.png": png(1, 20_000, bytes(2 * 20_000)),
        "wide.png": png(20_000, 1, bytes(20_001)),
        "one colour.png": png(30_000, 30_000, bytes(30_000 * 3751), kind=(1, 0)),
        "declared.png": png(2**31 - 1, 2**31 - 1, grey),
        "declared 60000.png": png(60_000, 60_000, grey, kind=(16, 6)),
        "no pixels.png": png(0, 8, grey),
        "text bomb.png": png(8, 8, grey, png_chunk(b"zTXt", b"k\0\0" + bomb)),
        "international bomb.png": png(8, 8, grey, png_chunk(b"iTXt", b"k\0\x01\0\0\0" + bomb)),
        "profile bomb.png": png(8, 8, grey, png_chunk(b"iCCP", b"k\0\0" + bomb)),
        "long text.png": png(8, 8, grey, png_chunk(b"tEXt", b"k\0" + bytes(3_000_000))),
        "many texts.png": png(8, 8, grey, *[png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000), 9))] * 150),
        "short transparency.png": png(8, 8, grey, png_chunk(b"tRNS", b"\0")),
        "short transparency rgb.png": png(2, 2, bytes(14), png_chunk(b"tRNS", b"\0\0"), kind=(8, 2)),
        "palette without.png": png(8, 8, grey, kind=(8, 3)),
        "palette short.png": png(8, 8, b"\0" + b"\xff" * 8 + grey[9:], png_chunk(b"PLTE", bytes(3)), kind=(8, 3)),
        "palette transparency.png": png(
            8, 8, grey, png_chunk(b"PLTE", bytes(6)), png_chunk(b"tRNS", bytes(300)), kind=(8, 3)
        ),
        "bits.png": png(8, 8, grey, kind=(3, 0)),
        "frames.png": png(8, 8, grey, png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        "bad exif.png": png(8, 8, grey, png_chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03")),
        "rows missing.png": png(3000, 3000, bytes(3001)),
    }


def _hostile_tiffs() -> dict[str, bytes]:
    plain = bytes(64)
    deflated = zlib.compress(bytes(40_000_000), 9)
    entries = _tiff_entries(8, 8)
    return {
        "cyclic.tif": tiff(entries, plain, following=8),
        "many pages.tif": _many_tiff_pages(3_000),
        "huge.tif": tiff(_tiff_entries(60_000, 60_000), plain),
        "huge tiles.tif": tiff(
            {**entries, 322: (4, 1, 2**31), 323: (4, 1, 2**31), 324: (4, 1, 134), 325: (4, 1, 64)}, plain
        ),
        "no tiles.tif": tiff({**entries, 322: (4, 1, 0), 323: (4, 1, 0), 324: (4, 1, 134), 325: (4, 1, 64)}, plain),
        "huge tag.tif": tiff({**entries, 270: (2, 2**32 - 1, 134)}, plain),
        "many offsets.tif": tiff({**entries, 273: (4, 2**30, 134)}, plain),
        "strip of none.tif": tiff({**entries, 278: (4, 1, 0)}, plain),
        "text as size.tif": tiff({**entries, 256: (2, 4, 0x41414141)}, plain),
        "samples.tif": tiff({**entries, 277: (3, 1, 65535)}, plain),
        "bomb.tif": tiff({**_tiff_entries(20_000, 2_000), 259: (3, 1, 8), 279: (4, 1, len(deflated))}, deflated),
        "big offsets.tif": tiff({**entries, 273: (16, 1, 2**60), 279: (16, 1, 2**60)}, plain, big=True),
        "big counts.tif": tiff({**entries, 270: (2, 2**60, 2**60)}, plain, big=True),
        "big directory.tif": b"II\x2b\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**60) + plain,
        "far directory.tif": b"II\x2b\0\x08\0\0\0" + struct.pack("<Q", 2**60) + plain,
        "no directory.tif": b"II\x2a\0\xff\xff\xff\x7f",
        "fractions.tif": tiff({**entries, 256: (5, 1, 126)}, plain),
    }


def _hostile_words() -> dict[str, bytes]:
    """PPM and its sisters."""
    return {
        "huge.ppm": b"P6 60000 60000 255 " + bytes(100),
        "negative.ppm": b"P6 -8 8 255 " + bytes(200),
        "long word.ppm": b"P6 " + b"9" * 100_000,
        "long comment.ppm": b"P6 #" + b"x" * 2_000_000,
        "no white.ppm": b"P6 8 8 0 " + bytes(192),
        "white.ppm": b"P6 8 8 70000 " + bytes(192),
        "words.ppm": b"P3 4 4 255 " + b"300 -1 x " * 20,
        "letters.ppm": b"P6 a b c " + bytes(9),
        "scale.ppm": b"Pf 2 2 nan " + bytes(16),
        "infinite.ppm": b"PF 2 2 1.0 " + b"\x7f\x80\0\0" * 12,
        "cut.ppm": b"P6 8 8 255 " + bytes(10),
    }


def _jpeg_of_size(content: bytes, width: int, height: int) -> bytes:
    place = next(n for n in range(len(content)) if content[n : n + 2] in {b"\xff\xc0", b"\xff\xc2"})
    return content[: place + 5] + struct.pack(">HH", height, width) + content[place + 9 :]


def _jpeg_with_exif(content: bytes) -> bytes:
    whole = whole_pictures()["grey.jpg"]
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + whole[2:]


def _many_gif_frames(content: bytes, count: int) -> bytes:
    """The last frame again and again."""
    start = content.rindex(b"!\xf9\x04")
    return content[:start] + content[start:-1] * count + b";"


def _many_tiff_pages(count: int) -> bytes:
    """Directories that each name the next, one behind the other."""
    entries = _tiff_entries(8, 8)
    listed = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    size = 2 + len(listed) + 4
    pages = [
        struct.pack("<H", len(entries)) + listed + struct.pack("<I", 8 + size * (n + 1) if n + 1 < count else 0)
        for n in range(count)
    ]
    return b"II\x2a\0" + struct.pack("<I", 8) + b"".join(pages)
