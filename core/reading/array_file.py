"""Arrays in files, `.npy` and `.npz`: what a header declares is compared with the file and with the memory limit.

No pickle is ever read. Every reader here raises ValueError with the reason alone, in one line, for whatever is wrong.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from os import PathLike, stat
from stat import S_ISREG
from typing import IO, Any, NamedTuple
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from ..errors import CrosslensError
from ..limits.memory import check_memory, readable_size
from .quiet import quiet_readers

__all__ = [
    "NUMBERS",
    "Header",
    "as_reason",
    "map_npy",
    "map_stored",
    "one_line",
    "read_any",
    "read_npy",
    "read_npz",
    "read_npz_headers",
]

Values = np.ndarray[Any, Any]
Path = str | PathLike[str]

NUMBERS = "biuf"
"""The kinds of types that real numbers and truth values have, as `numpy.dtype.kind` has them."""
_KINDS = NUMBERS + "cSU"
_MAGIC = b"\x93NUMPY"
_MOST_AXES = 64


class Header(NamedTuple):
    """What a `.npy` begins with."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int
    """Bytes of the header: the values follow it."""

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return prod(self.shape) * self.dtype.itemsize


def one_line(error: BaseException) -> str:
    """What an error says, in one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


@contextmanager
def as_reason() -> Iterator[None]:
    """Whatever fails in the block is a ValueError with its reason in one line; our own errors stay as they are.

    Raises:
        ValueError: the block failed.
    """
    try:
        with quiet_readers():
            yield
    except CrosslensError:
        raise
    except OSError as error:
        raise ValueError(error.strerror or one_line(error)) from error
    except (
        Exception
    ) as error:  # readers of others' formats raise anything: RecursionError, struct.error, zlib.error ...
        raise ValueError(one_line(error)) from error


def read_npy(path: Path, kinds: str = _KINDS) -> Values:
    """The array of a `.npy` file.

    Args:
        path: the file.
        kinds: of types that are right, as `numpy.dtype.kind` has them.

    Raises:
        ValueError: it is damaged, no such file, or holds something else; the text is the reason.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    with as_reason():
        _refuse_what_is_no_file(path)
        with open(path, "rb") as file:
            return _array(file, stat(path).st_size, kinds, str(path))


def map_npy(path: Path) -> Values:
    """The array of a `.npy` file, memory-mapped, to be read only.

    Raises:
        ValueError: it is damaged, no such file, or holds something else; the text is the reason.
    """
    with as_reason():
        _refuse_what_is_no_file(path)
        with open(path, "rb") as file:
            header = _header(file, stat(path).st_size)
        return _mapped(path, header)


def _mapped(path: Path, header: Header, start: int = 0) -> Values:
    order = "F" if header.fortran_order else "C"
    values: Values = np.memmap(path, header.dtype, "r", start + header.offset, header.shape, order)  # type: ignore[call-overload]
    return values


def read_npz_headers(path: Path) -> Mapping[str, Header]:
    """What each array of an `.npz` declares, by its name.

    Raises:
        ValueError: it is damaged, no such file, or holds something else; the text is the reason.
    """
    with as_reason(), _archive(path) as archive:
        return {name: _member_header(archive, member) for name, member in _members(archive).items()}


def read_npz(path: Path, wanted: Collection[str] | None = None) -> dict[str, Values]:
    """Arrays of an `.npz`, by name.

    Args:
        path: the file.
        wanted: the names of those to read, which must be there; all if not given.

    Raises:
        ValueError: it is damaged, no such file, or lacks a name; the text is the reason.
        MemoryLimitError: they are larger than the memory limit allows.
    """
    with as_reason(), _archive(path) as archive:
        members = _members(archive)
        if missing := [name for name in wanted or () if name not in members]:
            raise ValueError(f"it has no array {missing[0]!r}")
        chosen = {name: member for name, member in members.items() if wanted is None or name in wanted}
        needed = sum(_member_header(archive, member).size for member in chosen.values())
        check_memory(needed, f"'{path}'", "give a file of smaller arrays")
        return {name: _member(archive, member, str(path)) for name, member in chosen.items()}


