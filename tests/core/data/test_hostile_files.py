"""Data files that lie: refused in one line, or their images listed as failures; pipes are never opened."""

import gzip
import os
import struct
import tarfile
from io import BytesIO

import crosslens
import numpy as np
import pytest
from crosslens.errors import CrosslensError, ImageError
from crosslens.limits.memory import resident_memory, set_memory_limit
from crosslens.testing import TinyModel
from PIL import Image


def picture():
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def tar_of(members):
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return file.getvalue()


def tar_declaring(size):
    content = bytearray(tar_of({"0.png": picture()}))
    content[124:136] = size
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def coco(*annotations, **image):
    entry = {"id": 1, "file_name": "a.png", "height": 8, "width": 8} | image
    held = [{"id": 1, "image_id": 1, "category_id": 3, "segmentation": each} for each in annotations]
    return repr({"images": [entry], "categories": [{"id": 3, "name": "cat"}], "annotations": held}).replace("'", '"')


WRONG = {
    "huge-idx3-ubyte": struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**32 - 1, 28) + bytes(100),
    "huge-idx3-ubyte.gz": gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 28, 28) + bytes(100)),
    "more-idx3-ubyte.gz": gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 1, 28, 28) + bytes(60_000_000)),
    "axes-idx3-ubyte": struct.pack(">HBB", 0, 8, 255) + bytes(1020),
    "negative.tar": tar_declaring(b"\xff" * 12),
    "deep.json": "[" * 100_000,
    "infinite.json": coco(height=float("inf")).replace("inf", "Infinity"),
    "text.parquet": b"PAR1 and no more",
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_lie_are_refused_in_one_line(tmp_path, name):
    content = WRONG[name]
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "a.png").write_bytes(picture())
    with pytest.raises(CrosslensError, match=r"^[^\n]{10,600}$"):
        crosslens.data(str(tmp_path / name))


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.tar", "x.parquet", "x.json", "x", "x-idx3-ubyte.gz"])
def test_a_pipe_is_refused_at_once(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(CrosslensError, match="not a regular file"):
        crosslens.data(str(tmp_path / name))


def test_a_pipe_and_a_device_among_pictures_are_failures(tmp_path):
    (tmp_path / "0.png").write_bytes(picture())
    os.mkfifo(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to("/dev/zero")
    (tmp_path / "3.png").symlink_to(tmp_path / "3.png")
    source = crosslens.data(str(tmp_path))
    assert source.digest
    samples = source.read(0, 4, TinyModel())
    assert samples.ids == ("0.png",)
    assert [each.id for each in samples.failures] == ["1.png", "2.png", "3.png"]
    assert "named pipe" in samples.failures[0].reason
    assert "a device" in samples.failures[1].reason


def test_a_member_of_a_tar_that_is_longer_than_its_file_is_a_failure(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar_declaring(b"77777777777\0"))
    samples = crosslens.data(str(tmp_path / "a.tar")).read(0, 1, TinyModel())
    assert "ends within this picture" in samples.failures[0].reason


def test_a_label_in_a_tar_that_is_no_label_is_a_failure(tmp_path):
    members = {"0.png": picture(), "0.json": b"[" * 100_000, "1.png": picture(), "1.cls": b" " * 3_000_000}
    (tmp_path / "a.tar").write_bytes(tar_of(members))
    samples = crosslens.data(str(tmp_path / "a.tar")).read(0, 2, TinyModel())
    assert "nested too deeply" in samples.failures[0].reason
    assert "which no label has" in samples.failures[1].reason


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [8, 8], "counts": [2**62, 2**62]},
        {"size": [8, 8], "counts": [2**70]},
        {"size": [8, 8], "counts": "o" * 100_000},
        {"size": [8], "counts": [64]},
        [["a"] * 6],
    ],
)
def test_masks_of_coco_that_lie_are_failures_of_their_pictures(tmp_path, segmentation):
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "a.json").write_text(coco(segmentation))
    samples = crosslens.data(str(tmp_path / "a.json")).read(0, 1, TinyModel())
    assert not samples.ids
    assert "\n" not in samples.failures[0].reason


def test_a_number_that_no_mask_holds_makes_no_table(tmp_path):
    for inside in ("images", "masks/a"):
        (tmp_path / inside).mkdir(parents=True)
        (tmp_path / inside / "0.png").write_bytes(picture())
    (tmp_path / "concepts.json").write_text('{"a": {"1000000000000": "disc"}}')
    with pytest.raises(ImageError, match="names the number 1000000000000, and masks hold numbers up to 16777215"):
        crosslens.data(str(tmp_path))


def test_a_pattern_of_very_many_files_is_refused(tmp_path):
    with pytest.raises(ImageError, match="names more than 1000000 files"):
        crosslens.data(str(tmp_path / "a-{0..99999999999}.tar"))


def test_gzip_is_unpacked_as_far_as_it_declares(tmp_path):
    values = np.zeros((3, 4, 4), np.uint8)
    content = struct.pack(">HBBIII", 0, 8, 3, *values.shape) + values.tobytes()
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    assert len(crosslens.data(str(tmp_path / "a-idx3-ubyte.gz"))) == 3
    large = struct.pack(">HBBIII", 0, 8, 3, 250_000, 28, 28) + bytes(250_000 * 784)
    with gzip.open(tmp_path / "b-idx3-ubyte.gz", "wb", 1) as file:
        file.write(large)
    del large
    set_memory_limit(resident_memory() + 10**8)
    try:
        with pytest.raises(CrosslensError, match=r"would take 196.0 MB of memory"):
            crosslens.data(str(tmp_path / "b-idx3-ubyte.gz"))
    finally:
        set_memory_limit(None)
