"""Zip archives from strangers: names, sizes and methods are checked before a member is read, and again while it is."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import CrosslensError
from .memory import check_memory

__all__ = ["check_members", "open_archive", "read_member"]

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MOST_EXPANSION = 1040
"""Deflate makes at most 1032 bytes of one."""
_LOCAL_HEADER = 30
"""Bytes before the name of a member."""
_MOST_MEMBERS = 100_000
_ENCRYPTED = 0x1


@contextmanager
def open_archive(path: Path, error: type[CrosslensError], what: str) -> Iterator[zipfile.ZipFile]:
    """A zip archive whose members were checked; what is wrong with it is one error.

    Args:
        path: the file.
        error: the class of the error.
        what: what the archive should be, "a .pt2 archive", for the message.

    Raises:
        CrosslensError: of class `error`: it is no archive, is damaged, or has members as `check_members` refuses them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path, error)
            yield archive
    except CrosslensError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, NotImplementedError, ValueError) as failed:
        reason = (str(failed).strip().splitlines() or [type(failed).__name__])[0]
        raise error(f"'{path}' is not {what}, or is truncated: {reason}") from failed


def check_members(archive: zipfile.ZipFile, path: Path, error: type[CrosslensError]) -> None:
    """Check every member by what the archive says of it; nothing is read.

    Raises:
        CrosslensError: of class `error`: a name that leaves the archive, or that two members have; a member that is
            encrypted, a link, compressed in another way than zip's own, larger than its bytes can be, or that overlaps
            another one.
        MemoryLimitError: all members together would take more memory than the limit.
    """
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise error(f"'{path}' holds {len(members):,} members; at most {_MOST_MEMBERS:,} are read")
    names = set[str]()
    for member in members:
        if problem := _problem(member) or ("is there twice" if member.filename in names else ""):
            raise error(f"'{path}' holds {member.filename[:80]!r}, which {problem}; save the file again")
        names.add(member.filename)
    if overlap := _overlap(members, archive.start_dir):
        raise error(f"'{path}' holds {overlap[:80]!r}, which overlaps another member; save the file again")
    total = sum(member.file_size for member in members)
    check_memory(total, f"what '{path}' holds", "open it on a machine with more memory")


def _problem(member: zipfile.ZipInfo) -> str:
    """What is wrong with a member; empty if nothing is."""
    name, size, stored = member.filename, member.file_size, member.compress_size
    if "\\" in name or "\0" in member.orig_filename or name.startswith("/") or ".." in PurePosixPath(name).parts:
        return "is not a name within the archive"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.compress_type not in _METHODS:
        return f"is compressed by method {member.compress_type}, not stored or deflated"
    if size > stored * (_MOST_EXPANSION if member.compress_type == zipfile.ZIP_DEFLATED else 1):
        return f"is said to be {size:,} bytes, more than its {stored:,} stored bytes can be"
    return ""


def _overlap(members: list[zipfile.ZipInfo], directory: int) -> str:
    """The name of a member that reaches into the next one or into the table of contents; empty if none does."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    ends = [*(member.header_offset for member in ordered[1:]), directory]
    for member, end in zip(ordered, ends, strict=True):
        if member.header_offset + _LOCAL_HEADER + len(member.orig_filename) + member.compress_size > end:
            return member.filename
    return ""


def read_member(archive: zipfile.ZipFile, name: str, path: Path, error: type[CrosslensError]) -> bytes:
    """The content of a member of an archive from `open_archive`, at most as long as the archive says.

    Args:
        archive: the archive.
        name: of the member.
        path: of the archive, for messages.
        error: the class of the errors.

    Raises:
        CrosslensError: of class `error`: there is no such member, or it is shorter than the archive says.
    """
    try:
        member = archive.getinfo(name)
    except KeyError as failed:
        raise error(f"'{path}' holds no '{name}'; it is not complete: save it again") from failed
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise error(f"'{path}' holds {len(content):,} of the {member.file_size:,} bytes of '{name}'; save it again")
    return content
