"""What a sweep over a data set costs: beside the raw forward pass, in memory, and by the number of workers.

`python -m benchmarks.sweep throughput onnx 1` (or torch, and 1 or 2 threads): images a second of EfficientNet-Lite0
(224 px) alone and with what is gathered, in turns within one run; likewise `throughput FOLDER/digits.onnx 1` for the
small network of `benchmarks.digits`. `decoding onnx` reads JPEG files beside. `memory torch 20000` is the peak of one
process, `workers onnx` one worker against two, `overlap FOLDER` the top 20 examples in three frameworks.
`benchmarks.imagenet_cost` reckons from such rates what ImageNet costs.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import crosslens
import numpy as np
from crosslens import OUTPUT
from crosslens.data import (
    ArraySource,
    Batch,
    Shard,
    ShardJob,
    State,
    Statistic,
    TopPositions,
    replay,
    run_shard,
    shards,
    sweep,
)
from crosslens.execution.batching import forward_limit
from crosslens.execution.processes import Processes
from crosslens.execution.threads import computes_with
from crosslens.introspection.unit_layers import unit_layers
from crosslens.model.reduction import Reduction

from .digits import FILES, idx
from .paired import in_turns
from .results import machine
from .seeded_crops import SeededCrops

IMAGES = 64
DIGITS = 4096
ROUNDS = 9


def opened(network: str) -> Any:
    """Lite0 of a framework by its name, or the file of the small network."""
    if network in {"onnx", "torch", "keras"}:
        return crosslens.wrap(f"demo:lite0_{network}")
    return crosslens.wrap(network, preprocess=None)


def digits(network: str, count: int) -> Any:
    """The first pictures of MNIST beside the file of the network, (N, 1, 28, 28) in [0, 1]."""
    pictures = idx(Path(network).with_name(FILES[0]))[:count, None]
    return pictures.astype(np.float32) / 255


def asked(model: Any, *methods: Any) -> tuple[Statistic, ...]:
    """What the first round of these methods gathers."""
    source = _noise(model, 2)
    return tuple(dict.fromkeys(each for method in methods for each in replay(method, model, source, {})[1]))


def _noise(model: Any, count: int) -> ArraySource:
    rng = np.random.default_rng(0)
    return ArraySource(rng.random((count, *model.input.example_shape), np.float32))


def last_maps(model: Any, count: int = 3) -> tuple[str, ...]:
    """The last layers whose units have maps."""
    maps = [each for each in unit_layers(model, ("all",)) if len(model.layers[each].shape) == 4]
    return tuple(each for each in maps if (model.layers[each].shape[2] or 2) > 1)[-count:]


def plans(model: Any) -> Mapping[str, tuple[Statistic, ...]]:
    """What is gathered, by what it is called in the table."""
    last = last_maps(model)
    top = crosslens.method("top_examples", layers=last)
    moments = crosslens.method("unit_statistics", layers=last, quantiles=(), bins=0)
    rectified = unit_layers(model, ("rectified",))
    return {
        "top examples and moments of the last three layers": asked(model, top, moments),
        "maximum, sum, squares and zeros of all rectified layers": (FourReductions(rectified),),
        "unit_statistics of all rectified layers, moments alone": asked(
            model, crosslens.method("unit_statistics", layers=rectified, quantiles=(), bins=0)
        ),
    }


@dataclass(frozen=True)
class FourReductions(Statistic):
    """Maximum, sum, squares and zeros of each unit of these layers."""

    of: tuple[str, ...]

    @property
    def reductions(self) -> frozenset[Reduction]:
        return frozenset(Reduction(layer, kind) for layer in self.of for kind in ("max", "sum", "squares", "zeros"))

    def empty(self) -> State:
        return {}

    def add(self, state: State, batch: Batch) -> State:
        found: dict[str, Any] = {}
        for each, values in batch.reduced.items():
            whole = values.max(axis=0) if each.kind == "max" else values.sum(axis=0)
            found[f"{each.layer} {each.kind}"] = whole
        return self.merge(state, found)

    def merge(self, first: State, second: State) -> State:
        if not first or not second:
            return first or second
        return {
            name: np.maximum(first[name], second[name]) if name.endswith(" max") else first[name] + second[name]
            for name in first
        }


def throughput(network: str, threads: int) -> None:
    """Print images a second of the raw forward pass and of each plan, and their ratio."""
    model = opened(network)
    small = model.input.example_shape[-1] < 64
    count = DIGITS if small else IMAGES
    images = digits(network, count) if small else SeededCrops(count).read(0, count, model).images
    source, size = ArraySource(images), forward_limit(model)

    def raw() -> None:
        for start in range(0, count, size):
            model.forward(images[start : start + size], [OUTPUT])

    candidates: dict[str, Callable[[], object]] = {"raw": raw}
    for name, statistics in plans(model).items():
        candidates[name] = lambda statistics=statistics: run_shard(model, source, statistics, Shard(0, 0, count))
    with computes_with(model, threads) as actual:
        timing = in_turns(candidates, ROUNDS)
    print(f"{model.backend}, {actual} thread(s), batches of {size}, {count} images, {ROUNDS} turns; {machine()}")
    for name in candidates:
        share = f"{1 / timing.ratio(name, 'raw'):.1%} of raw" if name != "raw" else ""
        print(f"| {name} | {count / timing.median(name):.1f} images/s | {share} |", flush=True)


def decoding(network: str) -> None:
    """Print images a second of reading JPEG files alone, of the pass alone, and of both as a sweep overlaps them."""
    model = crosslens.wrap(f"demo:lite0_{network}")
    with tempfile.TemporaryDirectory() as folder:
        whole = SeededCrops(IMAGES, 256).read(0, IMAGES, model).images
        for number, picture in enumerate(whole):
            crosslens.save_image(picture, Path(folder) / f"{number:04}.jpg")
        files, arrays = crosslens.data(folder), ArraySource(SeededCrops(IMAGES).read(0, IMAGES, model).images)
        statistics = next(iter(plans(model).values()))
        shard = Shard(0, 0, IMAGES)
        with computes_with(model, 1):
            timing = in_turns(
                {
                    "decoding alone": lambda: files.read(0, IMAGES, model),
                    "the sweep of arrays": lambda: run_shard(model, arrays, statistics, shard),
                    "the sweep of files": lambda: run_shard(model, files, statistics, shard),
                },
                ROUNDS,
            )
    for name in timing.seconds:
        print(f"| {network}: {name} | {IMAGES / timing.median(name):.1f} images/s |", flush=True)


def memory(network: str, count: int) -> None:
    """Print the peak of this process in MiB after a sweep with a store over so many images, and its seconds."""
    model = crosslens.wrap(f"demo:lite0_{network}")
    last = last_maps(model)
    methods = [
        crosslens.method("top_examples", layers=last, shown=0),
        crosslens.method("unit_statistics", layers=last, quantiles=(), bins=0),
    ]
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        crosslens.sweep(model, SeededCrops(count), methods, store=Path(folder) / "store")
        size = sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(
        f"| {network}, {count} images | {int(peak.split()[1]) / 1024:.0f} MiB | store {size / 2**20:.1f} MiB | "
        f"{count / (perf_counter() - start):.1f} images/s |"
    )


def workers(network: str, count: int = 512) -> None:
    """Print the seconds of a sweep by one and by two workers of one thread, their start apart, in turns."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for number, found in seconds.items():
            found.append(_steady(network, count, number))
    one, two = (median(seconds[number]) for number in (1, 2))
    print(f"| {network}, {count} images | one {one:.1f} s | two {two:.1f} s | {one / two:.2f} x | {machine()} |")


