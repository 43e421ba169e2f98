"""Damage to the bytes of any file, from a seed."""

import warnings
import zipfile
from io import BytesIO
from random import Random

__all__ = ["mutated", "mutated_member"]

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**64 - 1)
_KINDS = ("truncate", "flip", "flip", "bytes", "insert", "splice", "zero", "repeat", "number", "number", "remove")


def mutated(content: bytes, random: Random, other: bytes = b"") -> tuple[bytes, str]:
    """The content with one to four damages, and what they were.

    Args:
        content: of the sound file.
        random: what draws.
        other: another sound file, parts of which may be put in.
    """
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        kind = random.choice(_KINDS)
        content = _damaged(bytearray(content), kind, random, other)
        done.append(kind)
    return content, ", ".join(done)


def mutated_member(content: bytes, random: Random, other: bytes = b"") -> tuple[bytes, str]:
    """A zip file of which one member is damaged, left out, emptied or doubled; the checksums are right again."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    place = random.randrange(len(members))
    info, inner = members[place]
    done = random.choice(("damage", "damage", "damage", "damage", "leave out", "empty", "double", "rename", "grow"))
    if done == "damage":
        inner, done = mutated(inner, random, other)
    elif done == "rename":
        info.filename = random.choice(("../out", "/abs", "a" * 300, "", f"{info.filename}/x", members[0][0].filename))
    kept = members[:place] + ([] if done == "leave out" else [(info, b"" if done == "empty" else inner)])
    kept += [(info, inner)] * (done == "double") + members[place + 1 :]
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each, data in kept:
            archive.writestr(
                each.filename or "x", data * (1000 if done == "grow" and each is info else 1), each.compress_type
            )
    return made.getvalue(), f"{done} in {info.filename[-40:]}"


def _damaged(content: bytearray, kind: str, random: Random, other: bytes) -> bytes:
    place, length = random.randrange(len(content) + 1), random.choice((1, 2, 4, 16, 64, 256, 1024))
    if random.random() < 0.3:
        place = min(place, random.randrange(128))
    if kind == "truncate":
        del content[place:]
    elif kind == "flip" and place < len(content):
        content[place] ^= 1 << random.randrange(8)
    elif kind == "bytes":
        content[place : place + length] = random.randbytes(min(length, len(content) - place))
    elif kind == "insert":
        content[place:place] = random.choice((bytes(length), b"\xff" * length, random.randbytes(length)))
    elif kind == "splice":
        start = random.randrange(len(other) + 1)
        content[place : place + length] = other[start : start + length]
    elif kind == "zero":
        content[place : place + length] = bytes(min(length, len(content) - place))
    elif kind == "repeat":
        content[place:place] = content[place : place + length] * random.choice((1, 3, 40))
    elif kind == "number":
        width = random.choice((1, 2, 4, 8))
        value = (random.choice(_NUMBERS) % (1 << 8 * width)).to_bytes(width, random.choice(("big", "little")))
        content[place : place + width] = value
    elif kind == "remove":
        del content[place : place + length]
    return bytes(content)
