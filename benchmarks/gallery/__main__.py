"""Attribution sheets: every method that gives a map, on one network, for a photograph; a sheet for each family.

`python -m benchmarks.gallery cat espresso rocket` shows the ONNX file's maps. With `--backends torch keras onnx` the
last one's are shown, and below each stands how far the frameworks' raw values lie apart. What an earlier run has
finished is taken from out/gallery; `--fresh` computes all anew.
"""

import argparse
import shutil
from pathlib import Path

import crosslens

from .cells import KEPT, computed, family, kept, read, spread
from .page import Tile, grid
from .photographs import SUBJECTS
from .rows import rows, settings

BACKENDS = ("torch", "keras", "onnx")
PICTURES = Path(__file__).parents[1] / "pictures"


def fill_column(backend: str, names: list[str], subject: str) -> None:
    """Compute what is missing of one framework."""
    missing = [name for name in names if not kept(name, backend, subject).exists()]
    model = crosslens.wrap(f"demo:lite0_{backend}") if missing else None
    for name in missing:
        computed(name, model, SUBJECTS[subject], kept(name, backend, subject))


def tile(name: str, subject: str, backends: list[str]) -> Tile:
    cells = [read(kept(name, backend, subject)) for backend in backends]
    distance = f"{' and '.join(backends)} differ by {spread(cells):.0e}" if len(cells) > 1 else ""
    small = ", ".join(filter(None, [settings(name), distance]))
    return Tile(cells[-1].picture, name, small)


def write_sheets(subject: str, names: list[str], backends: list[str]) -> list[Path]:
    """One sheet per family of methods."""
    paths = []
    for each in dict.fromkeys(family(name) for name in names):
        title = f"{each}: what speaks for '{SUBJECTS[subject].target}' (EfficientNet-Lite0, {backends[-1]})"
        sheet = grid([tile(name, subject, backends) for name in names if family(name) == each], title)
        paths.append(PICTURES / f"attribution_{subject}_{each}.jpg")
        sheet.save(paths[-1], quality=80)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("subjects", nargs="+", choices=[*SUBJECTS], help="photographs")
    parser.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=["onnx"], help="the last one's maps are shown"
    )
    parser.add_argument("--fresh", action="store_true", help="compute all anew")
    chosen = parser.parse_args()
    names = rows()
    if chosen.fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    for subject in chosen.subjects:
        for backend in chosen.backends:
            fill_column(backend, names, subject)
        print(*write_sheets(subject, names, chosen.backends), sep="\n")


if __name__ == "__main__":
    main()
