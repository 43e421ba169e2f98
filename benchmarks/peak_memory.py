"""Peak memory of methods that ask a network many times, as the number of samples grows: EfficientNet-Lite0, 224 px.

`python -m benchmarks.peak_memory torch` measures each method at each number of samples in a process of its own, so that
none finds memory that another one left (Linux only: the peak is the kernel's, reset once the network is open).
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import crosslens
import numpy as np

SAMPLES: Mapping[str, str] = {
    "smooth_grad": "samples",
    "integrated_gradients": "steps",
    "expected_gradients": "samples",
    "rise": "samples",
}
"""Methods, with the parameter that says how often the network is asked."""
COUNTS = (8, 40, 120)
TARGET = 281


def held(field: str) -> float:
    """MiB that this process holds now (VmRSS), or has held at most (VmHWM)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def measured(backend: str, name: str, count: int) -> str:
    """MiB at most in one call, and when the network was open and had run once."""
    model = crosslens.wrap(f"demo:lite0_{backend}")
    image = np.random.default_rng(0).random((1, *model.input.example_shape), np.float32)
    model.forward(image)
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    crosslens.method(name, **{SAMPLES[name]: count})(model, image, target=TARGET)
    return f"{held('VmHWM'):.0f} {before:.0f}"


def main() -> None:
    """Print a line for each method: the peak at each number of samples, in MiB."""
    backend, *only = sys.argv[1:]
    if len(only) == 2 and only[1].isdigit():
        print(measured(backend, only[0], int(only[1])))
        return
    print("| method | backend | open |", " | ".join(f"{count} samples" for count in COUNTS), "|")
    print("|--" * (3 + len(COUNTS)) + "|")
    for name in only or SAMPLES:
        found = [_apart(backend, name, count) for count in COUNTS]
        print(f"| `{name}` | {backend} | {found[0][1]} |", " | ".join(peak for peak, _ in found), "|", flush=True)


def _apart(backend: str, name: str, count: int) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.peak_memory", backend, name, str(count)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[-2].split()


if __name__ == "__main__":
    main()