def read_any(path: Path) -> Values | dict[str, Values]:
    """The array of a `.npy` file, or the arrays of an `.npz` by name; the content says which it is.

    Raises:
        ValueError: it is damaged, no such file, or holds something else; the text is the reason.
        MemoryLimitError: it is larger than the memory limit allows.
    """
    with as_reason():
        _refuse_what_is_no_file(path)
        with open(path, "rb") as file:
            single = file.read(len(_MAGIC)) == _MAGIC
    return read_npy(path) if single else read_npz(path)


def map_stored(path: Path, name: str) -> Values | None:
    """An array of an `.npz`, memory-mapped; None where it is compressed.

    Raises:
        ValueError: it is damaged, or there is no such array; the text is the reason.
    """
    with as_reason(), _archive(path) as archive:
        member = _members(archive)[name]
        if member.compress_type != ZIP_STORED:
            return None
        header = _member_header(archive, member)
        with open(path, "rb") as file:
            file.seek(member.header_offset + 26)
            lengths = file.read(4)  # of the name and of the extra field, which stand between here and the array
            start = file.tell() + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
            file.seek(start)
            if _header(file, stat(path).st_size - start) != header:
                raise ValueError("its list of members does not fit its contents")
        return _mapped(path, header, start)


def _refuse_what_is_no_file(path: Path) -> None:
    if not S_ISREG(stat(path).st_mode):
        raise ValueError("it is not a regular file")


@contextmanager
def _archive(path: Path) -> Iterator[ZipFile]:
    _refuse_what_is_no_file(path)
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            raise ValueError("it is a single array")
        with ZipFile(file) as archive:
            yield archive


def _members(archive: ZipFile) -> Mapping[str, ZipInfo]:
    return {member.filename.removesuffix(".npy"): member for member in archive.infolist()}


def _member_header(archive: ZipFile, member: ZipInfo) -> Header:
    with archive.open(member) as file:
        header = _header(file, member.file_size)
    if header.offset + header.size != member.file_size:
        raise ValueError(f"the size of {member.filename!r} is not that of the array that it declares")
    return header


def _member(archive: ZipFile, member: ZipInfo, path: str) -> Values:
    with archive.open(member) as file:
        return _array(file, member.file_size, _KINDS, path)


def _array(file: IO[bytes], size: int, kinds: str, path: str) -> Values:
    header = _header(file, size)
    if header.dtype.kind not in kinds:
        raise ValueError(f"it holds {header.dtype} values, not numbers")
    check_memory(header.size, f"'{path}', {header.dtype} {header.shape},", "give a smaller array")
    file.seek(0)
    values: Values = np.lib.format.read_array(file, allow_pickle=False)
    return values


def _header(file: IO[bytes], size: int) -> Header:
    """The header of a `.npy` of `size` bytes; the file stands behind it then.

    Raises:
        ValueError: a type that holds objects or parts with names, or a shape for which the file is too short.
    """
    start = file.tell()
    version = np.lib.format.read_magic(file)
    if version not in _READ_HEADER:
        raise ValueError(f"it is of version {version[0]}.{version[1]} of the format, which nobody knows")
    shape, fortran, dtype = _READ_HEADER[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read")
    if dtype.kind not in _KINDS:
        raise ValueError(f"it holds {dtype} values, not numbers")
    if len(shape) > _MOST_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"it declares the shape {shape}")
    header = Header(tuple(shape), bool(fortran), dtype, file.tell() - start)
    if header.offset + header.size > size:
        raise ValueError(
            f"it declares {dtype} {header.shape}, {readable_size(header.size)}, and holds {size - header.offset} bytes"
        )
    return header


_READ_HEADER: Mapping[tuple[int, int], Callable[[IO[bytes]], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}
"""The third differs in the names of parts alone, which are not read."""
