"""What results are written as, by suffix: pictures, animations, and `.npz`, which holds everything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..image.encoding import encode_picture
from ..image.video import save_animation
from .display import Pixels
from .stored_values import Arrays, plain, stored

__all__ = [
    "FORMAT", "PICTURES", "animation", "saved_arrays", "saved_content", "suffix_of", "write_everything",
    "write_picture",
]  # fmt: skip

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
FORMAT = 1
"""The number of the record's form; a reader refuses larger ones than it knows."""


def suffix_of(path: str | Path) -> str:
    """The suffix of a file's name, in small letters; a suffix alone is one.

    >>> suffix_of("cat.PNG"), suffix_of(".npz"), suffix_of("npz")
    ('.png', '.npz', '')
    """
    _, point, after = Path(path).name.rpartition(".")
    return f"{point}{after}".lower() if point else ""


def write_picture(pixels: Pixels, suffix: str, file: IO[bytes], quality: int) -> None:
    """A picture as PNG, JPEG or WebP.

    Args:
        pixels: (H, W, 3), uint8.
        suffix: one of `PICTURES`.
        file: written to.
        quality: of JPEG, which keeps the colours at full resolution, and of WebP; 1 to 100.
    """
    options: dict[str, Any] = {} if suffix == ".png" else {"quality": quality}
    options |= {"subsampling": 0} if PICTURES[suffix] == "JPEG" else {}
    file.write(encode_picture(pixels, PICTURES[suffix], **options))


def animation(frames: list[Pixels], suffix: str) -> bytes:
    """Pictures one after the other, as `crosslens.image.save_animation` writes them."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return save_animation(frames, Path(folder) / f"frames{suffix}").read_bytes()


def saved_content(result: Any) -> tuple[dict[str, Any], Arrays]:
    """What a file holds of a result: its fields as JSON, and the arrays in them by name."""
    arrays: Arrays = {}
    prefixes: Mapping[str, str] = result._array_prefixes
    saved = result.saved_fields().items()
    return {name: stored(value, name, arrays, prefixes.get(name)) for name, value in saved}, arrays


def saved_arrays(result: Any) -> Arrays:
    """The arrays that a file holds of a result, by name."""
    return saved_content(result)[1]


def write_everything(result: Any, file: IO[bytes]) -> None:
    """The result as `.npz`: its arrays by name, and "record", JSON.

    The record says in plain words what the result is of (`kind`, `method`, `parameters`, `provenance`, `notes`, and
    what `details` gives), and holds every field, as `stored` writes it, under `fields`.

    Raises:
        ImageError: a field of a kind that a file cannot hold.
    """
    fields, arrays = saved_content(result)
    kind = type(result)
    record = {"kind": kind.__name__, "method": result.method, "parameters": result.parameters}
    record |= {"provenance": result.provenance, "notes": result.notes, **result.details()}
    record |= {"format": FORMAT, "module": kind.__module__, "fields": fields}
    text = json.dumps(record, default=plain)
    np.savez_compressed(file, allow_pickle=False, record=np.asarray(text), **arrays)
