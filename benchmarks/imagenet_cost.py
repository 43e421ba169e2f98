"""What a sweep of ImageNet would cost, on paper: `python -m benchmarks.imagenet_cost [onnx|torch]`.

1,281,167 pictures, a ResNet-50 (random weights: the cost is the same), the top examples and the moments of all layers.
Measured here, on one thread: the forward pass, the sweep of 64 pictures, the decoding of JPEG files of ImageNet's usual
size, the size of a shard's states, and what the store takes to write and merge them. The rest is arithmetic, printed
with it. What one process does for all workers is what stays when there are more of them.
"""

import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import crosslens
from crosslens import OUTPUT
from crosslens.data import SHARD, ArraySource, Shard, Statistic, run_shard
from crosslens.execution.batching import forward_limit
from crosslens.execution.threads import computes_with
from crosslens.introspection.unit_layers import unit_layers
from crosslens.store.image_page import image_page
from crosslens.store.image_table import ImageTable
from crosslens.store.state_file import StoredStates, read_states, write_states
from PIL import Image
from skimage import data

from .networks.export import exported
from .networks.resnet import resnet50
from .paired import in_turns
from .results import machine
from .seeded_crops import SeededCrops
from .sweep import asked

PICTURES = 1_281_167
MEASURED = 64
ROUNDS = 5
WORKERS = (1, 16, 256)
USUAL = (375, 500)
"""Height and width of a usual picture of ImageNet."""


def opened(framework: str) -> Any:
    """ResNet-50 with weights drawn at random."""
    net = resnet50().eval()
    if framework == "torch":
        return crosslens.wrap(net, preprocess="imagenet", input_shape=(3, 224, 224))
    return crosslens.wrap(exported(net), preprocess="imagenet")


def rates(model: Any, statistics: Sequence[Statistic]) -> tuple[float, float]:
    """Images a second on one thread: of the forward pass, and of the sweep."""
    images, size = SeededCrops(MEASURED).read(0, MEASURED, model).images, forward_limit(model)

    def raw() -> None:
        for start in range(0, MEASURED, size):
            model.forward(images[start : start + size], [OUTPUT])

    whole, source = Shard(0, 0, MEASURED), ArraySource(images)
    with computes_with(model, 1):
        timing = in_turns({"raw": raw, "sweep": lambda: run_shard(model, source, statistics, whole)}, ROUNDS)
    return MEASURED / timing.median("raw"), MEASURED / timing.median("sweep")


def decoded(model: Any) -> tuple[float, float]:
    """Images a second of reading JPEG files of the usual size, and kilobytes of such a file."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Image.fromarray(data.astronaut()).resize(USUAL[::-1])
        buffer = io.BytesIO()
        whole.save(buffer, "JPEG", quality=95)
        for number in range(MEASURED):
            (Path(folder) / f"{number:03}.jpg").write_bytes(buffer.getvalue())
        source = crosslens.data(folder)
        return MEASURED / _seconds(lambda: source.read(0, MEASURED, model)), len(buffer.getvalue()) / 1000


def _seconds(work: Any) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return median(times)


def stored(model: Any, statistics: Sequence[Statistic]) -> dict[str, float]:
    """What the one process that keeps the store does for each shard: seconds, and megabytes of its files."""
    page = image_page(model)
    result = run_shard(model, SeededCrops(SHARD), (*statistics, page), Shard(0, 0, SHARD))
    states = StoredStates({number: result.states[each] for number, each in enumerate(statistics)})
    with tempfile.TemporaryDirectory() as folder:
        file, table = Path(folder) / "shard.npz", Path(folder) / "images"
        table.mkdir()

        def merge() -> None:
            again = read_states(file)
            for number, each in enumerate(statistics):
                each.merge(states.states[number], again.states[number])

        found = {
            "write": _seconds(lambda: write_states(file, states)),
            "merge": _seconds(merge),
            "thumbnails": _seconds(lambda: ImageTable(table, SeededCrops(SHARD), ()).write(page, result)),
            "states MB": file.stat().st_size / 1e6,
        }
        found["thumbnails MB"] = sum(each.stat().st_size for each in table.rglob("*") if each.is_file()) / 1e6
        return found


def main(framework: str = "onnx") -> None:
    """Print what was measured and what follows from it."""
    model = opened(framework)
    layers = unit_layers(model, ("all",))
    units = sum(int(model.layers[each].shape[1] or 0) for each in layers)
    top = crosslens.method("top_examples", layers=layers)
    statistics = asked(model, top, crosslens.method("unit_statistics", layers=layers, quantiles=(), bins=0))
    raw, swept = rates(model, statistics)
    read, kilobytes = decoded(model)
    kept = stored(model, statistics)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(f"{framework}, ResNet-50, {len(layers)} layers, {units} units; one thread; {machine()}")
    print(f"| forward pass | {raw:.1f} images/s |\n| sweep of all layers | {swept:.1f} images/s |")
    print(f"| decoding, JPEG {USUAL[1]} x {USUAL[0]}, {kilobytes:.0f} kB | {read:.0f} images/s |")
    print(f"| peak of a worker | {int(peak.split()[1]) / 1024:.0f} MiB |")
    for name, value in kept.items():
        print(f"| of a shard of {SHARD}: {name} | {value:.3f} |")
    count, serial = PICTURES / SHARD, kept["write"] + kept["merge"] + kept["thumbnails"]
    each = 1 / swept + 1 / read
    for workers in WORKERS:
        compute, keep = PICTURES * each / workers / 3600, count * serial / 3600
        print(f"| {workers} workers | {max(compute, keep):.2f} h | computing {compute:.2f} h, the store {keep:.2f} h |")
    print(f"| the store keeps up with | {each * SHARD / serial:.0f} workers |")
    print(f"| disk at the end | {(count * kept['thumbnails MB'] + kept['states MB']) / 1e3:.2f} GB |")


if __name__ == "__main__":
    main(*sys.argv[1:])
