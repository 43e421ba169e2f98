"""Folders of data and small networks for exhibits, made by commands that anyone can run.

`python -m benchmarks.gallery.folders` makes all that are missing in out/data; name some for those only.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from ..stained_glass import stained_glass
from .photographs import photograph

__all__ = ["FOLDERS", "Folder"]

PLACE = Path(__file__).parents[2] / "out" / "data"
PHOTOGRAPHS = (
    "astronaut.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "brick.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
    "motorcycle_left.png", "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
"""What scikit-image ships."""
FEW = {"digits": 625, "more": 2_500}
"""Digits in the files of `few_digits`."""
FOOLBOX = 20
"""ImageNet's pictures that foolbox ships."""


@dataclass(frozen=True)
class Folder:
    """A folder, and what fills a new one."""

    name: str
    fill: Callable[[Path], None]

    @property
    def path(self) -> Path:
        return PLACE / self.name

    def make(self) -> None:
        """Fill it, unless it is there; cut off, leave nothing."""
        if self.path.exists():
            return
        PLACE.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=PLACE) as new:
            print(f"making {self.path}", flush=True)
            self.fill(Path(new) / self.name)
            (Path(new) / self.name).rename(self.path)


def _module(name: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", name, str(folder)], check=True)

    return run


def _shapes(folder: Path) -> None:
    subprocess.run([Path(sys.executable).with_name("crosslens"), "shapes", "-o", str(folder)], check=True)


def _photographs(folder: Path) -> None:
    """The photographs of scikit-image, and ImageNet's of foolbox."""
    folder.mkdir()
    others = sorted(photograph("", "foolbox", "foolbox").glob("imagenet_*"))
    assert len(others) == FOOLBOX, others
    for path in [*map(photograph, PHOTOGRAPHS), *others]:
        shutil.copy(path, folder)


def _free_photographs(folder: Path) -> None:
    """Photographs whose licence lets a picture of them be committed: scikit-image's, and scikit-learn's."""
    folder.mkdir()
    ours = [photograph(name) for name in PHOTOGRAPHS if name != "motorcycle_right.png"]
    others = photograph("", "sklearn", "scikit-learn").parent / "datasets" / "images"
    for path in [*ours, others / "china.jpg", others / "flower.jpg"]:
        shutil.copy(path, folder)


def _few_digits(folder: Path) -> None:
    """The first of MNIST's test digits, so few that each can be seen in a picture of all."""
    FOLDERS["mnist"].make()
    raw = [(FOLDERS["mnist"].path / f"t10k-{name}-ubyte").read_bytes() for name in ("images-idx3", "labels-idx1")]
    images = np.frombuffer(raw[0], np.uint8, offset=16).reshape(-1, 1, 28, 28)
    folder.mkdir()
    labels = np.frombuffer(raw[1], np.uint8, offset=8)
    for name, count in FEW.items():
        np.savez(folder / f"{name}.npz", images=images[:count], labels=labels[:count])


def _single_digits(folder: Path) -> None:
    """The first twenty of MNIST's test digits, a file each, its class in the name."""
    FOLDERS["few_digits"].make()
    folder.mkdir()
    with np.load(FOLDERS["few_digits"].path / "digits.npz") as held:
        for n, (image, label) in enumerate(zip(held["images"][:20], held["labels"][:20], strict=True)):
            Image.fromarray(image[0]).save(folder / f"{n:02d}_is_{label}.png")


def _styles(folder: Path) -> None:
    """Two pictures whose styles may be passed on."""
    folder.mkdir()
    shutil.copy(photograph("ihc.png"), folder / "tissue.png")
    stained_glass().save(folder / "glass.png")


FOLDERS = {
    folder.name: folder
    for folder in (
        Folder("mnist", _module("benchmarks.digits")),
        Folder("few_digits", _few_digits),
        Folder("single_digits", _single_digits),
        Folder("photographs", _photographs),
        Folder("free_photographs", _free_photographs),
        Folder("styles", _styles),
        Folder("style_networks", _module("benchmarks.style_networks")),
        Folder("shapes", _shapes),
        Folder("shapes_network", _module("benchmarks.shapes_network")),
        Folder("priors", _module("benchmarks.priors")),
    )
}


def main() -> None:
    for name in sys.argv[1:] or FOLDERS:
        FOLDERS[name].make()
        print(FOLDERS[name].path)


if __name__ == "__main__":
    main()