def _steady(network: str, count: int, number: int) -> float:
    """Seconds from the first shard that is finished to the last, as if all were done in that rhythm."""
    model = crosslens.wrap(f"demo:lite0_{network}")
    job = ShardJob(model, SeededCrops(count), next(iter(plans(model).values())), 1)
    size = 16
    times = [perf_counter() for _ in Processes(number, 1).run(job, shards(count, size))]
    skipped = 2 * number
    return (times[-1] - times[skipped]) * len(times) / (len(times) - 1 - skipped)


def overlap(folder: str, count: int = 20) -> None:
    """Print how far the top examples of all units of the last layers agree between three frameworks."""
    found: dict[str, Any] = {}
    for network in ("onnx", "torch", "keras"):
        model = crosslens.wrap(f"demo:lite0_{network}")
        statistic = TopPositions(last_maps(model, 1)[0], count)
        found[network] = _top(model, crosslens.data(folder), statistic)
    for other in ("torch", "keras"):
        print(f"| onnx against {other} |", _agreement(found["onnx"], found[other]), flush=True)


def _top(model: Any, source: Any, statistic: Statistic) -> Any:
    class Names:
        def statistics(self, model: Any, source: Any, gathered: Any = None) -> Sequence[Statistic]:
            return [statistic]

    return sweep(model, source, [Names()], threads=1).states[statistic]


def _agreement(first: Any, second: Any) -> str:
    """The mean share of common images, and how near to the last value those are that only one of both has."""
    shares, gaps = [], [0.0]
    for unit in range(len(first["image"])):
        one, two = first["image"][unit], second["image"][unit]
        shares.append(len(set(one) & set(two)) / len(one))
        last = first["value"][unit][-1]
        gaps += [
            abs(value - last) / max(abs(last), 1e-6)
            for value, image in zip(first["value"][unit], one, strict=True)
            if image not in two
        ]
    return f"{np.mean(shares):.2%} in common, {len(shares)} units; the others within {max(gaps):.1e} of the last |"


COMMANDS: Mapping[str, Callable[..., None]] = {
    "throughput": lambda network, threads="1": throughput(network, int(threads)),
    "decoding": decoding,
    "memory": lambda network, count: memory(network, int(count)),
    "workers": workers,
    "overlap": overlap,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
