"""What layouts cost: seconds of the clock and of the processor, trustworthiness and neighbourhood hit.

`python -m benchmarks.layouts FOLDER 2000 5000 10000`: t-SNE of so many of MNIST's training pictures, in the 64 features
that the last maps of the small network of `benchmarks.digits` give, which FOLDER holds; then their grid.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import crosslens
from crosslens.data import sweep
from crosslens.data.features import features_of
from crosslens.layouts import neighbourhood_hit, snapped, trustworthiness, tsne

from .digits import FILES, idx
from .results import machine

LAYER = "relu3"


def features(folder: Path, count: int) -> tuple[Any, Any]:
    """The rows (count, 64) of the first training pictures, and their labels."""
    pictures, labels = (idx(folder / name)[:count] for name in FILES[:2])
    model = crosslens.wrap(str(folder / "digits.onnx"), preprocess="none")
    gathered = sweep(model, crosslens.data(pictures[:, None]), [Rows(features_of(model, LAYER))])
    (state,) = gathered.states.values()
    return state["rows"], labels.astype(str)


class Rows:
    """Asks a sweep for one statistic."""

    def __init__(self, statistic: Any) -> None:
        self.statistic = statistic

    def statistics(self, model: Any, source: Any, gathered: Any = None) -> list[Any]:
        return [self.statistic]


def timed(work: Callable[..., Any], *values: Any) -> tuple[Any, str]:
    """What a function gives, and its seconds, those of the processor in brackets."""
    clock, processor = perf_counter(), process_time()
    result = work(*values)
    return result, f"{perf_counter() - clock:.1f} ({process_time() - processor:.1f})"


def main() -> None:
    folder, counts = Path(sys.argv[1]), [int(word) for word in sys.argv[2:]]
    rows, labels = features(folder, max(counts))
    print(machine(), "", "| rows | t-SNE by | t-SNE, s | trustworthiness | s | neighbourhood hit | grid, s |", sep="\n")
    print("|--|--|--|--|--|--|--|")
    for count in counts:
        layout, seconds = timed(tsne, rows[:count])
        trust, judging = timed(trustworthiness, rows[:count], layout.points)
        _, snapping = timed(snapped, layout.points)
        hit, library = neighbourhood_hit(layout.points, labels[:count].tolist()), layout.parameters["library"]
        print(f"| {count:,} | {library} | {seconds} | {trust} | {judging} | {hit:.3f} | {snapping} |", flush=True)


if __name__ == "__main__":
    main()
