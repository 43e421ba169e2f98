"""`crosslens demo`: explain a photograph to one network in three frameworks."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ..alignment.divergence import Divergence, diverge
from ..comparison.compare import Comparison, compare
from ..errors import ComparisonError, ImageError, ModelError, PluginError
from ..execution.progress import Progress
from ..explorer.explore import explore
from ..explorer.network.chapters import default_layers
from ..files.kept_files import check_target
from ..files.whole_file import writable_folder
from ..image.io import load_image
from ..metadata.side_file import side_file
from ..model.base import Model
from ..plugins.demo_network import DemoNetwork
from ..plugins.registry import demo_networks, method
from ..plugins.wrap import wrap
from ._options.models import quiet
from ._options.writing import FolderPath, WritingCommand
from ._text.comparison import notes, summary
from ._text.echo import echo
from ._text.progress import bar

__all__ = ["command"]

FILES = ("report.html", "comparison.json", "site/index.html")
METHODS = ("gradient", "grad_cam", "cam", "occlusion")
OTHERS = (
    "chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png", "hubble_deep_field.jpg",
)  # fmt: skip
"""Photographs of scikit-image that the site shows beside."""
SITE: Mapping[str, Any] = {"units": 2, "steps": 24, "size": 96, "maps": ("grad_cam", "guided_backprop")}
"""How much the site shows, so that it takes no more than a minute."""
ARCHITECTURE = "lite0"
"""The demo network that is compared, in every framework that it is offered in."""


def _demo(folder: Path, image: Path | None, models: bool) -> None:
    """Explain a photograph to one network in three frameworks.

    The network is EfficientNet-Lite0, in PyTorch, Keras and ONNX; a report is written.
    """
    writable_folder(folder)
    for name in FILES:
        check_target(folder / name)
    image = image or _cat_photograph()
    with quiet(), bar() as progress:
        networks = _networks()
        picture = load_image(image, like=next(iter(networks.values())))
        chosen = [method(name) for name in METHODS]
        comparison = compare(networks, chosen, picture, titles=[image.name], progress=progress)
        comparison = replace(comparison, divergences=(_first_divergence(networks, picture),))
        written = [comparison.save(folder / "report.html"), comparison.save(folder / "comparison.json")]
        written.append(_site(networks, image, folder, progress))
        written += [network.save(folder) for network in _demo_networks()] if models else []
    for note in notes(comparison):
        echo(f"Note: {note}", err=True)
    echo(f"{_sentence(comparison, image.stem)}\n\n{summary(comparison)}\n")
    written += [side_file(path) for path in written if side_file(path).exists()]
    echo("\n".join(f"written: {path}" for path in written))
    network = [str(folder / "lite0.onnx")] if models else [f"demo:lite0_{next(iter(networks))}"]
    words = ["crosslens", "run", "grad_cam", *network, str(image), "-o", str(folder / "grad_cam.png")]
    echo(f"next: {shlex.join(words)}")


def _first_divergence(networks: Mapping[str, Model], picture: Any) -> Divergence:
    """Through the layers of the first network and the last; a Keras network in between would take ten seconds more."""
    (first, a), *_, (last, b) = networks.items()
    return diverge(a, b, picture, names=(first, last))


def _site(networks: Mapping[str, Model], image: Path, folder: Path, progress: Progress) -> Path:
    """A small site of the last network: few layers and units, the photograph and others."""
    model = list(networks.values())[-1]
    pictures = list(dict.fromkeys(str(each) for each in (image, *map(_photograph, OTHERS)) if each is not None))
    maps = [layer for layer in default_layers(model) if model.layer(layer).has_maps]
    layers = tuple(dict.fromkeys(maps[len(maps) * part // 6] for part in (2, 3, 5)))
    site = explore(model, pictures, layers=layers, store=folder / "survey", progress=progress, **SITE)
    return site.save(folder / "site", progress)


def _photograph(name: str) -> Path | None:
    """A photograph that scikit-image brings; None where it is not installed."""
    package = find_spec("skimage")
    places = (package and package.submodule_search_locations) or ()
    return next((path for place in places if (path := Path(place, "data", name)).exists()), None)


def _cat_photograph() -> Path:
    """The photograph of a cat.

    Raises:
        ImageError: scikit-image is not installed.
    """
    if (path := _photograph("chelsea.png")) is not None:
        return path
    raise ImageError(
        "the demo's photograph comes with scikit-image: pip install 'crosslens[demo]', or give --image FILE"
    )


def _networks() -> Mapping[str, Model]:
    """The same network in each framework that is installed; what is missing is named on stderr.

    Raises:
        ComparisonError: fewer than two can be had.
    """
    networks, missing = {}, []
    for each in _demo_networks():
        try:
            networks[each.framework] = wrap(f"demo:{each.name}")
        except (ImportError, ModelError, PluginError) as error:
            missing.append(f"{each.framework}: {error} (pip install 'crosslens[{each.extra},demo]')")
            echo(f"Note: the demo goes on without {missing[-1]}", err=True)
    if len(networks) < 2:
        raise ComparisonError(
            f"the demo compares two frameworks at least; {len(networks)} can be had. " + "; ".join(missing)
        )
    return networks


def _demo_networks() -> list[DemoNetwork]:
    return [network for network in demo_networks().values() if network.architecture == ARCHITECTURE]


def _sentence(comparison: Comparison, who: str) -> str:
    """What the networks see: "chelsea is a tiger cat, 0.39 (torch), 0.39 (onnx)"."""
    labels = {p.labels[0].partition(",")[0] for p in comparison.predictions}
    if len(labels) == 1:
        (label,) = labels
        article = "an" if label[0] in "aeiouAEIOU" else "a"
        shares = ", ".join(f"{p.probabilities[0]:.2f} ({p.model})" for p in comparison.predictions)
        return f"{who} is {article} {label}: {shares}"
    said = ", ".join(f"{p.labels[0]} {p.probabilities[0]:.2f} ({p.model})" for p in comparison.predictions)
    return f"{who} is seen differently: {said}"


command = WritingCommand(
    "demo",
    callback=_demo,
    params=[
        click.Option(["-o", "--out", "folder"], type=FolderPath(), default="demo-report", show_default=True),
        click.Option(
            ["--image"], type=click.Path(path_type=Path), metavar="FILE", help="A photograph to use instead of the cat."
        ),
        click.Option(["--models"], is_flag=True, help="Also write the network's three files there (18 MB each)."),
    ],
    help=_demo.__doc__,
)
