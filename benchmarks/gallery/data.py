"""The data-set gallery: what units stand for and how layers arrange data, by command lines, in three frameworks.

`python -m benchmarks.gallery.data` makes the folders of data that are missing (out/data), runs what out/data_gallery
does not hold yet, so that a run that was cut off goes on, and hangs one picture per exhibit into benchmarks/pictures;
`--fresh` makes all pictures anew. Name exhibits for some only; with fewer `--backends` the picture stays in
out/data_gallery.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PIL import Image

from .commands import BACKENDS, Cell, chosen, fitted, side_by_side
from .data_exhibit import DataExhibit
from .data_exhibits import EXHIBITS
from .folders import FOLDERS

ROOT = Path(__file__).parents[2]
KEPT, PICTURES = ROOT / "out" / "data_gallery", ROOT / "benchmarks" / "pictures"
LIMIT = 150_000
"""Bytes of a picture that hangs."""


def cell(exhibit: DataExhibit, backend: str) -> Cell:
    """Where a framework's picture lies."""
    return Cell(KEPT / exhibit.name / f"{backend}.png", exhibit.typed(backend))


def made(exhibit: DataExhibit, backends: Sequence[str], *, fresh: bool) -> None:
    """Make what is missing: the folders, then each framework's picture; `fresh` makes the pictures anew."""
    for name in exhibit.needs:
        FOLDERS[name].make()
    for backend in backends:
        each = cell(exhibit, backend)
        if fresh or not each.finished():
            each.make(partial(exhibit.words, backend), f"made{exhibit.shown}.png")


def hung(exhibit: DataExhibit, backends: Sequence[str]) -> Path:
    """Each framework's picture, with the processor time of its commands, as one JPEG of at most 150 kB."""
    cells = [cell(exhibit, backend) for backend in backends]
    titles = [f"{backend}, {each.processor:.0f} s" for backend, each in zip(backends, cells, strict=True)]
    tiles = [fitted(Image.open(each.path), exhibit.width, exhibit.height) for each in cells]
    folder = PICTURES if tuple(backends) == BACKENDS else KEPT
    folder.mkdir(exist_ok=True)
    path = folder / f"data_{exhibit.name}.jpg"
    page = side_by_side(tiles, titles, below=exhibit.below)
    for quality in range(84, 20, -4):
        page.save(path, quality=quality)
        if path.stat().st_size <= LIMIT:
            break
    return path


def entry(exhibit: DataExhibit) -> str:
    """What stands in RESULTS.md: the commands and the picture."""
    typed = exhibit.typed("onnx").replace("crosslens ", "$ crosslens ")
    return f"```console\n{typed}\n```\n\n![{exhibit.caption}](pictures/data_{exhibit.name}.jpg)"


def main() -> None:
    exhibits, backends, fresh = chosen("benchmarks.gallery.data", __doc__, EXHIBITS)
    for exhibit in exhibits:
        made(exhibit, backends, fresh=fresh)
        print(hung(exhibit, backends), entry(exhibit), sep="\n\n", end="\n\n")


if __name__ == "__main__":
    main()
