"""Occlusion by stages against whole images in the best batch, on torch or onnxruntime, at 224 px with stride 8.

`python -m benchmarks.occlusion_speed torch ResNet-50 VGG-16` measures these networks on this backend, at every
box; with `--every 4`, at each fourth only. `--processor` counts the processor's seconds, for a machine that does other
things too; with one thread (OMP_NUM_THREADS=1) these are the seconds of a quiet one.
"""

import argparse
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any

import crosslens
import numpy as np
from crosslens.backends.zoo import torch_nets
from crosslens.model import OUTPUT, Model
from crosslens.occlusion import engine, occluded

from .networks import densenet121, efficientnet_b0, mobilenet_v2, resnet50, vgg16
from .networks.export import exported

NETWORKS: dict[str, Callable[[], Any]] = {
    "VGG-16": vgg16,
    "ResNet-50": resnet50,
    "DenseNet-121": densenet121,
    "EfficientNet-Lite0": torch_nets.lite0,
    "MobileNetV2": mobilenet_v2,
    "EfficientNet-B0": efficientnet_b0,
}
clock = process_time if "--processor" in sys.argv else perf_counter
WINDOWS, STRIDE, SIZE = (16, 32), 8, 224
BATCHES = (1, 8, 16)
ROUNDS = 3
"""In turns; medians are shown."""
WHOLE = 16
"""Images in a measurement of whole ones."""


def boxes(window: int, every: int = 1) -> np.ndarray[Any, Any]:
    starts = range(0, SIZE - window + 1, STRIDE)
    return np.array([(y, y + window, x, x + window) for y in starts for x in starts])[::every]


def whole(model: Model, x: Any, cover: Any, batch: int) -> float:
    """Seconds per image."""
    start = clock()
    for _ in engine.by_whole_images(model.forward, x, cover, boxes(16)[:WHOLE], batch):
        pass
    return (clock() - start) / WHOLE


def by_stages(model: Model, x: Any, cover: Any, places: Any) -> tuple[float, dict[int, Any]]:
    """Seconds per box over all of them, the first pass included; and what some of them gave."""
    start = clock()
    found = {}
    for which, activations in occluded(model, x, cover, places):
        found.update({place: activations[OUTPUT][row].copy() for row, place in enumerate(which) if place < WHOLE})
    return (clock() - start) / len(places), found


def wrapped(backend: str, net: Any) -> Model:
    return crosslens.wrap(
        net if backend == "torch" else exported(net), preprocess="imagenet", input_shape=(3, SIZE, SIZE)
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("backend", choices=("torch", "onnx"))
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--window", type=int, nargs="*", default=WINDOWS)
    given = parser.parse_args()
    print("| network | window | boxes | whole images ms (batch) | by stages ms | faster x | way | off by |")
    print("|--|--|--|--|--|--|--|--|")
    x = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    cover = np.full_like(x, 0.5)
    for name in given.networks:
        start = clock()
        model = wrapped(given.backend, NETWORKS[name]().eval())
        for window in given.window:
            print(row(name, model, x, cover, boxes(window, given.every), window), flush=True)
        print(f"({clock() - start:.0f} s)", flush=True)


def row(name: str, model: Model, x: Any, cover: Any, places: Any, window: int) -> str:
    list(occluded(model, x, cover, places[:8]))
    way = occluded(model, x, cover, places).strategy.partition(" computed")[0]
    turns: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    staged: list[float] = []
    for batch in BATCHES:
        whole(model, x, cover, batch)
    for _ in range(ROUNDS):
        for batch in BATCHES:
            turns[batch].append(whole(model, x, cover, batch))
        seconds, found = by_stages(model, x, cover, places)
        staged.append(seconds)
    times, seconds = {batch: median(each) for batch, each in turns.items()}, median(staged)
    best = min(times, key=times.__getitem__)
    forward = engine.by_whole_images(model.forward, x, cover, places[:WHOLE], 8)
    expected = np.concatenate([activations[OUTPUT] for _, activations in forward])
    off = np.abs(expected - np.stack([found[place] for place in range(WHOLE)])).max() / np.abs(expected).max()
    plain = f"{1e3 * times[best]:.1f} ({best})"
    return (
        f"| {name} | {window} | {len(places)} | {plain} | {1e3 * seconds:.1f} | {times[best] / seconds:.2f} | "
        f"{way} | {'0' if off == 0 else f'{off:.0e}'} |"
    )


if __name__ == "__main__":
    main()
