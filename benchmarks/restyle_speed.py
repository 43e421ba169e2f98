"""Pictures a second that style networks make in onnxruntime: python -m benchmarks.restyle_speed [write].

Random weights: they do not change the time. Beside it, in the same run, what the processor reaches in a product of
large matrices: FLOPs over that is the floor, as onnxruntime computes these convolutions directly.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
import onnxruntime
import torch
from crosslens.backends.torch.style.networks import build, read_weights
from crosslens.style_network.architecture import multiplications, weight_shapes
from crosslens.style_network.spec import StyleSpec
from crosslens.style_training.save import save_style_network

from .results import machine, put

SIZE, THREADS, ROUNDS, MATRIX = 512, 2, 7, 2048
SPECS = [StyleSpec(width=width) for width in (8, 16, 32)]


def main(write: bool) -> None:
    """Print the table, and put it into RESULTS.md."""
    pixels = np.random.default_rng(0).random((1, 3, SIZE, SIZE), dtype=np.float32)
    with TemporaryDirectory() as folder:
        runs = [_session(spec, Path(folder) / f"width{spec.width}.onnx", pixels) for spec in SPECS]
    product = _product()
    seconds: list[list[tuple[float, float]]] = [[] for _ in (*runs, product)]
    for _ in range(ROUNDS):
        for taken, run in zip(seconds, (*runs, product), strict=True):
            taken.append(_timed(run))
    peak = 2 * MATRIX**3 / min(wall for wall, _ in seconds.pop())
    lines = _table(seconds, peak)
    print(*lines, sep="\n")
    if write:
        put("restyle speed", lines)


def _session(spec: StyleSpec, path: Path, pixels: np.ndarray) -> Callable[[], object]:
    torch.manual_seed(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(save_style_network(spec, read_weights(build(spec)), path), options)
    session.run(None, {"image": pixels})
    return lambda: session.run(None, {"image": pixels})


def _product() -> Callable[[], object]:
    a, b = np.random.default_rng(0).random((2, MATRIX, MATRIX), dtype=np.float32)
    return lambda: a @ b


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    start, used = perf_counter(), process_time()
    run()
    return perf_counter() - start, process_time() - used


def _table(seconds: list[list[tuple[float, float]]], peak: float) -> list[str]:
    lines = [
        f"{SIZE} px, {THREADS} threads, best of {ROUNDS} rounds in turns; {machine()}; a product of two matrices of "
        f"{MATRIX} x {MATRIX}: {peak / 1e9:.0f} GFLOP/s.",
        "",
        "| width | weights | GFLOP | floor | seconds | of the floor | processor seconds | pictures a second |",
        "|--|--|--|--|--|--|--|--|",
    ]
    for spec, taken in zip(SPECS, seconds, strict=True):
        flops = 2 * multiplications(spec, SIZE, SIZE)
        wall, used = min(w for w, _ in taken), median(u for _, u in taken)
        weights = sum(int(np.prod(shape)) for shape in weight_shapes(spec).values())
        lines.append(
            f"| {spec.width} | {weights:,} | {flops / 1e9:.1f} | {flops / peak:.3f} s | {wall:.3f} | "
            f"x {wall * peak / flops:.2f} | {used:.2f} | {1 / wall:.1f} |"
        )
    return lines


if __name__ == "__main__":
    main("write" in sys.argv[1:])
