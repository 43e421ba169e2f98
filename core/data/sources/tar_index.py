"""Where the members of tar files lie: offsets and sizes, found by reading the headers alone. Nothing is unpacked."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import ImageError
from ...limits.regular_file import check_regular_file
from ...reading.array_file import one_line
from .picture_files import SUFFIXES

if TYPE_CHECKING:
    import tarfile

__all__ = ["LABELS", "Part", "TarSample", "tar_samples"]

LABELS = (".cls", ".json")
"""Endings of members that may hold a sample's label: a number or a text, or a JSON object with "label" or "cls"."""


@dataclass(frozen=True, slots=True)
class Part:
    """A member: its ending, and where it lies in which file."""

    ending: str
    """From the first point of the file's name on, in small letters, as webdataset has it: ".jpg", ".seg.png"."""
    tar: int
    offset: int
    size: int


@dataclass(slots=True)
class TarSample:
    """The members that share a key: the pictures and the labels among them."""

    key: str
    tar: int
    pictures: list[Part] = field(default_factory=list)
    labels: dict[str, Part] = field(default_factory=dict)

    @property
    def plain_pictures(self) -> list[Part]:
        """The pictures of an ending without a second point, .jpg and not .seg.png; all where there is none."""
        return [part for part in self.pictures if part.ending.count(".") == 1] or self.pictures


def tar_samples(path: Path, tar: int, left_out: "Counter[str]") -> tuple[list[TarSample], str]:
    """The samples of one tar file in the layout of webdataset: consecutive members whose names begin with one key.

    Args:
        path: an uncompressed tar file.
        tar: its number, which parts name it by.
        left_out: members that are no data, counted by ending.

    Returns:
        The samples that hold a picture, and a note where the file ends early, else "".

    Raises:
        ImageError: it is no tar file, or a compressed one.
    """
    import tarfile

    check_regular_file(path, ImageError, "tar file")
    length = path.stat().st_size
    samples, number, end = list[TarSample](), 0, 0
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it keeps them all
                number, end = number + 1, member.offset_data + -(-member.size // 512) * 512
                if member.size < 0:
                    break
                _add(samples, member, tar, left_out)
    except Exception as error:  # a damaged header makes tarfile raise anything: OverflowError, UnicodeError ...
        if not number:
            raise _refusal(path, error) from error
    with path.open("rb") as file:
        file.seek(min(max(end, 0), length))
        whole = file.read(512) == bytes(512)  # two such blocks are the mark of a file's end
    note = "" if whole else f"'{path}' ends early or is damaged after member {number}: what may follow is left out"
    left_out.update(ending for each in samples if not each.pictures for ending in each.labels)
    return [each for each in samples if each.pictures], note


def _add(samples: list[TarSample], member: "tarfile.TarInfo", tar: int, left_out: "Counter[str]") -> None:
    """A member to its sample: the last one, or a new one where the key is another."""
    if member.isdir():
        return
    name = PurePosixPath(member.name).name
    stem, point, rest = name.partition(".")
    ending = f".{rest}".lower() if point else ""
    if not member.isfile() or member.issparse():
        left_out["link or device"] += 1
        return
    last = PurePosixPath(ending).suffix if ending.count(".") > 1 else ending
    is_picture = last in SUFFIXES and bool(stem)
    if not is_picture and ending not in LABELS:
        left_out[last or name] += 1
        return
    key = member.name[: len(member.name) - len(name)] + stem
    if not samples or samples[-1].key != key:
        samples.append(TarSample(key, tar))
    part = Part(ending, tar, member.offset_data, member.size)
    if is_picture:
        samples[-1].pictures.append(part)
    else:
        samples[-1].labels[ending] = part


def _refusal(path: Path, error: Exception) -> ImageError:
    with path.open("rb") as file:
        start = file.read(6)
    if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start == b"\xfd7zXZ\0":
        return ImageError(
            f"'{path}' is compressed, and members are read from where they lie: unpack it once, gunzip {path.name}"
        )
    return ImageError(f"'{path}' is not a tar file that can be read ({one_line(error)})")
