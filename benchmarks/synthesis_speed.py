"""Speed of synthesis: python -m benchmarks.synthesis_speed [style] [channel] [write], two threads, in turns.

`style`: style transfer with Adam on VGG16's trunk, beside the loop written by hand in `style_by_hand`: the same layers,
weights, start and steps. `channel`: feature visualisation, beside torch-lucent 0.1.8 with its own settings; this needs
the environment of `make parity`. `write`: the tables into RESULTS.md as well.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from statistics import median
from time import perf_counter, sleep
from types import ModuleType
from typing import Any, TypeAlias

import crosslens
import numpy as np
import torch
from crosslens.arrays import as_numpy
from crosslens.backends.zoo import torch_nets
from crosslens.introspection.layer_scales import rectified_scales
from crosslens.model.preprocessing import PRESETS
from crosslens.objective import channel
from torch import nn

from .networks import exported
from .paired import PAUSE, Timing
from .results import put
from .style_by_hand import Losses, style_transfer

CONTENT, STYLES = "block4_relu2", tuple(f"block{n}_relu1" for n in range(1, 6))
"""The paper's: conv4_2, and conv1_1 to conv5_1."""
WEIGHTS = {"content_weight": 1.0, "style_weight": 3000.0}
RATE = 0.02
Told: TypeAlias = Callable[[Callable[[], None]], object]
"""A call that calls back after each of its steps."""


def photograph(name: str, size: int) -> Any:
    """(1, 3, size, size), the middle of one that scikit-image ships."""
    from PIL import Image
    from skimage import data

    return crosslens.load_image(Image.fromarray(getattr(data, name)()), size=(size, size))


class Prepared(nn.Module):
    """An image in [0, 1] as a network wants it."""

    def __init__(self, preset: str) -> None:
        super().__init__()
        self.preset = PRESETS[preset]
        gain, offset = (torch.from_numpy(values)[:, None, None] for values in self.preset.affine(3))
        self.gain, self.offset = gain, offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W)."""
        return self.offset + self.gain * (x.flip(1) if self.preset.reverses else x)


def trunk(*, prepared: bool = True) -> nn.Sequential:
    """The demo's VGG16 up to the last style layer, weights frozen, for images in [0, 1] where it is `prepared`."""
    net = nn.Sequential()
    if prepared:
        net.add_module("prepared", Prepared("caffe"))
    for name, part in torch_nets.vgg16().named_children():
        net.add_module(name, part)
        if name == STYLES[-1]:
            break
    return net.eval().requires_grad_(False)


def wrapped(backend: str, size: int) -> tuple[Any, str, tuple[str, ...]]:
    """The trunk in a backend, and its names of the content layer and the style layers."""
    net = trunk(prepared=False)
    if backend == "torch":
        return crosslens.wrap(net, preprocess="caffe", input_shape=(3, size, size)), CONTENT, STYLES
    model = crosslens.wrap(exported(net, "legacy", (3, size, size)), preprocess="caffe")
    scales = rectified_scales(model, photograph("astronaut", size))
    return model, scales[3][1], tuple(names[0] for names in scales)


def styled(size: int, steps: int) -> Iterator[tuple[str, Told]]:
    """By name, a call that makes this many steps and calls back after each."""
    content, style = photograph("astronaut", size), photograph("coffee", size)
    net = trunk()

    def by_hand(told: Callable[[], None]) -> None:
        losses = Losses(net, torch.from_numpy(content), torch.from_numpy(style), CONTENT, STYLES)
        style_transfer(losses, torch.from_numpy(content), steps, RATE, **WEIGHTS, told=told)

    yield "by hand", by_hand
    for backend in ("torch", "onnx"):
        model, of_content, of_style = wrapped(backend, size)
        method = adam(steps, style, of_content, of_style)
        yield backend, lambda told, model=model, method=method: method(model, content, progress=lambda *_: told())


def adam(steps: int, style: Any, of_content: str, of_style: tuple[str, ...]) -> Any:
    """The method with what the loop by hand has."""
    settings = {"optimiser": "adam", "learning_rate": RATE, "steps": steps, **WEIGHTS}
    return crosslens.method(
        "style_transfer", style=style[0], content_layer=of_content, style_layers=of_style, **settings
    )


def seconds(call: Told) -> tuple[float, list[float]]:
    """Of what comes before the first step, and of each later step."""
    stamps = [perf_counter()]
    call(lambda: stamps.append(perf_counter()))
    each = [after - before for before, after in pairwise(stamps[1:])]
    return stamps[1] - stamps[0] - median(each), each


def in_turns(calls: Mapping[str, Told], rounds: int) -> tuple[Timing, Mapping[str, list[float]]]:
    """The median step of each call, round by round, and what came before its first step."""
    names = list(calls)
    steps: dict[str, list[float]] = {name: [] for name in names}
    before: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            sleep(PAUSE)
            ahead, each = seconds(calls[name])
            steps[name].append(median(each))
            before[name].append(ahead)
    return Timing(steps), before


