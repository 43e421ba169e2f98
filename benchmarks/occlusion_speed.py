"""Occlusion by stages against whole images in the best batch, on onnxruntime, at 224 px with stride 8."""

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import crosslens
import numpy as np
from crosslens import incremental
from crosslens.model import OUTPUT, Model

from .networks import densenet121, efficientnet_b0, mobilenet_v2, resnet50, vgg16
from .networks.export import exported

NETWORKS: dict[str, Callable[[], Any]] = {
    "VGG-16": vgg16,
    "ResNet-50": resnet50,
    "DenseNet-121": densenet121,
    "MobileNetV2": mobilenet_v2,
    "EfficientNet-B0": efficientnet_b0,
}
WINDOWS, STRIDE, SIZE = (16, 32), 8, 224
BATCHES = (1, 8, 16)
WHOLE = 16
"""Images in a measurement of whole ones."""


def boxes(window: int) -> np.ndarray[Any, Any]:
    starts = range(0, SIZE - window + 1, STRIDE)
    return np.array([(y, y + window, x, x + window) for y in starts for x in starts])


def whole(model: Model, x: Any, cover: Any, batch: int) -> float:
    """Seconds per image."""
    start = perf_counter()
    for _ in incremental.occluded_plainly(model.forward, x, cover, boxes(16)[:WHOLE], batch):
        pass
    return (perf_counter() - start) / WHOLE


def by_stages(model: Model, x: Any, cover: Any, window: int) -> tuple[float, dict[int, Any]]:
    """Seconds per box over all of them, the first pass included; and what some of them gave."""
    start = perf_counter()
    found = {}
    for which, activations in model.occluded(x, cover, boxes(window)):
        found.update({place: activations[OUTPUT][row].copy() for row, place in enumerate(which) if place < WHOLE})
    return (perf_counter() - start) / len(boxes(window)), found


def main() -> None:
    """Print the table; arguments are names of networks, all if none is given."""
    print("| network | window | boxes | whole images ms (batch) | by stages ms | faster x | stages | same bits |")
    print("|--|--|--|--|--|--|--|--|")
    x = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    cover = np.full_like(x, 0.5)
    for name in sys.argv[1:] or NETWORKS:
        model = crosslens.wrap(exported(NETWORKS[name]()), preprocess="imagenet")
        for window in WINDOWS:
            print(row(name, model, x, cover, window), flush=True)


def row(name: str, model: Model, x: Any, cover: Any, window: int) -> str:
    list(model.occluded(x, cover, boxes(window)[:8]))
    times = {batch: [whole(model, x, cover, batch) for _ in range(2)][1] for batch in BATCHES}
    seconds, found = by_stages(model, x, cover, window)
    times = {batch: min(t, whole(model, x, cover, batch)) for batch, t in times.items()}
    best = min(times, key=times.__getitem__)
    forward = incremental.occluded_plainly(model.forward, x, cover, boxes(window)[:WHOLE], 8)
    expected = np.concatenate([activations[OUTPUT] for _, activations in forward])
    same = np.array_equal(expected, np.stack([found[place] for place in range(WHOLE)]))
    net = model._staged((SIZE, SIZE), (OUTPUT,))
    assert net is not None
    done = incremental._worth(net, *incremental._sizes(net, boxes(window)))
    plain = f"{1e3 * times[best]:.1f} ({best})"
    return (
        f"| {name} | {window} | {len(boxes(window))} | {plain} | {1e3 * seconds:.1f} | {times[best] / seconds:.2f} | "
        f"{done} of {len(net.stages)} | {'yes' if same else 'no'} |"
    )


if __name__ == "__main__":
    main()
