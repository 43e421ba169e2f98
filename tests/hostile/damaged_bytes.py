"""Damage to the bytes of any file, from a seed."""

from random import Random

__all__ = ["damaged"]

_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
"""Numbers at which sizes and counts overflow."""
_LARGER = (2**33, 2**40, 2**60, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(content: bytes, random: Random) -> tuple[bytes, str]:
    """The content with one damage, and what it was."""
    if not content:
        return bytes([random.randrange(256)]), "a byte"
    what = random.choice(list(_KINDS))
    return _KINDS[what](bytearray(content), random), what


def _bit(content: bytearray, random: Random) -> bytes:
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content)


def _bytes(content: bytearray, random: Random) -> bytes:
    for _ in range(random.choice((1, 3, 10, 100))):
        content[random.randrange(len(content))] = random.randrange(256)
    return bytes(content)


def _number(content: bytearray, random: Random) -> bytes:
    """A number of one to eight bytes is one at which sizes overflow; more often in the front, where headers are."""
    width = random.choice((1, 2, 4, 4, 8))
    value = random.choice(_NUMBERS + (_LARGER if width == 8 else ())) % (1 << (8 * width))
    last = max(0, len(content) - width)
    place = random.randint(0, min(last, 64) if random.random() < 0.5 else last)
    content[place : place + width] = value.to_bytes(width, random.choice(("big", "little")))
    return bytes(content)


def _cut(content: bytearray, random: Random) -> bytes:
    return bytes(content[: random.randrange(len(content))])


def _left_out(content: bytearray, random: Random) -> bytes:
    start = random.randrange(len(content))
    del content[start : start + random.choice((1, 2, 4, 16, 256))]
    return bytes(content)


def _inserted(content: bytearray, random: Random) -> bytes:
    start = random.randrange(len(content))
    content[start:start] = random.choice((bytes(4), b"\xff" * 4, random.randbytes(8), random.randbytes(300)))
    return bytes(content)


def _repeated(content: bytearray, random: Random) -> bytes:
    start = random.randrange(len(content))
    part = content[start : start + random.choice((4, 16, 64, 1024))]
    content[start:start] = part * random.choice((1, 2, 50))
    return bytes(content)


def _overwritten(content: bytearray, random: Random) -> bytes:
    """A stretch of zeros or of ones, as a bad disk leaves it."""
    start = random.randrange(len(content))
    stop = min(len(content), start + random.choice((4, 32, 512)))
    content[start:stop] = random.choice((b"\0", b"\xff")) * (stop - start)
    return bytes(content)


def _appended(content: bytearray, random: Random) -> bytes:
    return bytes(content) + random.choice((bytes(1000), bytes(content), random.randbytes(100)))


_KINDS = {
    "bit": _bit,
    "bytes": _bytes,
    "number": _number,
    "cut": _cut,
    "left out": _left_out,
    "inserted": _inserted,
    "repeated": _repeated,
    "overwritten": _overwritten,
    "appended": _appended,
}
