"""How soon ten fooling images of a digit network are sure, by encoding, framework and seed.

`python -m benchmarks.fooling_images FOLDER` takes the digit network that `python -m benchmarks.digit_network FOLDER`
writes, and prints a table: generations, and seconds of processor time, until the least of ten confidences is 0.99.
"""

import sys
from pathlib import Path
from statistics import median
from time import process_time

import crosslens
import numpy as np

from .results import machine

BACKENDS = {"torch": "digits.pt2", "keras": "digits.keras", "onnx": "digits.onnx"}
SEEDS = {"cppn": range(5), "direct": range(3), "gradient": range(3)}
SURE = 0.99


def first_sure(encoding: str, model: crosslens.Model, seed: int) -> tuple[int, float]:
    """The generation after which every class has this confidence, and the processor time until then."""
    marks, began = [], process_time()
    method = crosslens.method("fooling_image", encoding=encoding, seed=seed, steps=400, confidence=SURE)
    result = method(model, progress=lambda done, total, what: marks.append(process_time() - began))
    assert float(np.asarray(result.history)[-1].min()) >= SURE
    return len(result.history), marks[-1]


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1])
    print(machine())
    print("| encoding | framework | generations, by seed | processor time, median (most) |\n|--|--|--|--|")
    for backend, name in BACKENDS.items():
        model = crosslens.wrap(folder / name)
        first_sure("gradient", model, 0)  # so that nothing is compiled while time is taken
        for encoding, seeds in SEEDS.items():
            found = [first_sure(encoding, model, seed) for seed in seeds]
            generations, seconds = ([each[n] for each in found] for n in range(2))
            listed = ", ".join(map(str, generations))
            print(f"| {encoding} | {backend} | {listed} | {median(seconds):.1f} s ({max(seconds):.1f} s) |", flush=True)


if __name__ == "__main__":
    main()
