"""Writing frames as an animation: .gif, .webp or .mp4."""

from collections.abc import Sequence
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..files.own_files import MARK
from ..files.whole_file import whole_file, write_bytes
from ..limits.memory import check_memory
from .decoding import decoding, has_frames, opened_picture
from .encoding import encode_frames

__all__ = ["find_ffmpeg", "is_animation", "read_animation", "save_animation"]

Pixels = np.ndarray[Any, Any]
_BYTES = 8
"""Of memory for each pixel of each frame: as it is held, and once more while it is decoded."""
_FEWER = "give an animation of fewer or smaller frames"


def save_animation(frames: Sequence[Pixels], path: str | Path, milliseconds: int | Sequence[int] = 80) -> Path:
    """Write pictures (H, W, 3), uint8, as an endless .gif or .webp, or as .mp4 where ffmpeg is installed.

    Args:
        frames: the pictures.
        path: where to.
        milliseconds: how long each is shown, or all of them; a .gif counts in steps of 10.

    Raises:
        ImageError: the folder does not exist, or cannot be written to; or .mp4 without ffmpeg, or it fails.
    """
    if Path(path).suffix.lower() == ".mp4":
        each = [milliseconds] * len(frames) if isinstance(milliseconds, int) else list(milliseconds)
        step = gcd(*each)
        return _film([frame for frame, n in zip(frames, each, strict=True) for _ in range(n // step)], Path(path), step)
    form = {".gif": "GIF", ".webp": "WEBP"}[Path(path).suffix.lower()]
    duration = milliseconds if isinstance(milliseconds, int) else list(milliseconds)
    return write_bytes(path, encode_frames(frames, form, duration))


def read_animation(path: Path) -> tuple[list[Image.Image], list[int]]:
    """The frames of an animated .gif, .webp or .png, whole pictures, and for how many milliseconds each is shown.

    A picture that does not move is one frame. A frame without a duration is shown for 80 milliseconds.

    Raises:
        ImageError: the file does not exist, or is not a picture.
    """
    frames, durations = [], []
    with opened_picture(path) as film, decoding(path):
        count = getattr(film, "n_frames", 1)
        width, height = film.size
        check_memory(count * width * height * _BYTES, f"'{path}', {count} frames of {width} x {height} pixels,", _FEWER)
        for n in range(count):
            film.seek(n)
            film.load()
            frames.append(film.convert("RGBA" if film.has_transparency_data else "RGB"))
            durations.append(round(film.info.get("duration") or 80))
    return frames, durations


def is_animation(path: Path) -> bool:
    """Whether a file is a picture of several frames; False for a file that is no picture."""
    if path.suffix.lower() not in {".gif", ".webp", ".png", ".apng"} or not path.is_file():
        return False
    try:
        with opened_picture(path) as film, decoding(path):
            return has_frames(film)
    except ImageError:
        return False


def find_ffmpeg(path: Path) -> str:
    """The program that writes an .mp4 to this path: ffmpeg of the system, or the one that imageio-ffmpeg brings.

    Raises:
        ImageError: there is none; says what to install, and what needs none.
    """
    from shutil import which

    if found := which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ImageError(
            f"'{path}' needs ffmpeg, and there is none: install it (apt install ffmpeg, brew install ffmpeg, or pip "
            "install imageio-ffmpeg), or save as .gif or .webp, which need nothing"
        ) from error


def _film(frames: Sequence[Pixels], path: Path, milliseconds: int) -> Path:
    """By ffmpeg, H.264; sides that are odd lose a pixel, which its usual colour format needs."""
    from subprocess import run

    ffmpeg = find_ffmpeg(path)
    height, width = (n - n % 2 for n in frames[0].shape[:2])
    given = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {1000 / milliseconds:g} -i -".split()
    made = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "18", "-movflags", "+faststart"]
    made += ["-metadata", f"comment={MARK}"]
    film = b"".join(np.ascontiguousarray(frame[:height, :width]).tobytes() for frame in frames)
    with whole_file(path) as temporary:
        command = [ffmpeg, "-y", "-loglevel", "error", *given, *made, str(temporary)]
        done = run(command, input=film, capture_output=True, check=False)
        if done.returncode:
            raise ImageError(f"ffmpeg could not write '{path}': {done.stderr.decode(errors='replace').strip()}")
    return path
