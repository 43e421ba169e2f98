"""Array files that lie: the declared size is compared with the file and the limit, pickles are never read."""

import pickle
import struct
import zipfile

import numpy as np
import pytest
from crosslens.errors import MemoryLimitError
from crosslens.limits.memory import resident_memory, set_memory_limit
from crosslens.reading.array_file import map_npy, map_stored, read_any, read_npy, read_npz, read_npz_headers


def npy(header, values=b""):
    text = repr(header).encode() if isinstance(header, dict) else header
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n" + values


def declaring(shape, descr="<f4", fortran=False):
    return {"descr": descr, "fortran_order": fortran, "shape": shape}


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a file was run')",)


WRONG = {
    "declares": npy(declaring((2**50,)), bytes(8)),
    "declares many": npy(declaring((2**40, 2**40)), bytes(8)),
    "negative": npy(declaring((-1, 4)), bytes(64)),
    "truth value": npy(declaring((True,)), bytes(64)),
    "objects": npy(declaring((1,), "|O"), pickle.dumps([Harmful()])),
    "parts": npy(declaring((1,), [("a", "<f4")]), bytes(4)),
    "void": npy(declaring((1,), "|V8"), bytes(8)),
    "no type": npy(declaring((1,), "nonsense"), bytes(8)),
    "not a mapping": npy(b"[[[[", bytes(8)),
    "nested": npy(b"(" * 5000, bytes(8)),
    "code": npy(b"__import__('os').abort()", bytes(8)),
    "version": b"\x93NUMPY\x09\x00" + bytes(20),
    "empty": b"",
    "text": b"no array",
    "pickle": pickle.dumps(Harmful()),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("read", [read_npy, map_npy, read_any])
def test_wrong_arrays_are_a_value_error_of_one_line(tmp_path, name, read):
    (tmp_path / "x.npy").write_bytes(WRONG[name])
    with pytest.raises(ValueError, match=r"^[^\n]{3,320}$"):
        read(tmp_path / "x.npy")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_members_are_a_value_error_of_one_line(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", WRONG[name])
    for read in (read_npz, read_npz_headers, read_any):
        with pytest.raises(ValueError, match=r"^[^\n]{3,320}$"):
            read(tmp_path / "x.npz")


def test_a_bomb_of_zeros_is_refused_by_what_it_declares(tmp_path):
    archive = zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("a.npy", "w", force_zip64=True) as file:
        file.write(npy(declaring((300_000_000,), "|u1")))
        for _ in range(3):
            file.write(bytes(100_000_000))
    set_memory_limit(resident_memory() + 10**8)
    try:
        with pytest.raises(MemoryLimitError, match=r"x.npz' would take 300.0 MB"):
            read_npz(tmp_path / "x.npz")
    finally:
        set_memory_limit(None)
    assert (tmp_path / "x.npz").stat().st_size < 3_000_000


def test_archives_that_are_damaged_or_locked_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.random.default_rng(0).random(1000))
    content = (tmp_path / "a.npz").read_bytes()
    for changed in (content[: len(content) // 2], content[:200] + bytes(200) + content[400:]):
        (tmp_path / "b.npz").write_bytes(changed)
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            read_npz(tmp_path / "b.npz")
    locked = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    (tmp_path / "b.npz").write_bytes(locked)
    with pytest.raises(ValueError, match="encrypted"):
        read_npz(tmp_path / "b.npz")


def test_pipes_are_refused_at_once(tmp_path):
    import os

    os.mkfifo(tmp_path / "x")
    for read in (read_npy, map_npy, read_npz, read_any):
        with pytest.raises(ValueError, match="not a regular file"):
            read(tmp_path / "x")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "f8", "c8", "U3", "?"])
def test_right_arrays_come_back_whole(tmp_path, order, dtype):
    values = np.asarray(np.arange(24).reshape(2, 3, 4).astype(dtype), order=order)
    np.save(tmp_path / "x.npy", values)
    np.savez(tmp_path / "x.npz", a=values, b=values[0])
    np.savez_compressed(tmp_path / "y.npz", a=values, b=values[0])
    for got in (read_npy(tmp_path / "x.npy"), map_npy(tmp_path / "x.npy"), map_stored(tmp_path / "x.npz", "a")):
        assert np.array_equal(got, values)
        assert got.dtype == values.dtype
    for name in ("x.npz", "y.npz"):
        assert np.array_equal(read_npz(tmp_path / name, ["b"])["b"], values[0])
        assert list(read_any(tmp_path / name)) == ["a", "b"]
    assert map_stored(tmp_path / "y.npz", "a") is None
