"""Command lines whose pictures hang in a gallery: run once for each framework, kept, and shown side by side."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeVar

from PIL import Image, ImageDraw, ImageFont

__all__ = ["BACKENDS", "Cell", "chosen", "fitted", "side_by_side"]

BACKENDS = ("torch", "keras", "onnx")
GAP, HEAD = 6, 20
E = TypeVar("E")


@dataclass(frozen=True)
class Cell:
    """One framework's picture; beside it, as JSON, its commands and the seconds that they took."""

    path: Path
    typed: str
    """The commands as a reader would type them: kept pictures of other commands are made anew."""

    def finished(self) -> bool:
        """Whether the picture was made, by the commands that stand there now."""
        return self._record.exists() and json.loads(self._record.read_text())["command"] == self.typed

    @property
    def processor(self) -> float:
        """Seconds that a processor computed."""
        return float(json.loads(self._record.read_text())["processor"])

    @property
    def _record(self) -> Path:
        return self.path.with_suffix(".json")

    def make(self, commands: Callable[[Path], Sequence[Sequence[str]]], shown: str) -> None:
        """Run the commands that `commands` gives for a folder, and keep the file `shown` of it; cut off, leave nothing.

        Raises:
            CalledProcessError: A command failed.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.path.parent) as folder:
            start, before = perf_counter(), _computed()
            for words in commands(Path(folder)):
                program = Path(sys.executable).with_name(words[0])
                subprocess.run([program, *words[1:]], check=True, stdout=subprocess.DEVNULL)
            seconds, processor = perf_counter() - start, _computed() - before
            os.replace(Path(folder) / shown, self.path)
        record = {"command": self.typed, "processor": round(processor, 1), "seconds": round(seconds, 1)}
        self._record.write_text(json.dumps(record))
        print(f"{seconds:6.1f} s, {processor:.1f} s of them computing: {self.typed}", flush=True)


def _computed() -> float:
    """Seconds of processor time of the commands run so far: what else the machine did meanwhile does not count."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """As large as fits into (width, height)."""
    scale = min(width / picture.width, height / picture.height)
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def side_by_side(tiles: Sequence[Image.Image], titles: Sequence[str], *, below: bool = False) -> Image.Image:
    """Tiles under their titles, in a row, or one below the other."""
    across = max(t.width for t in tiles) if below else sum(t.width + GAP for t in tiles) - GAP
    down = sum(HEAD + t.height + GAP for t in tiles) - GAP if below else HEAD + max(t.height for t in tiles)
    page = Image.new("RGB", (across, down), "white")
    draw, font, left, top = ImageDraw.Draw(page), ImageFont.load_default(12), 0, 0
    for title, tile in zip(titles, tiles, strict=True):
        draw.text((left + 2, top + 3), title, fill="black", font=font)
        page.paste(tile, (left, top + HEAD))
        left, top = (0, top + HEAD + tile.height + GAP) if below else (left + tile.width + GAP, 0)
    return page


def chosen(program: str, about: str | None, exhibits: Mapping[str, E]) -> tuple[list[E], list[str], bool]:
    """What the command line asks for: exhibits, backends, and whether to make their pictures anew."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("exhibits", nargs="*", metavar="EXHIBIT", help=f"of {', '.join(exhibits)}; all if none")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--fresh", action="store_true", help="make all anew")
    given = parser.parse_args()
    if unknown := set(given.exhibits) - set(exhibits):
        parser.error(f"no exhibit {', '.join(sorted(unknown))}; there are {', '.join(exhibits)}")
    return [exhibits[name] for name in given.exhibits or exhibits], given.backends, given.fresh
