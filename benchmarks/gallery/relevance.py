"""Relevance sheets: composites of LRP, DeepLIFT and their relatives on three photographs, a sheet for each network.

`python -m benchmarks.gallery.relevance lite0 vgg16` computes them on the ONNX file; `--backends torch keras onnx` shows
the last one's maps and says below each how far the frameworks' raw values lie apart. The target of Lite0 is the class
of the photograph; VGG16 was trained for other pictures than these, so there it is the channel that answers most.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crosslens
from crosslens.arrays import as_numpy

from .cells import Cell, spread
from .page import Tile, grid
from .photographs import SUBJECTS, Subject

PICTURES = Path(__file__).parents[1] / "pictures"
TITLES = {
    "lite0": "EfficientNet-Lite0, the class of the photograph",
    "vgg16": "VGG16, the strongest channel of its last convolution",
}
DOG = Subject("imagenet_16_251.jpg", "dalmatian", "foolbox", "foolbox")


@dataclass(frozen=True)
class Row:
    """One method with its settings; `form` is how its maps are drawn."""

    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    form: str = "signed"

    @property
    def name(self) -> str:
        return " ".join([self.method, *map(str, self.settings.values())])


ROWS = (
    *(
        Row("lrp", {"composite": name})
        for name in (
            "epsilon",
            "epsilon_plus",
            "epsilon_plus_flat",
            "epsilon_alpha2_beta1",
            "epsilon_alpha2_beta1_flat",
            "epsilon_gamma_box",
        )
    ),
    Row("deep_lift"),
    Row("excitation_backprop"),
)


def target(model: crosslens.Model, network: str, subject: Subject) -> str:
    """What is shared out: the class, or the channel of the last convolution that is strongest for this picture."""
    if network != "vgg16":
        return subject.target
    last = [name for name in model.layers if "kernel" in model.weights(name) and len(model.layers[name].shape) == 4][-1]
    return f"strongest:{last}"


def cell(row: Row, model: crosslens.Model, network: str, subject: Subject) -> tuple[Cell, str]:
    """The map, and its accounts in a few words."""
    image = crosslens.load_image(subject.path, like=model)
    result = crosslens.method(row.method, **row.settings)(model, image, target=target(model, network, subject))
    accounts = result.figures()
    print(row.name, accounts, *result.notes, sep="; ", flush=True)
    said = f"{accounts['sum']:.3g} of {accounts['start']:.3g}"
    return Cell(as_numpy(result.values), result.picture(row.form)), said


def sheet(network: str, backends: list[str]) -> Path:
    """All rows by all photographs on one page."""
    models = [crosslens.wrap(f"demo:{network}_{backend}") for backend in backends]
    subjects = {name: SUBJECTS[name] for name in ("cat", "espresso")} | {"dog": DOG}
    tiles = []
    for row in ROWS:
        for name, subject in subjects.items():
            cells = [cell(row, model, network, subject) for model in models]
            apart = (
                f"{len(backends)} frameworks differ by {spread([c for c, _ in cells]):.0e}" if len(cells) > 1 else ""
            )
            tiles.append(
                Tile(cells[-1][0].picture, f"{row.name}: {name}", ", ".join(filter(None, [cells[-1][1], apart])))
            )
    path = PICTURES / f"relevance_{network}.jpg"
    page = grid(tiles, f"relevance in the map, of what was shared out: {TITLES[network]} ({backends[-1]})")
    page.resize((page.width * 3 // 4, page.height * 3 // 4)).save(path, quality=70)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery.relevance", description=__doc__)
    parser.add_argument("networks", nargs="+", choices=[*TITLES])
    parser.add_argument("--backends", nargs="+", choices=("torch", "keras", "onnx"), default=["onnx"])
    chosen = parser.parse_args()
    for network in chosen.networks:
        print(sheet(network, chosen.backends))


if __name__ == "__main__":
    main()
