"""Text on sheets, in Pillow's own font: which letters it has, how wide a text is, cut or broken to a width."""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["cut", "line_height", "printable", "text_width", "wrap", "write"]

Pixels = np.ndarray[Any, Any]

DOTS = "..."
_PLAIN = {"×": "x", "–": "-", "—": "-", "−": "-", "≥": ">=", "≤": "<=", "→": "->", "±": "+-", "ß": "ss", "µ": "u"}
"""What is written for signs that the font does not have."""
_NO_LETTER = "\uffff"
"""A sign that no font has: what is drawn for it is drawn for every sign that is missing."""


@cache
def font(size: int) -> Any:
    """Pillow's default font of this size in pixels; its small fixed one where Pillow is built without FreeType."""
    try:
        return ImageFont.load_default(size=size)
    except ImportError:
        return ImageFont.load_default()


def printable(text: str) -> str:
    """A text in letters that the font has: without accents where it has none, "?" for what has no likeness.

    Line breaks and other white space become one space each.

    >>> printable("Köln → 3 × 3, 猫")
    'Koln -> 3 x 3, ?'
    """
    return "".join(_printable_letter(letter) for letter in text)


@cache
def _printable_letter(letter: str) -> str:
    if letter.isspace():
        return " "
    if _has(letter):
        return letter
    plain = _PLAIN.get(letter) or "".join(
        part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)
    )
    return plain if plain and all(_has(part) for part in plain) else "?"


def _has(letter: str) -> bool:
    """Whether the font has a sign; the small fixed font is only asked for ASCII."""
    if letter.isascii():
        return letter.isprintable()
    known = font(12)
    return isinstance(known, ImageFont.FreeTypeFont) and _drawn(letter) != _drawn(_NO_LETTER)


def _drawn(letter: str) -> bytes:
    return bytes(font(12).getmask(letter))


def text_width(text: str, size: int) -> int:
    """Pixels from the first letter's left side to the last one's right side."""
    return int(np.ceil(font(size).getlength(text)))


@cache
def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return int(font(size).getbbox("Ágjy|")[3]) + 2 if not isinstance(font(size), ImageFont.ImageFont) else 13


def cut(text: str, width: int, size: int) -> str:
    """A text that is at most `width` pixels wide, its end replaced by dots if need be; empty if not even they fit."""
    text = printable(text)
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + DOTS, size) > width:
        text = text[:-1]
    shortened = text.rstrip() + DOTS
    return shortened if text_width(shortened, size) <= width else ""


def wrap(text: str, width: int, size: int) -> list[str]:
    """A text in lines of at most `width` pixels, broken at spaces; a word that is wider than a line is cut."""
    lines = [""]
    for word in printable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [cut(line, width, size) for line in lines if line]


def write(pixels: Pixels, lines: list[str], left: int, top: int, size: int) -> Pixels:
    """A copy of a picture with lines of black text.

    Args:
        pixels: (H, W, 3), uint8.
        lines: one under the other.
        left: the column where they begin.
        top: the row of the first line's upper side.
        size: of the letters, in pixels.
    """
    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    for n, line in enumerate(lines):
        pen.text((left, top + n * line_height(size)), line, fill="black", font=font(size))
    return np.array(picture)
