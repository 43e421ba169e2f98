"""Archives from strangers: every member is checked before one is read."""

import struct
import warnings
import zipfile

import pytest
from crosslens.errors import MemoryLimitError, ModelError
from crosslens.limits import memory
from crosslens.limits.archive import open_archive, read_member


def archive(path, *members, method=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as new:
        warnings.simplefilter("ignore")  # about a name that is there twice
        for name, content in members:
            new.writestr(name, content)
    return path


def refused(path, text):
    with pytest.raises(ModelError, match=text) as caught, open_archive(path, ModelError, "an archive") as opened:
        read_member(opened, "a", path, ModelError)
    assert "\n" not in str(caught.value)


def patched(path, old, new, record=b"PK\x01\x02", field=0):
    """The archive with one field of its first record of a kind changed."""
    content = bytearray(path.read_bytes())
    at = content.index(record) + field
    assert content[at : at + len(old)] == old
    content[at : at + len(new)] = new
    path.write_bytes(content)
    return path


def test_plain_members_are_read(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", b"123"), ("b/c", b"x" * 10**5), method=zipfile.ZIP_DEFLATED)
    with open_archive(path, ModelError, "an archive") as opened:
        assert read_member(opened, "b/c", path, ModelError) == b"x" * 10**5
        with pytest.raises(ModelError, match=r"holds no 'd'; it is not complete"):
            read_member(opened, "d", path, ModelError)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "a\\b"])
def test_a_name_that_leaves_the_archive_is_refused(name, tmp_path):
    refused(archive(tmp_path / "a.zip", (name, b"1")), "is not a name within the archive")


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    refused(archive(tmp_path / "a.zip", ("a", b"1"), ("a", b"2")), "'a', which is there twice")


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("a")
    link.external_attr = 0o120777 << 16
    refused(archive(tmp_path / "a.zip", (link, b"/etc/passwd")), "is a symbolic link")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method, tmp_path):
    refused(archive(tmp_path / "a.zip", ("a", b"1"), method=method), f"is compressed by method {method}")


def test_an_encrypted_member_is_refused(tmp_path):
    path = patched(archive(tmp_path / "a.zip", ("a", b"1")), b"\0\0", b"\1\0", field=8)
    refused(path, "is encrypted")


def test_a_size_that_the_stored_bytes_cannot_have_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", b"123"))
    refused(patched(path, struct.pack("<I", 3), struct.pack("<I", 10**9), field=24), "said to be 1,000,000,000 bytes")


def test_a_size_below_what_is_there_reads_no_more_than_that(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", bytes(10**6)), method=zipfile.ZIP_DEFLATED)
    refused(patched(path, struct.pack("<I", 10**6), struct.pack("<I", 1000), field=24), "Bad CRC-32")


def test_members_that_share_their_bytes_are_refused(tmp_path):
    path = archive(tmp_path / "a.zip", ("a", b"1" * 100), ("b", b"2" * 100))
    content = path.read_bytes()
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4) + 42
    path.write_bytes(content[:second] + bytes(4) + content[second + 4 :])
    refused(path, "overlaps another member")


@pytest.mark.parametrize("content", [b"x", b"PK\x05\x06" + b"\xff" * 18, b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(content, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", "is not an archive, or is truncated|holds no 'a'")


def test_members_that_are_larger_than_the_memory_are_refused_unread(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", ("a", bytes(10**8)), method=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(memory, "memory_limit", lambda: memory.resident_memory() + 10**7)
    with (
        pytest.raises(MemoryLimitError, match=r"would take 100\.0 MB of memory"),
        open_archive(path, ModelError, "an archive"),
    ):
        pass
