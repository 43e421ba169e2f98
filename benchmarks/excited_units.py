"""How far single units rise: neurons in the middle of a map, or a channel's mean, of layers chosen by number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import crosslens
import numpy as np
from crosslens.arrays import as_numpy
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.objective import Objective, channel, each, neuron, preactivation
from crosslens.synthesis.parameterisation import parameterisation

from .photographs import photographs
from .synthesis_speed import wrapped

__all__ = ["GOAL", "MEAN", "NEURON", "Unit", "risen", "starting_noise", "units"]

BLOCKS = (3, 6, 9, 12, 15)
"""Of Lite0, every third: their expanding convolutions, before the ReLU6, which would stop a channel at 6."""
CHANNELS = tuple(range(4))
"""Of each layer: picked by their number."""
GOAL = 10.0
SEEDS = range(5)


def starting_noise(size: tuple[int, int]) -> Any:
    """(5, 3, H, W): the nearly grey pictures from which runs with these seeds start."""
    pixels = parameterisation("fourier", size)
    return np.concatenate([pixels.image.apply(pixels.noise(1, np.random.default_rng(seed))) for seed in SEEDS])


@dataclass(frozen=True)
class Unit:
    """What of a channel is maximised, and what a ReLU without a ceiling would pass on of it."""

    objective: Callable[[Any, str, int], Objective]
    response: Callable[[Any], Any]
    """From maps max(z, 0), (N, C, H, W), to (N, C)."""


def middle(model: Any, layer: str, k: int) -> Objective:
    """The neuron in the middle of a channel."""
    height, width = model.layer(layer).shape[2:]
    return neuron(layer, k, height // 2, width // 2)


NEURON = Unit(middle, lambda maps: maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2])
MEAN = Unit(lambda model, layer, k: channel(layer, k), lambda maps: maps.mean(axis=(2, 3)))


def rectified(model: Any, layer: str, images: Any) -> Any:
    """max(z, 0), (N, C, H, W)."""
    return np.maximum(as_numpy(model.forward(images, [layer])[layer]), 0)


def layers_of_channels() -> Iterator[tuple[str, Any, str]]:
    """The network's name, the network, and a layer before its rectifier."""
    lite = crosslens.wrap("demo:lite0_onnx")
    yield from (("Lite0", lite, f"blocks.{block}.bn0") for block in BLOCKS)
    vgg = wrapped("onnx", 96)[0]
    yield from (("VGG16", vgg, preactivation(vgg, name)) for name in last_of_scales(vgg, photographs((96, 96))[:1]))


def risen(unit: Unit, model: Any, layer: str, chosen: Sequence[int] = CHANNELS, **settings: Any) -> tuple[Any, Any]:
    """Of these channels: the median over the starting pictures, and at each channel's own picture."""
    method = crosslens.method("activation_maximisation", **settings)
    made = method(model, None, each([unit.objective(model, layer, k) for k in chosen])).images
    before = unit.response(rectified(model, layer, starting_noise(model.input.size)))
    after = unit.response(rectified(model, layer, made))
    return np.median(before, axis=0)[list(chosen)], after[range(len(chosen)), list(chosen)]


def units(unit: Unit, name: str) -> Iterator[str]:
    """A line for each layer."""
    yield "| layer | noise | photographs, the highest | picture | over noise | ten-fold or more |"
    yield "|--|--|--|--|--|--|"
    total = reached = 0
    for network, model, layer in layers_of_channels():
        row, times = row_of_units(unit, network, model, layer)
        total, reached = total + len(times), reached + int((times >= GOAL).sum())
        yield row
    yield ""
    yield f"{reached} of {total} {name} rise {GOAL:g}-fold or more."


def row_of_units(unit: Unit, network: str, model: Any, layer: str) -> tuple[str, Any]:
    """A line of the table, and how many times as high each channel got."""
    before, after = risen(unit, model, layer)
    maps = rectified(model, layer, photographs(model.input.size))[:, list(CHANNELS)]
    seen = (maps if unit is MEAN else maps.max(axis=(2, 3), keepdims=True)).mean(axis=(2, 3)).max(axis=0)
    return line_of_units(network, layer, before, seen, after)


def line_of_units(network: str, layer: str, before: Any, seen: Any, after: Any) -> tuple[str, Any]:
    """The figures as a line."""
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.nan_to_num(after / before, nan=0.0, posinf=np.inf)
    return (
        f"| {network}, `{layer}` | {spread(before)} | {spread(seen)} | {spread(after)} | {folds(times)} | "
        f"{(times >= GOAL).sum()} of {len(times)} |"
    ), times


def folds(times: Any) -> str:
    """Each as a factor."""
    return ", ".join("from 0" if np.isinf(t) else f"x{t:.0f}" if t >= 9.5 else f"x{t:.1f}" for t in times)


def spread(values: Any) -> str:
    """Least to most."""
    return f"{min(values):.3g} to {max(values):.3g}"
