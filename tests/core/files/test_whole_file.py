import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crosslens.comparison.comparison import Comparison
from crosslens.errors import ComparisonError, ImageError
from crosslens.files.whole_file import whole_file
from crosslens.image import save_animation, save_image
from crosslens.result import Attribution, Synthesis


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert (path.read_text(), temporary.parent, temporary.suffix) == ("old", tmp_path, ".txt")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_error_the_old_file_stands_and_nothing_is_left_beside_it(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_write_into_each_other(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as first, whole_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path, mask):
    before = os.umask(mask)
    try:
        (tmp_path / "plain.txt").open("w").close()
        with whole_file(tmp_path / "whole.txt"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "whole.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_an_existing_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("there/a.txt")
    with whole_file(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "there/a.txt").read_text() == "new"


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(ImageError, match=r"cannot write '.*gone/a.txt': the folder '.*gone' does not exist"),
        whole_file(tmp_path / "gone" / "a.txt"),
    ):
        pass


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ComparisonError, match=r"the folder '.*file' does not exist"),
        whole_file(tmp_path / "file" / "a.txt", ComparisonError),
    ):
        pass


def test_a_folder_cannot_be_replaced(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(ImageError, match=r"cannot write '.*a.txt': Is a directory"), whole_file(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with (
            pytest.raises(ImageError, match=r"no permission to write into the folder '.*'"),
            whole_file(tmp_path / "a.txt"),
        ):
            pass
    finally:
        tmp_path.chmod(0o700)


def _attribution() -> Attribution:
    return Attribution(np.ones((1, 2, 2), np.float32), images=np.zeros((1, 3, 4, 4), np.float32), method="m")


WRITERS = {
    "a picture": lambda folder: save_image(np.zeros((4, 4, 3), np.uint8), folder / "a.png"),
    "an animation": lambda folder: save_animation([np.zeros((4, 4, 3), np.uint8)] * 2, folder / "a.gif"),
    "an attribution": lambda folder: _attribution().save(folder / "a.png"),
    "arrays": lambda folder: _attribution().save(folder / "a.npz"),
    "a synthesis": lambda folder: Synthesis(images=np.zeros((1, 3, 4, 4), np.float32)).save(folder / "a.png"),
    "a report's figures": lambda folder: Comparison((), (), {}).save(folder / "a.json"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_leaves_the_old_file_when_the_disk_is_full(name, tmp_path, monkeypatch):
    """The disk is full when the new file is flushed, after its last byte."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    written = Path(WRITERS[name](tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        (ImageError, ComparisonError), match=f"cannot write '.*{written.name}': No space left on device"
    ):
        WRITERS[name](tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


STOPPED = """
import os, signal, sys, time
from pathlib import Path
from crosslens.execution.interrupt import stop_on_signals
from crosslens.files.whole_file import whole_file

signal.signal(int(sys.argv[2]), signal.SIG_DFL)
with stop_on_signals(), whole_file(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), int(sys.argv[2]))
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [2, 15, 1], ids=["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_process_stopped_while_it_writes_leaves_nothing(tmp_path, number):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(tmp_path / "a.txt"), str(number)], capture_output=True, check=False
    )
    assert b"Interrupted: SIG" in done.stderr
    assert list(tmp_path.iterdir()) == []
