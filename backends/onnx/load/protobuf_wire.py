"""The wire format of protobuf: fields of a message by their places in a file (https://protobuf.dev/programming-guides/encoding/)."""

from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

__all__ = ["MOST_FIELDS", "Field", "encode_field", "fields"]


class Field(NamedTuple):
    """A field of a message: byte offsets in the file where it starts, where its content starts and where it ends."""

    number: int
    start: int
    content: int
    end: int


def fields(data: mmap | bytes, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message between two places of a file.

    Raises:
        DecodeError: the message is cut off or not protobuf, or has more than `MOST_FIELDS` fields.
    """
    for _ in range(MOST_FIELDS):
        if start >= stop:
            return
        tag, content = _decode_varint(data, start, stop)
        if tag < _SMALLEST_TAG:
            raise DecodeError(f"a field has no number at byte {start}")
        kind = tag & 7
        if kind == _VARINT:
            end = _decode_varint(data, content, stop)[1]
        elif kind == _BYTES:
            size, content = _decode_varint(data, content, stop)
            end = content + size
        elif kind in _FIXED:
            end = content + _FIXED[kind]
        else:
            raise DecodeError(f"unknown wire type {kind} at byte {start}")
        if end > stop:
            raise DecodeError(f"the field at byte {start} goes beyond the end of its message")
        yield Field(tag >> 3, start, content, end)
        start = end
    if start < stop:
        raise DecodeError(f"a message has more than {MOST_FIELDS:,} fields")


MOST_FIELDS = 250_000
"""Maximum number of fields of one message; a graph has one for each node, weight and type."""
_SMALLEST_TAG = 1 << 3

_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}
"""Wire types of the encoding's table; for numbers of fixed size, their size in bytes."""


def _decode_varint(data: mmap | bytes, place: int, stop: int) -> tuple[int, int]:
    """A varint (seven bits a byte, least significant first), and the offset behind it."""
    value = shift = 0
    while place < stop and shift < 70:
        value |= (data[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 0x80:
            return value, place
    raise DecodeError(f"a varint does not end before byte {stop}")


def encode_field(number: int, content: bytes) -> bytes:
    """A field of bytes: its number, its length, its content."""
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(content)) + content


def _encode_varint(value: int) -> bytes:
    """A number as a varint."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
