"""Peak memory of methods that ask a network many times, as the number of samples grows: EfficientNet-Lite0, 224 px.

`python -m benchmarks.peak_memory torch` (Linux only: the peak is the kernel's, reset between runs).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import crosslens
import numpy as np

SAMPLES: Mapping[str, str] = {"smooth_grad": "samples", "integrated_gradients": "steps", "rise": "samples"}
"""Methods, with the parameter that says how often the network is asked."""
COUNTS = (8, 32, 128)
TARGET = 281


def peak(call: Any) -> float:
    """MiB that the process holds at most while it makes the call."""
    Path("/proc/self/clear_refs").write_text("5")
    call()
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print a line for each method: the peak at each number of samples, after one call that allocates what stays."""
    backend = sys.argv[1]
    model = crosslens.wrap(f"demo:lite0_{backend}")
    image = np.random.default_rng(0).random((1, *model.input.example_shape), np.float32)
    print("| method | backend |", " | ".join(f"{count} samples" for count in COUNTS), "|")
    print("|--" * (2 + len(COUNTS)) + "|")
    for name, parameter in SAMPLES.items():
        calls = [crosslens.method(name, **{parameter: count}) for count in (COUNTS[0], *COUNTS)]
        found = [peak(lambda method=method: method(model, image, target=TARGET)) for method in calls][1:]
        print(f"| `{name}` | {backend} |", " | ".join(f"{mib:.0f} MiB" for mib in found), "|", flush=True)


if __name__ == "__main__":
    main()
