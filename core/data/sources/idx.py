"""IDX files, the format of MNIST (http://yann.lecun.com/exdb/mnist/): images, and the labels beside them.

Two zero bytes, the type of the numbers, the number of axes, the length of each (32 bits, big-endian), the numbers.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from ...limits.memory import check_memory
from ...limits.regular_file import check_regular_file
from ...reading.array_file import as_reason
from .array_files import Opened

__all__ = ["is_idx", "open_idx"]

Values = np.ndarray[Any, Any]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_MOST_AXES = 5
_LONGEST_HEADER = 4 + 4 * _MOST_AXES
_PACKED = 1100
"""Bytes that gzip makes of one byte, at most."""


def is_idx(path: Path) -> bool:
    """Whether a file begins as an IDX file does, or is such a one in gzip."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == _GZIP:
            with gzip.open(path) as unpacked:
                start = unpacked.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 0 < start[3] <= _MOST_AXES


def open_idx(path: Path) -> Opened:
    """Images (N, 1, H, W) of an IDX file, memory-mapped unless it is in gzip, and the labels of the file beside it.

    That of train-images-idx3-ubyte is train-labels-idx1-ubyte: the name with labels for images and another number of
    axes, with or without .gz.

    Raises:
        ImageError: it is damaged, or holds labels and no images.
    """
    values = _read(path)
    if values.ndim < 3:
        raise ImageError(
            f"'{path}' holds numbers {values.shape}, which are labels; images have three axes (N, H, W): give "
            "train-images-idx3-ubyte, for example, and its labels are found beside it"
        )
    images = values[:, None] if values.ndim == 3 else values
    beside = next((each for each in _labels_beside(path) if each.is_file()), None)
    if beside is None:
        return images, None, ()
    labels = _read(beside)
    if labels.shape != images.shape[:1]:
        raise ImageError(
            f"'{beside}' holds labels {labels.shape} for the {len(images)} images of '{path}': put the right file there"
        )
    return images, labels, ()


def _labels_beside(path: Path) -> Iterator[Path]:
    name = path.name.removesuffix(".gz")
    if "images" not in name:
        return
    for labels in (name.replace("images", "labels"), name.replace("images", "labels").replace("idx3", "idx1")):
        yield path.with_name(labels)
        yield path.with_name(f"{labels}.gz")


def _read(path: Path) -> Values:
    check_regular_file(path, ImageError, "IDX file")
    try:
        with as_reason():
            with path.open("rb") as file:
                packed = file.read(2) == _GZIP
            return _unpacked(path) if packed else _mapped(path)
    except ValueError as error:
        raise ImageError(f"'{path}' is not an IDX file that can be read ({error})") from error


def _mapped(path: Path) -> Values:
    with path.open("rb") as file:
        dtype, shape, offset = _header(file.read(_LONGEST_HEADER))
    if path.stat().st_size != offset + prod(shape) * dtype.itemsize:
        raise ValueError(f"its size is not that of {shape} numbers")
    return np.memmap(path, dtype, "r", offset, shape)


def _unpacked(path: Path) -> Values:
    with gzip.open(path) as file:
        dtype, shape, offset = _header(file.read(_LONGEST_HEADER))
        size = prod(shape) * dtype.itemsize
        if size > _PACKED * path.stat().st_size:
            raise ValueError(f"it is too short for {shape} numbers")
        check_memory(size, f"'{path}', {dtype} {shape},", "unpack it once with gunzip, to be read in parts")
        file.seek(0)
        content = file.read(offset + size + 1)
    if len(content) != offset + prod(shape) * dtype.itemsize:
        raise ValueError(f"its size is not that of {shape} numbers")
    return np.frombuffer(content, dtype, offset=offset).reshape(shape)


def _header(content: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Type and shape of the numbers, and where they begin."""
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    if zero or kind not in _TYPES or axes > _MOST_AXES:
        raise ValueError("it begins with another number")
    return np.dtype(_TYPES[kind]), struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes]), 4 + 4 * axes