def style_table(sizes: tuple[int, ...], rounds: int) -> Iterator[str]:
    yield "| pixels | torch by hand, ms a step | crosslens on torch | faster x | onnxruntime | x | before the steps |"
    yield "|--|--|--|--|--|--|--|"
    for size in sizes:
        calls = dict(styled(size, 5 if size <= 256 else 3))
        timing, before = in_turns(calls, rounds)
        ms = {name: f"{1e3 * timing.median(name):.0f}" for name in calls}
        times = {name: f"{timing.ratio('by hand', name):.2f}" for name in calls}
        ahead = ", ".join(f"{before[name][-1]:.1f}" for name in calls)
        yield (
            f"| {size} | {ms['by hand']} | {ms['torch']} | {times['torch']} | {ms['onnx']} | {times['onnx']} "
            f"| {ahead} s |"
        )


LAYERS = ("blocks.5.relu1", "blocks.10.relu1", "relu1")
"""Of Lite0: in the middle of the network, later, and its last maps; the channel that varies most over the start."""
SEEN, STEPS = 24, 128
"""Steps that are timed in a turn, and those that a picture takes."""


def channel_table(rounds: int, layers: tuple[str, ...] = LAYERS) -> Iterator[str]:
    yield (
        f"| layer of Lite0 | torch-lucent, {STEPS} steps | its picture as large as ours | crosslens on torch | x "
        "| on onnxruntime | x |"
    )
    yield "|--|--|--|--|--|--|--|"
    net = torch_nets.lite0().requires_grad_(False)
    ours = {backend: crosslens.wrap(f"demo:lite0_{backend}") for backend in ("torch", "onnx")}
    noise = np.random.default_rng(0).random((1, 3, 224, 224), np.float32)
    for layer in layers:
        maps = as_numpy(ours["torch"].forward(0.5 + 0.02 * (noise - 0.5), [layer])[layer])
        index = int(maps.std(axis=(0, 2, 3)).argmax())
        calls = {"lucent": _by_lucent(net, layer, index), "large": _by_lucent(net, layer, index, 224)}
        for backend, model in ours.items():
            unit = channel(_alike(ours["torch"], layer, model, noise), index)
            method = crosslens.method("activation_maximisation", steps=SEEN)
            calls[backend] = lambda told, run=method, model=model, unit=unit: run(
                model, None, unit, progress=lambda *_: told()
            )
        timing, _ = in_turns(calls, rounds)
        s = {name: f"{STEPS * timing.median(name):.1f} s" for name in calls}
        x = {name: f"{timing.ratio('lucent', name):.2f}" for name in calls}
        yield f"| `{layer}` | {s['lucent']} | {s['large']} | {s['torch']} | {x['torch']} | {s['onnx']} | {x['onnx']} |"


def _alike(a: Any, layer: str, b: Any, x: Any) -> str:
    """The layer of `b` that holds what `layer` of `a` does."""
    wanted = as_numpy(a.forward(x, [layer])[layer])
    names = [name for name, found in b.layers.items() if tuple(found.shape[1:]) == wanted.shape[1:]]
    held = b.forward(x, names)
    return next(n for n in reversed(names) if np.allclose(held[n], wanted, rtol=1e-2, atol=1e-3 * np.abs(wanted).max()))


class Normalised:
    """torchvision's Normalize, which torch-lucent calls, with its definition."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (mean, std))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


def _by_lucent(net: nn.Module, layer: str, index: int, size: int = 128) -> Told:
    """Lucent's `render_vis` with its defaults, on weights that ask for no gradient, which it would compute in vain.

    It has no callback, so steps are seen where the network begins.
    """
    from .parity import stand_ins

    stand_ins.install()
    sys.modules["torchvision.transforms"].Normalize = Normalised  # type: ignore[attr-defined]
    for name in ("IPython", "IPython.display"):  # what shows pictures in a notebook
        sys.modules.setdefault(name, ModuleType(name))
    sys.modules["IPython"].display = sys.modules["IPython.display"]  # type: ignore[attr-defined]
    from lucent.optvis import param, render  # type: ignore[import-not-found]

    unit = f"{layer.replace('.', '_')}:{index}"

    def call(told: Callable[[], None]) -> None:
        handle = net.register_forward_pre_hook(lambda *_: told())
        render.render_vis(net, unit, lambda: param.image(size), thresholds=(SEEN,), show_image=False, progress=False)
        handle.remove()

    return call


def shown(name: str, lines: Iterator[str], *, write: bool) -> None:
    """Print a table line by line, and put it between its marks in RESULTS.md where that is asked for."""
    table = []
    for line in lines:
        print(line, flush=True)
        table.append(line)
    if write:
        put(name, table)


def main(words: list[str]) -> None:
    """Print the tables that are named, that of style transfer if none is; a number is how many rounds, 256px a size."""
    print(f"{torch.get_num_threads()} threads each; medians of runs in turns; above 1: crosslens is faster\n")
    rounds = [int(word) for word in words if word.isdigit()] or [2]
    sizes = tuple(int(word[:-2]) for word in words if word.endswith("px")) or (256, 512)
    if "channel" in words:
        shown("speed of channels", channel_table(rounds[0]), write="write" in words)
    if "style" in words or "channel" not in words:
        shown("speed of styles", style_table(sizes, rounds[0]), write="write" in words)


if __name__ == "__main__":
    main(sys.argv[1:])
