"""Files under the wrong suffix, and what is no regular file, wherever a command or a function takes a file."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from .actions import explain_model, read_array, read_picture
from .frame.case import Case
from .frame.family import case_folder
from .sound_files import ARRAYS, MODELS, PICTURES, sound

__all__ = ["misnamed", "special"]

_SUFFIXES = (
    ".onnx",
    ".pt2",
    ".pt",
    ".pth",
    ".ts",
    ".keras",
    ".h5",
    ".hdf5",
    ".pb",
    ".png",
    ".jpg",
    ".tif",
    ".npy",
    ".npz",
)
_OTHERS = {
    "empty": b"",
    "text": b"hello\n",
    "json": b'{"a": [1, 2]}',
    "html": b"<!DOCTYPE html><html><script>1</script></html>",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "shell": b"#!/bin/sh\necho run > code-was-run\n",
    "python": b"open('code-was-run', 'w').write('run')\n",
    "pickle": b"cos\nsystem\n(S'echo run > code-was-run'\ntR.",
    "gzip": b"\x1f\x8b\x08\0" + bytes(20),
    "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n",
    "pdf": b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "zeros": bytes(5_000_000),
}


def _act(path: Path) -> None:
    """What is done with a file of this suffix."""
    {".npy": read_array, ".npz": read_array}.get(
        path.suffix, read_picture if path.suffix in _PICTURES else explain_model
    )(path)


_PICTURES = {".png", ".jpg", ".tif"}


def misnamed(folder: Path) -> Iterator[Case]:
    """Each kind of file under the suffix of each other."""
    kinds = {name: partial(sound, name) for name in (*MODELS, *PICTURES, *ARRAYS)}
    kinds |= {name: partial(bytes, content) for name, content in _OTHERS.items()}
    for kind, content in kinds.items():
        for suffix in _SUFFIXES:
            if kind.endswith(suffix) or (suffix, kind[-3:]) == (".hdf5", ".h5"):
                continue
            inside = case_folder(folder, f"{kind}-as-{suffix[1:]}")
            path = inside / f"file{suffix}"
            path.write_bytes(content())
            yield Case(name=f"{kind} as {suffix}", folder=inside, call=partial(_act, path), intact=(path,))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(path.parent)
        made.bind(path.name)
        os.chdir(before)


def _device(name: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(name)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def _unreadable(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


def _folder_with_itself(path: Path) -> None:
    path.mkdir()
    (path / "again").symlink_to(path)


_KINDS: dict[str, Callable[[Path], None]] = {
    "fifo": _fifo,
    "socket": _socket,
    "zero": _device("/dev/zero"),
    "null": _device("/dev/null"),
    "random": _device("/dev/urandom"),
    "full": _device("/dev/full"),
    "stdin": _device("/dev/stdin"),
    "dangling": _device("nosuch"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "memory": _device("/proc/self/mem"),
    "proc": _device("/proc/self/environ"),
    "folder": lambda path: path.mkdir(),
    "folder with itself": _folder_with_itself,
    "terabyte": _sparse,
    "unreadable": _unreadable,
    "empty": lambda path: path.write_bytes(b"") and None,
}
_COMMANDS = {
    "model.onnx": ["layers", "{}"],
    "model.pt2": ["layers", "{}"],
    "model.pt": ["layers", "{}", "--trust"],
    "model.keras": ["layers", "{}"],
    "model.h5": ["layers", "{}"],
    "model.pb": ["layers", "{}"],
    "cat.png": ["run", "gradient", "crosslens.testing:TinyModel", "{}", "--output=out.npz"],
    "a.npz": ["run", "gradient", "crosslens.testing:TinyModel", "{}", "--output=out.npz"],
    "a.npy": ["run", "gradient", "crosslens.testing:TinyModel", "{}", "--output=out.npz"],
    "labels.json": ["run", "gradient", "crosslens.testing:TinyModel", "cat.png", "--labels={}", "--output=out.npz"],
    "seen.txt": ["run", "gradient", "crosslens.testing:TinyModel", "{}", "--output=out.npz"],
    "data.tar": ["run", "unit_statistics", "crosslens.testing:TinyModel", "{}", "--output=out.npz"],
    "preprocess.json": ["layers", "net.onnx", "--preprocess={}"],
}


def special(folder: Path) -> Iterator[Case]:
    """Pipes, sockets, devices, folders, links that lead nowhere, wherever a file is read."""
    for name, words in _COMMANDS.items():
        for kind, make in _KINDS.items():
            inside = case_folder(folder, f"{kind}-{name}")
            (inside / "cat.png").write_bytes(sound("cat.png"))
            (inside / "net.onnx").write_bytes(sound("net.onnx"))
            place = inside / "sub" / name
            place.parent.mkdir()
            make(place)
            given = [word.replace("{}", f"sub/{name}") for word in words]
            yield Case(name=f"{kind} as {name}", folder=inside, words=given, expect=partial(_still, kind))


def _still(kind: str, _: object, folder: Path) -> None:
    """A pipe stays a pipe, a socket a socket."""
    place = next((folder / "sub").iterdir())
    mode = place.lstat().st_mode
    right = {"fifo": stat.S_ISFIFO, "socket": stat.S_ISSOCK}.get(kind, lambda _: True)
    assert right(mode), f"{kind} is not there any more"
