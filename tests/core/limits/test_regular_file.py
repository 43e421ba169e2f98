import os
import socket

import pytest
from crosslens.errors import ImageError, ModelError
from crosslens.limits.regular_file import check_regular_file


def test_a_regular_file_has_its_size_and_a_link_to_it_too(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "net.onnx")
    assert check_regular_file(tmp_path / "net.onnx", ModelError, "model") == 5
    assert check_regular_file(str(tmp_path / "link"), ModelError, "model") == 5


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (os.mkfifo, "is a named pipe, not a regular file; give the model as a regular file"),
        (make_socket, "is a socket, not a regular file"),
        (os.mkdir, "is a folder, not a regular file"),
        (lambda path: os.symlink("/dev/zero", path), "is a device, not a regular file"),
        (lambda path: open(path, "x").close(), "is empty"),
        (lambda path: os.symlink(path, path), "no model at .*symbolic links"),
        (lambda path: None, "no model at '.*x': the file does not exist"),
    ],
)
def test_anything_else_is_refused_in_one_line_without_being_opened(make, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make("x")
    with pytest.raises(ModelError, match=text) as caught:
        check_regular_file("x", ModelError, "model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "x/y" * 3000])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(ImageError, match="no picture at"):
        check_regular_file(name, ImageError, "picture")


def test_a_file_that_the_user_must_not_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"1")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    with pytest.raises(ModelError, match=r"cannot read the model '.*x': permission denied"):
        check_regular_file(tmp_path / "x", ModelError, "model")
