"""Cached files: made once, never read where damaged or of another key, and nothing fails without a cache."""

import subprocess
import sys
from pathlib import Path

import pytest
from crosslens.files.cached_file import cache_folder, cached_file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSLENS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Making:
    """Counts how often it makes the content."""

    def __init__(self, content=b"network"):
        self.content, self.calls = content, 0

    def __call__(self):
        self.calls += 1
        return self.content


def test_a_file_is_made_once(folder):
    making = Making()
    assert [cached_file("net.onnx", "weights 1", making) for _ in range(3)] == [b"network"] * 3
    assert making.calls == 1
    assert [path.suffix for path in folder.iterdir()] == [".onnx"]


@pytest.mark.parametrize("damage", [b"", b"netw", b"another"], ids=["empty", "cut", "changed"])
def test_a_damaged_file_is_made_again(folder, damage):
    making = Making()
    cached_file("net.onnx", "key", making)
    (path,) = folder.iterdir()
    path.write_bytes(damage)
    assert cached_file("net.onnx", "key", making) == b"network"
    assert making.calls == 2
    assert path.read_bytes() == b"network"


def test_a_file_of_another_key_is_out_of_date_and_removed(folder):
    cached_file("net.onnx", "builder 1", Making(b"old"))
    cached_file("net-of-others.onnx", "builder 1", Making(b"others"))
    assert cached_file("net.onnx", "builder 2", Making(b"new")) == b"new"
    assert sorted(path.read_bytes() for path in folder.iterdir()) == [b"new", b"others"]


def test_a_folder_that_cannot_be_written_to_leaves_everything_uncached(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("CROSSLENS_CACHE", str(tmp_path / "file" / "cache"))
    making = Making()
    assert [cached_file("net.onnx", "key", making) for _ in range(2)] == [b"network"] * 2
    assert making.calls == 2


def test_where_the_folder_lies(monkeypatch):
    monkeypatch.setenv("HOME", "/users/me")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("CROSSLENS_CACHE", raising=False)
    assert cache_folder() == Path("/users/me/.cache/crosslens")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert cache_folder() == Path("/scratch/crosslens")
    monkeypatch.setenv("CROSSLENS_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.setenv("CROSSLENS_CACHE", "")
    assert cache_folder() is None


def test_an_error_while_making_leaves_nothing(folder):
    def fails():
        raise ValueError("no exporter")

    with pytest.raises(ValueError, match="no exporter"):
        cached_file("net.onnx", "key", fails)
    assert not folder.exists()


def test_processes_at_the_same_time_all_get_the_content(folder):
    code = (
        "import sys, time\nfrom crosslens.files.cached_file import cached_file\n"
        "def make():\n    time.sleep(0.3)\n    return b'x' * 1_000_000\n"
        "for n in range(3): assert cached_file('net.onnx', f'key {n % 2}', make) == b'x' * 1_000_000"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(each.communicate()[1], each.returncode) for each in started] == [(b"", 0)] * 3
    assert len(list(folder.glob("*.onnx"))) <= 2
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == []
