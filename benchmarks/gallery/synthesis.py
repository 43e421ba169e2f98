"""The synthesis gallery: every method that makes pictures, from the command line, in three frameworks.

`python -m benchmarks.gallery.synthesis` runs what out/synthesis does not hold yet, so that a run that was cut off goes
on, and hangs one picture per exhibit into benchmarks/pictures; `--fresh` makes all anew. Name exhibits for some only;
with fewer `--backends` the picture stays in out/synthesis.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

from PIL import Image, ImageDraw, ImageFont, ImageOps

from .exhibits import EXHIBITS, Exhibit

BACKENDS = ("torch", "keras", "onnx")
ROOT = Path(__file__).parents[2]
KEPT, PICTURES = ROOT / "out" / "synthesis", ROOT / "benchmarks" / "pictures"
TILE, GAP, HEAD = 320, 6, 20


def cell(exhibit: Exhibit, backend: str) -> Path:
    """Where a cell lies; beside it, as JSON, its command and the seconds that took, in all and of a processor."""
    return KEPT / exhibit.name / f"{backend}.png"


def finished(exhibit: Exhibit, backend: str) -> bool:
    """Whether the cell was made, by the command that stands there now."""
    record = cell(exhibit, backend).with_suffix(".json")
    return record.exists() and json.loads(record.read_text())["command"] == exhibit.typed(backend)


def make(exhibit: Exhibit, backend: str) -> None:
    """Run the command; one that is cut off leaves nothing."""
    path = cell(exhibit, backend)
    path.parent.mkdir(parents=True, exist_ok=True)
    crosslens = Path(sys.executable).with_name("crosslens")
    with TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / "made.png"
        start, before = perf_counter(), computed()
        subprocess.run([crosslens, *exhibit.command(backend, out)], check=True, stdout=subprocess.DEVNULL)
        seconds, processor = perf_counter() - start, computed() - before
        os.replace(out.with_name(f"made{exhibit.shown}.png"), path)
    record = {"command": exhibit.typed(backend), "processor": round(processor, 1), "seconds": round(seconds, 1)}
    path.with_suffix(".json").write_text(json.dumps(record))
    print(f"{seconds:6.1f} s, {processor:.1f} s of them computing: {record['command']}", flush=True)


def computed() -> float:
    """Seconds of processor time of the commands run so far: what else the machine did meanwhile does not count."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def hung(exhibit: Exhibit, backends: Sequence[str]) -> Path:
    """The exhibit as one picture: what was given, then each backend's, with the processor time of its command."""
    tile = TILE * 4 // 3 if exhibit.wide else TILE
    records = [json.loads(cell(exhibit, backend).with_suffix(".json").read_text()) for backend in backends]
    titles = [f"{backend}, {record['processor']:.0f} s" for backend, record in zip(backends, records, strict=True)]
    tiles = [fitted(Image.open(cell(exhibit, backend)), tile) for backend in backends]
    if exhibit.given and not exhibit.wide:
        tiles, titles = [fitted_given(exhibit, tile, tiles[0].size), *tiles], ["given", *titles]
    page = Image.new("RGB", (sum(t.width + GAP for t in tiles) - GAP, HEAD + max(t.height for t in tiles)), "white")
    draw, font, left = ImageDraw.Draw(page), ImageFont.load_default(12), 0
    for title, picture in zip(titles, tiles, strict=True):
        draw.text((left + 2, 3), title, fill="black", font=font)
        page.paste(picture, (left, HEAD))
        left += picture.width + GAP
    folder = PICTURES if tuple(backends) == BACKENDS else KEPT
    folder.mkdir(exist_ok=True)
    path = folder / f"synthesis_{exhibit.name}.jpg"
    page.save(path, quality=84)
    return path


def fitted(picture: Image.Image, tile: int) -> Image.Image:
    """As large as fits into a square of `tile` pixels."""
    scale = tile / max(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def fitted_given(exhibit: Exhibit, tile: int, size: tuple[int, int]) -> Image.Image:
    """What was given, cut to the shape of what came out; a second picture in the corner."""
    first, *rest = (Image.open(path).convert("RGB") for path in exhibit.given)
    whole = ImageOps.fit(first, size, Image.Resampling.LANCZOS)
    for other in rest:
        small = ImageOps.expand(ImageOps.fit(other, (size[0] * 2 // 5, size[1] * 2 // 5)), 2, "white")
        whole.paste(small, (size[0] - small.width, size[1] - small.height))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery.synthesis", description=__doc__)
    parser.add_argument("exhibits", nargs="*", metavar="EXHIBIT", help=f"of {', '.join(EXHIBITS)}; all if none")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--fresh", action="store_true", help="make all anew")
    chosen = parser.parse_args()
    if unknown := set(chosen.exhibits) - set(EXHIBITS):
        parser.error(f"no exhibit {', '.join(sorted(unknown))}; there are {', '.join(EXHIBITS)}")
    for exhibit in [EXHIBITS[name] for name in chosen.exhibits or EXHIBITS]:
        for backend in chosen.backends:
            if chosen.fresh or not finished(exhibit, backend):
                make(exhibit, backend)
        print(hung(exhibit, chosen.backends))


if __name__ == "__main__":
    main()
