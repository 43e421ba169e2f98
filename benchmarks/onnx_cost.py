"""What gradients on onnxruntime cost beside their time: opening a session, memory, two sessions against one, growth.

Each measurement of memory is a process of its own that loads one framework only. ResNet-50 at 224 px, batch 1, unless
another of `benchmarks.networks` is named.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

MEBIBYTE = 1 << 10
"""Kibibytes, in which Linux counts a process's memory."""


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEBIBYTE


def resident() -> float:
    """The memory that this process holds now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def measure_onnx(file: str) -> None:
    """Opening, the pair of sessions against the fused one, and a hundred gradients in a row."""
    import crosslens
    import numpy as np
    from crosslens.model import OUTPUT

    from .paired import in_turns

    before = peak()
    model = crosslens.wrap(file, preprocess="imagenet")
    image = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    seed = {OUTPUT: np.eye(1, 1000, 281, dtype=np.float32)}
    _ = model.layers
    start = perf_counter()
    model.vjp(image, seed)
    first = perf_counter() - start
    start = perf_counter()
    model.vjp(image, seed)
    opening = first - (perf_counter() - start)
    print(f"peak memory of a gradient: {peak():.0f} MiB, {peak() - before:.0f} above the imports")

    def pair() -> object:
        with model.linearize(image, [OUTPUT]) as at:
            return at.vjp(seed)

    timing = in_turns({"vjp": lambda: model.vjp(image, seed), "linearize": pair}, rounds=21)
    print(f"building and opening a gradient session: {opening:.2f} s")
    print(f"linearize over vjp: {timing.ratio('linearize', 'vjp'):.3f}")
    start_size = resident()
    for _ in range(100):
        model.vjp(image, seed)
    print(f"a hundred gradients later the process holds {resident() - start_size:+.1f} MiB")


def measure_torch(name: str) -> None:
    """The peak of the same step in torch eager."""
    import torch

    from .networks import networks

    before = peak()
    net = next(net for label, net in networks() if label == name).eval().requires_grad_(False)
    x = torch.rand(1, 3, 224, 224, requires_grad=True)
    for _ in range(3):
        torch.autograd.grad(net(x)[:, 281].sum(), x)
    print(f"torch eager's: {peak():.0f} MiB, {peak() - before:.0f} above the imports")


def export(name: str, file: str) -> None:
    """The network as a file."""
    import onnx

    from .networks import exported, networks

    onnx.save(exported(next(net for label, net in networks() if label == name).eval()), file)


def main() -> None:
    """Print the figures of the networks named on the command line."""
    if sys.argv[1:2] in (["onnx"], ["torch"], ["export"]):
        {"onnx": measure_onnx, "torch": measure_torch, "export": export}[sys.argv[1]](*sys.argv[2:])
        return
    for name in sys.argv[1:] or ["ResNet-50", "MobileNetV2", "VGG-16"]:
        print(f"\n{name}", flush=True)
        with TemporaryDirectory() as folder:
            file = str(Path(folder) / "net.onnx")
            for arguments in (["export", name, file], ["onnx", file], ["torch", name]):
                subprocess.run([sys.executable, "-m", "benchmarks.onnx_cost", *arguments], check=True)


if __name__ == "__main__":
    main()
