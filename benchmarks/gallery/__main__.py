"""Attribution sheets: every method that gives a map, on one network in three frameworks, for a photograph.

`python -m benchmarks.gallery cat espresso dog`. What an earlier run has finished is taken from out/gallery; `--fresh`
computes all anew. With fewer `--backends` the sheet stays in out/gallery.
"""

import argparse
import shutil
from pathlib import Path

import crosslens

from .cells import KEPT, computed, kept, read, spread, thumbnail
from .page import TILE, Page, Row
from .photographs import SUBJECTS
from .rows import rows, settings

BACKENDS = ("torch", "keras", "onnx")
PICTURES = Path(__file__).parents[1] / "pictures"


def fill_column(backend: str, names: list[str], subject: str) -> None:
    """Compute what is missing of one column."""
    missing = [name for name in names if not kept(name, backend, subject).exists()]
    model = crosslens.wrap(f"demo:lite0_{backend}") if missing else None
    for name in missing:
        computed(name, model, SUBJECTS[subject], kept(name, backend, subject))


def row(name: str, backends: list[str], subject: str) -> Row:
    cells = [read(kept(name, backend, subject)) for backend in backends]
    figure = f"{spread(cells):.0e}" if len(cells) > 1 else ""
    return Row(name, [thumbnail(cell, SUBJECTS[subject], TILE) for cell in cells], settings(name), figure)


def written(subject: str, names: list[str], backends: list[str]) -> Path:
    """The sheet of one photograph, drawn and saved."""
    whole = tuple(backends) == BACKENDS
    title = f"EfficientNet-Lite0, what speaks for '{SUBJECTS[subject].target}'"
    title += "; at the right the largest difference between raw values, over the largest value" * whole
    page = Page(list(backends), title, blocks=2 if whole else 4, tile=TILE if whole else 2 * TILE)
    path = PICTURES / f"attribution_{subject}.jpg" if whole else KEPT / f"{subject}-{'-'.join(backends)}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.drawn([row(name, backends, subject) for name in names]).save(path, quality=82)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("subjects", nargs="+", choices=[*SUBJECTS], help="photographs")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--fresh", action="store_true", help="compute all anew")
    chosen = parser.parse_args()
    names = rows()
    if chosen.fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    for subject in chosen.subjects:
        for backend in chosen.backends:
            fill_column(backend, names, subject)
        print(written(subject, names, chosen.backends))


if __name__ == "__main__":
    main()
