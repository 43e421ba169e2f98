"""Class pictures with and without each prior, as an independent judge and the data see them; a table in RESULTS.md.

`python -m benchmarks.priors.table FOLDER [--data fashion] [--sheet FILE.png]`, on the files that `python -m
benchmarks.priors` wrote into the folder; onnxruntime, `SEEDS` pictures of each class. The sheet shows the first of
each, a row for each prior.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import crosslens
import numpy as np
from crosslens.arrays import as_numpy
from PIL import Image

from ..results import put
from .data import LABELS, pictures
from .measures import Measures, Reference

__all__ = ["PRIORS", "Prior", "made"]

SEEDS = 3
FITTED = 1_000
"""Training pictures whose patches the mixture is fitted to."""
TRAINING, HELD_OUT = 20_000, 1_000
"""Training pictures among which the nearest is looked for; test pictures that distances and slopes are relative to."""
CLASSES = 10


@dataclass(frozen=True)
class Prior:
    """A row: options of `activation_maximisation`, in which FOLDER stands for where the files lie."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: str = ""
    """What is added to each class's logit in the target."""
    seeds: int = SEEDS

    def filled(self, folder: Path) -> dict[str, Any]:
        """The options, with the folder."""
        return {key: value.replace("FOLDER", str(folder)) if isinstance(value, str) else value
                for key, value in self.options.items()}  # fmt: skip


PATCHES = " + 0.01 * patch_mixture:FOLDER/patches.npz"
TOTAL_VARIATION = " - 0.02 * total_variation:1"
PRIORS = (
    Prior("none", {"parameterisation": "pixels", "rules": ()}),
    Prior("total variation and blur", {"parameterisation": "pixels", "rules": ("blur:0.5:4",)}, TOTAL_VARIATION),
    Prior("generator (DGN-AM)", {"prior": "dgn_am", "generator": "FOLDER/generator.onnx"}),
    Prior(
        "PPGN",
        {
            "prior": "ppgn", "generator": "FOLDER/decoder.onnx", "encoder": "FOLDER/classifier.onnx",
            "code_layer": "relu4", "epsilon1": 0.1, "learning_rate": 0.1,
        },
    ),
    Prior(
        "denoiser",
        {
            "prior": "denoiser", "denoiser": "FOLDER/denoiser.onnx", "sigma": 0.3, "epsilon1": 0.03, "rules": (),
            "parameterisation": "pixels",
        },
    ),
    Prior("mixture of patches", {"parameterisation": "pixels", "rules": ()}, PATCHES),
)  # fmt: skip


def made(prior: Prior, folder: Path) -> tuple[Any, float]:
    """Pictures of the classes, (seeds * 10, 1, 28, 28), and the seconds of processor time that they took."""
    model, began = crosslens.wrap(folder / "classifier.onnx"), process_time()
    beside = prior.beside.replace("FOLDER", str(folder))
    target = " | ".join(f"logit:{k}{beside}" for k in range(CLASSES))
    runs = []
    for seed in range(prior.seeds):
        method = crosslens.method("activation_maximisation", seed=seed, **prior.filled(folder))
        runs.append(as_numpy(method(model, None, target).images))
    return np.concatenate(runs), process_time() - began


def fit_patches(folder: Path) -> None:
    """Write patches.npz, the mixture of the pictures' patches, unless it is there."""
    if (folder / "patches.npz").exists():
        return
    np.savez(folder / "some.npz", images=pictures(folder)[0][:FITTED].numpy())
    model, data = crosslens.wrap(folder / "classifier.onnx"), crosslens.data(folder / "some.npz")
    crosslens.method("patch_mixture")(model, data).save(folder / "patches.npz")


def reference(folder: Path) -> tuple[Reference, Any]:
    """The judge and the data, and the classes of the held-out pictures."""
    training, (held_out, classes) = pictures(folder)[0], pictures(folder, "t10k")
    unit = (each.numpy().astype(np.float32) / 255 for each in (training[:TRAINING], held_out[:HELD_OUT]))
    return Reference(crosslens.wrap(folder / "judge.onnx"), *unit), classes[:HELD_OUT].numpy()


def row(name: str, found: Measures, seconds: float | None) -> str:
    """A line of the table."""
    spent = "" if seconds is None else f"{seconds:.1f} s"
    return (
        f"| {name} | {found.accuracy:.0%} | {found.confidence:.2f} | {found.pixels:.2f} | {found.features:.2f} "
        f"| {found.spectrum:.2f} | {spent} |"
    )


def lines(folder: Path, sheet: Path | None) -> Iterator[str]:
    """The table; the sheet is drawn on the way."""
    yield "| prior | judge agrees | its confidence | nearest: pixels | judge's features | spectrum | a picture |"
    yield "|--|--|--|--|--|--|--|"
    fit_patches(folder)
    here, classes = reference(folder)
    shown = []
    for prior in PRIORS:
        images, seconds = made(prior, folder)
        shown.append(images[:CLASSES])
        asked = np.tile(np.arange(CLASSES), prior.seeds)
        yield row(prior.name, here.measures(images, asked), seconds / len(images))
    first = [int(np.flatnonzero(classes == k)[0]) for k in range(CLASSES)]
    shown.append(here.held_out[first])
    yield row(f"{HELD_OUT:,} test pictures", here.measures(here.held_out, classes), None)
    if sheet:
        drawn(np.stack(shown)).save(sheet)


def drawn(shown: Any) -> Image.Image:
    """Pictures (rows, columns, 1, H, W), three times as large."""
    framed = np.pad(shown[:, :, 0], ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1)
    page = np.concatenate([np.concatenate(list(each), axis=1) for each in framed])
    return Image.fromarray((page * 255).round().astype(np.uint8)).resize(
        (page.shape[1] * 3, page.shape[0] * 3), Image.Resampling.NEAREST
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priors.table", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", choices=[*LABELS], default="mnist")
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    table = []
    for line in lines(given.folder, given.sheet):
        print(line, flush=True)
        table.append(line)
    put(f"learned priors, {given.data}", table)


if __name__ == "__main__":
    main()
