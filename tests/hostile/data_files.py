"""Damaged and hostile data files, made from a seed: arrays, IDX, tar, Parquet, JSON, folders with labels, results.

`whole_data` are what the damage is done to; `damaged_data` change bytes at random; `hostile_data` are made by hand,
each for one thing that a reader must not trust; `damaged_results` are saved results.
"""

import gzip
import json
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from .damaged_bytes import damaged

__all__ = ["damaged_data", "damaged_results", "hostile_data", "npy", "whole_data"]


def damaged_data(folder: Path, seed: int, count: int) -> Iterator[tuple[str, Path]]:
    """Data files with one to four kinds of damage each, as (what was done, file)."""
    random, whole = Random(seed), whole_data()
    for number in range(count):
        name = random.choice(list(whole))
        path = folder / f"{seed}-{number}-{name}"
        yield f"{name}: {', '.join(_write_damaged(whole[name], name, path, random))}", path


def damaged_results(folder: Path, seed: int, count: int) -> Iterator[tuple[str, Path]]:
    """Saved results with damage to their bytes, to their members, or to their records, as (what was done, file)."""
    random, whole = Random(seed), _result()
    for number in range(count):
        path = folder / f"{seed}-{number}.npz"
        yield ", ".join(_write_damaged(whole, path.name, path, random)), path


def _write_damaged(content: bytes, name: str, path: Path, random: Random) -> list[str]:
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if name.endswith(".npz") and random.random() < 0.6:
            content, what = _damaged_member(content, random)
        elif name.endswith(".gz") and random.random() < 0.6:
            inner, what = damaged(_unpacked(content), random)
            content = gzip.compress(inner)
        else:
            content, what = damaged(content, random)
        done.append(what)
    path.write_bytes(content)
    return done


def _unpacked(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error, struct.error):
        return content


