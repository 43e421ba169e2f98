"""The synthesis gallery: every method that makes pictures, from the command line, in three frameworks.

`python -m benchmarks.gallery.synthesis` runs what out/synthesis does not hold yet, so that a run that was cut off goes
on, and hangs one picture per exhibit into benchmarks/pictures; `--fresh` makes all anew. Name exhibits for some only;
with fewer `--backends` the picture stays in out/synthesis.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from .commands import BACKENDS, Cell, chosen, fitted, side_by_side
from .exhibits import EXHIBITS, Exhibit

ROOT = Path(__file__).parents[2]
KEPT, PICTURES = ROOT / "out" / "synthesis", ROOT / "benchmarks" / "pictures"
TILE = 320


def cell(exhibit: Exhibit, backend: str) -> Cell:
    """Where a framework's picture lies."""
    return Cell(KEPT / exhibit.name / f"{backend}.png", exhibit.typed(backend))


def make(exhibit: Exhibit, backend: str) -> None:
    """Run the command; one that is cut off leaves nothing."""
    cell(exhibit, backend).make(
        lambda folder: [["crosslens", *exhibit.command(backend, folder / "made.png")]], f"made{exhibit.shown}.png"
    )


def hung(exhibit: Exhibit, backends: Sequence[str]) -> Path:
    """The exhibit as one picture: what was given, then each backend's, with the processor time of its command."""
    tile = TILE * 4 // 3 if exhibit.wide else TILE
    cells = [cell(exhibit, backend) for backend in backends]
    titles = [f"{backend}, {each.processor:.0f} s" for backend, each in zip(backends, cells, strict=True)]
    tiles = [fitted(Image.open(each.path), tile, tile) for each in cells]
    if exhibit.given and not exhibit.wide:
        tiles, titles = [fitted_given(exhibit, tiles[0].size), *tiles], ["given", *titles]
    folder = PICTURES if tuple(backends) == BACKENDS else KEPT
    folder.mkdir(exist_ok=True)
    path = folder / f"synthesis_{exhibit.name}.jpg"
    side_by_side(tiles, titles).save(path, quality=84)
    return path


def fitted_given(exhibit: Exhibit, size: tuple[int, int]) -> Image.Image:
    """What was given, cut to the shape of what came out; a second picture in the corner."""
    first, *rest = (Image.open(path).convert("RGB") for path in exhibit.given)
    whole = ImageOps.fit(first, size, Image.Resampling.LANCZOS)
    for other in rest:
        small = ImageOps.expand(ImageOps.fit(other, (size[0] * 2 // 5, size[1] * 2 // 5)), 2, "white")
        whole.paste(small, (size[0] - small.width, size[1] - small.height))
    return whole


def main() -> None:
    exhibits, backends, fresh = chosen("benchmarks.gallery.synthesis", __doc__, EXHIBITS)
    for exhibit in exhibits:
        for backend in backends:
            if fresh or not cell(exhibit, backend).finished():
                make(exhibit, backend)
        print(hung(exhibit, backends))


if __name__ == "__main__":
    main()