def _damaged_member(content: bytes, random: Random) -> tuple[bytes, str]:
    """One member of a zip file damaged, the archive itself whole."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 - it is damaged already, in whatever way
        return damaged(content, random)
    if not members:
        return damaged(content, random)
    name = random.choice(list(members))
    members[name], what = damaged(members[name], random)
    made = BytesIO()
    with zipfile.ZipFile(made, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for each, held in members.items():
            archive.writestr(each, held)
    return made.getvalue(), f"{what} in {name}"


def npy(shape: Any, descr: Any = "|u1", values: bytes = b"", *, fortran: bool = False) -> bytes:
    """A `.npy` that declares anything, whatever values follow."""
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values


def _idx(values: np.ndarray[Any, Any]) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def _picture() -> bytes:
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return file.getvalue()


def _parquet(compression: str) -> bytes:
    import pyarrow
    from pyarrow import parquet

    cells = [{"bytes": _picture(), "path": None}] * 5
    file = BytesIO()
    table = pyarrow.table({"image": cells, "label": list(range(5)), "text": ["a", "b", "a", "b", "a"]})
    parquet.write_table(table, file, compression=compression)
    return file.getvalue()


def _coco() -> Any:
    boxes = [{"id": 1, "image_id": 1, "category_id": 3, "segmentation": [[1, 1, 6, 1, 6, 6]]}]
    runs = [{"id": 2, "image_id": 1, "category_id": 3, "segmentation": {"size": [9, 8], "counts": [10, 5, 57]}}]
    images = [{"id": 1, "file_name": "a.png", "height": 9, "width": 8}]
    return {"images": images, "categories": [{"id": 3, "name": "cat"}], "annotations": boxes + runs}


def whole_data() -> dict[str, bytes]:
    """Small data files by name; none is damaged."""
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 9, 8), np.uint8)
    labels = np.arange(6)
    files = {"a.npy": BytesIO(), "stored.npz": BytesIO(), "packed.npz": BytesIO()}
    np.save(files["a.npy"], images)
    np.savez(files["stored.npz"], images=images, labels=labels)
    np.savez_compressed(files["packed.npz"], images=images, labels=labels)
    members = {}
    for n in range(4):
        members |= {f"{n}.png": _picture(), f"{n}.cls": b"%d" % n, f"{n}.json": b'{"label": 1}'}
    return {name: file.getvalue() for name, file in files.items()} | {
        "a-idx3-ubyte": _idx(images[:, 0]),
        "a-idx3-ubyte.gz": gzip.compress(_idx(images[:, 0])),
        "a.tar": _tar(members),
        "plain.parquet": _parquet("none"),
        "packed.parquet": _parquet("snappy"),
        "coco.json": json.dumps(_coco()).encode(),
    }


def _result() -> bytes:
    from crosslens.result.attribution import Attribution
    from crosslens.result.formats import write_everything

    values = np.random.default_rng(0).random((2, 6, 6)).astype(np.float32)
    images = np.random.default_rng(1).random((2, 3, 6, 6)).astype(np.float32)
    made = Attribution(
        values=values, images=images, method="gradient", parameters={"a": 1}, provenance={"backend": "x"}
    )
    file = BytesIO()
    write_everything(made, file)
    return file.getvalue()


def hostile_data(folder: Path) -> Iterator[tuple[str, Path]]:
    """Data files that each lie about one thing, as (what it is, file or folder)."""
    for name, content in {**_hostile_arrays(), **_hostile_tars(), **_hostile_texts()}.items():
        path = folder / name.replace(" ", "-")
        path.write_bytes(content)
        yield name, path
    for name in ("pipe.npz", "pipe.npy", "pipe.tar", "pipe.json", "pipe", "pipe.parquet"):
        os.mkfifo(folder / name)
        yield name, folder / name
    yield from _hostile_folders(folder)


def _zip(members: dict[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _hostile_arrays() -> dict[str, bytes]:
    zeros = bytes(100_000_000)
    return {
        "huge.npy": npy((2**50, 3, 8, 8)),
        "overflow.npy": npy((2**32, 2**32, 3, 3)),
        "negative.npy": npy((-4, 3, 8, 8), values=bytes(1000)),
        "objects.npy": npy((4, 3, 8, 8), "|O", bytes(1000)),
        "records.npy": npy((4, 3, 8, 8), [("a", "u1")], bytes(1000)),
        "complex.npy": npy((4, 3, 8, 8), "<c8", bytes(8 * 768)),
        "dates.npy": npy((4, 3, 8, 8), "<M8[s]", bytes(8 * 768)),
        "text.npy": npy((4, 3, 8, 8), "<U1", bytes(4 * 768)),
        "fortran.npy": npy((4, 3, 8, 8), values=bytes(768), fortran=True),
        "empty.npy": npy((0, 3, 8, 8)),
        "axes.npy": npy((1,) * 65, values=b"0"),
        "huge.npz": _zip({"images.npy": npy((2**50, 3, 8, 8))}),
        "bomb.npz": _zip({"images.npy": npy((40_000, 3, 25, 100), "<f8", b"") + zeros * 24}),
        "outside.npz": _zip({"../images.npy": npy((4, 3, 8, 8), values=bytes(768))}),
        "objects.npz": _zip({"images.npy": npy((4, 3, 8, 8), "|O", bytes(1000))}),
        "none.npz": _zip({}),
        "huge-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 28) + bytes(100),
        "huge-idx3-ubyte.gz": gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 28, 28) + bytes(100)),
        "bomb-idx3-ubyte.gz": gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 60, 28, 28) + zeros * 20),
        "axes-idx3-ubyte": struct.pack(">HBB", 0, 8, 255) + bytes(1020),
    }


def _hostile_tars() -> dict[str, bytes]:
    def with_size(text: bytes) -> bytes:
        content = bytearray(_tar({"0.png": _picture()}))
        content[124:136] = text.ljust(12, b"\0")
        content[148:156] = b" " * 8
        content[148:156] = b"%06o\0 " % sum(content[:512])
        return bytes(content)

    def of_type(kind: bytes) -> bytes:
        file = BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo("0.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        return file.getvalue()

    return {
        "huge.tar": with_size(b"77777777777"),
        "huger.tar": with_size(b"\x80\0\0\0\x7f" + b"\xff" * 7),
        "negative.tar": with_size(b"\xff" * 11 + b"\x00"),
        "link.tar": of_type(tarfile.SYMTYPE),
        "hard link.tar": of_type(tarfile.LNKTYPE),
        "device.tar": of_type(tarfile.CHRTYPE),
        "outside.tar": _tar({"../../0.png": _picture(), "/1.png": _picture()}),
        "label.tar": _tar({"0.png": _picture(), "0.json": b"[" * 100_000}),
        "letters.tar": _tar({"0.png": _picture(), "0.cls": b"\xff\xfe"}),
        "cut.tar": _tar({"0.png": _picture()})[:600],
    }


def _hostile_texts() -> dict[str, bytes]:
    def coco(**changed: Any) -> bytes:
        return json.dumps(_coco() | changed).encode()

    huge = [{"id": 1, "file_name": "a.png", "height": 10**9, "width": 10**9}]
    runs = {"id": 1, "image_id": 1, "category_id": 3}
    return {
        "deep.json": b"[" * 100_000,
        "bomb.json": b'{"images": [' + b"[]," * 30_000_000 + b"[]]}",
        "letters.json": b"\xff\xfe\x00",
        "huge.json": coco(images=huge),
        "infinite.json": coco(images=[{"id": 1, "file_name": "a.png", "height": float("inf"), "width": 8}]),
        "runs.json": coco(annotations=[runs | {"segmentation": {"size": [9, 8], "counts": [2**62, 2**62]}}]),
        "large runs.json": coco(annotations=[runs | {"segmentation": {"size": [9, 8], "counts": [2**70]}}]),
        "text runs.json": coco(annotations=[runs | {"segmentation": {"size": [9, 8], "counts": "o" * 100_000}}]),
        "corners.json": coco(annotations=[runs | {"segmentation": [[1e300, -1e300] * 5]}]),
        "lists.json": coco(images=5, annotations={}),
        "outside.json": coco(images=[{"id": 1, "file_name": "../../../etc/passwd", "height": 9, "width": 8}]),
        "text.parquet": b"PAR1 and no more",
        "empty.tar": b"",
    }


def _hostile_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    for name, content in {
        "deep names": b'{"a":' * 100_000,
        "large number": json.dumps({"a": {str(10**12): "disc"}}).encode(),
        "no names": b"5",
    }.items():
        place = folder / name.replace(" ", "-")
        for inside in ("images", "masks/a"):
            (place / inside).mkdir(parents=True)
            (place / inside / "0.png").write_bytes(_picture())
        (place / "concepts.json").write_bytes(content)
        yield name, place
    place = folder / "pipes"
    place.mkdir()
    (place / "0.png").write_bytes(_picture())
    os.mkfifo(place / "1.png")
    (place / "2.png").symlink_to("/dev/zero")
    (place / "3.png").symlink_to(place / "3.png")
    yield "pipes", place
