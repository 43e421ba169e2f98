"""The table of agreement with other libraries: `make parity` writes it into RESULTS.md.

Attacks, which are compared by what they reach, are in `benchmarks.parity.attacks`; relevance is in `.relevance`.
Rows that an earlier run has finished are taken from out/parity; `--fresh`, as in `make parity`, computes all anew.
A cell is the largest difference between a preset and the library itself, over the library's largest magnitude; where
the library gives eight bits, over 255 and without the last pixels that fill no vector of 64: see
`crosslens.method.postprocess`.
"""

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crosslens
import numpy as np
from crosslens.attack import AttackMethod
from crosslens.method import Method
from crosslens.plugins import image_methods, method_class
from crosslens.result import Attribution

from . import stand_ins

stand_ins.install()

from ..results import put  # noqa: E402 - after the stand-ins
from . import keras_peers, torch_metrics, torch_peers  # noqa: E402
from .draws import background, importance, superpixels  # noqa: E402
from .networks import Network, networks  # noqa: E402

PEERS = torch_peers.PEERS | torch_metrics.PEERS | keras_peers.PEERS
KEPT = Path(__file__).parents[2] / "out" / "parity"
TARGET = 3
DISTRIBUTIONS = {"pytorch-grad-cam": "grad-cam", "pair": "saliency"}
KNOWN = ("captum", "torchcam", "zennit", "tf-keras-vis", "xplique", "tf-explain")
NEED_RECTIFIERS = {"guided_backprop", "deconvnet", "guided_grad_cam"}
MANY_PASSES = {"occlusion", "ablation_cam", "score_cam", "rise", "lime", "kernel_shap"}
"""Compared on the small networks only."""
CURVES = {"deletion", "insertion"}
JUDGES = CURVES | {"average_drop"}
"""They are handed the map that they judge."""
AREAS = {("torchcam", name) for name in CURVES}
SMOOTH = 1e-5
"""What a preset promises on a smooth network."""


@dataclass(frozen=True, kw_only=True)
class Handed(Method):
    """A map to be judged that is the same for both."""

    name = "handed"

    def run(self, model: Any, images: Any, objective: Any, progress: Any) -> Attribution:
        return Attribution(importance(images))


def settings(library: str, method: str, network: Network) -> dict[str, Any]:
    """What the library demands from its user, given to the preset too."""
    given: dict[str, Any] = {}
    if "cam" in method:
        given["layer"] = network.layer
    if method == "expected_gradients":
        given["background"] = background(network.images)
    if library == "captum" and method in {"lime", "kernel_shap"}:
        given["superpixels"] = superpixels(network.images)
    if (library, method) == ("captum", "lime"):
        given["penalty"] = torch_peers.PENALTY
    if method in JUDGES:
        given["method"] = Handed()
    if (library, method) == ("captum", "sensitivity_max"):
        given["method"] = crosslens.method("gradient", preset=library)
    if (library, method) == ("captum", "occlusion"):
        given["window"] = torch_peers.STEP["window"]
    if (library, method) == ("tf-keras-vis", "smooth_grad"):
        given["samples"] = keras_peers.SAMPLES
    return given


def difference(library: str, method: str, peer: Any, network: Network) -> float | None:
    """How far the preset is from the library; None where the network does not suit the method."""
    if (method in NEED_RECTIFIERS and not network.rectified) or (method in MANY_PASSES and not network.small):
        return None
    if method == "full_grad" and network.name == "smooth":
        return None
    net = network.keras if peer in keras_peers.PEERS.values() else network.torch
    model = crosslens.wrap(net, preprocess=None, input_shape=network.images.shape[1:])
    ours = crosslens.method(method, preset=library, **settings(library, method, network))
    values = shown(library, method, ours(model, network.images, target=TARGET))
    theirs = np.asarray(peer(net, network.layer, network.images, TARGET))
    assert values.shape == theirs.shape, (library, method, network.name, values.shape, theirs.shape)
    apart = np.abs(values.astype(float) - theirs)
    if theirs.dtype == np.uint8:
        return float(apart.ravel()[: apart.size // 64 * 64].max() / 255)
    return float(apart.max() / np.abs(theirs).max())


def shown(library: str, method: str, result: Any) -> np.ndarray[Any, Any]:
    """The values as the library gives them: a mean curve, an area, one series of two."""
    values = np.asarray(result.values)
    if (library, method) in AREAS:
        return np.asarray(result.areas.mean(axis=0))
    if method == "sensitivity_max":
        return np.asarray(values[:, 1, 0])
    return np.asarray(values.mean(axis=(0, 1))) if method in CURVES else values


def release(library: str) -> str:
    """Name and version of the library; what follows a hyphen after its name says which variant."""
    name = library if library in DISTRIBUTIONS else next(k for k in KNOWN if library.startswith(k))
    return f"{name} {version(DISTRIBUTIONS.get(name, name))}{library.removeprefix(name).replace('-', ' ')}"


def rows(found: Mapping[tuple[str, str], list[float | None]], names: list[str]) -> Iterator[str]:
    yield f"| library | method | {' | '.join(names)} |"
    yield "|--" * (2 + len(names)) + "|"
    for (library, method), cells in found.items():
        figures = " | ".join("-" if cell is None else "0" if cell == 0 else f"{cell:.0e}" for cell in cells)
        yield f"| {release(library)} | `{method}` | {figures} |"


def row(library: str, method: str, nets: list[Network]) -> list[float | None]:
    """The differences on each network, kept as soon as they are known."""
    path = KEPT / f"{library}-{method}.json"
    if not path.exists():
        found = [difference(library, method, PEERS[library, method], network) for network in nets]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found), encoding="utf-8")
        print(library, method, found, flush=True)
    cells: list[float | None] = json.loads(path.read_text(encoding="utf-8"))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="compute all anew")
    if parser.parse_args().fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    nets = networks()
    found = {(library, method): row(library, method, nets) for library, method in PEERS}
    kinds = {name: method_class(name) for name in image_methods()}
    attributions = {name: kind for name, kind in kinds.items() if not issubclass(kind, AttackMethod)}
    relevance = {name for name, kind in kinds.items() if kind.__module__.startswith("crosslens.methods.relevance")}
    declared = {(library, name) for name in attributions.keys() - relevance for library in kinds[name].presets}
    assert declared == set(found), declared ^ set(found)
    lines = rows(found, [network.name for network in nets])
    put("parity table", lines)
    broken = {pair: cells[0] for pair, cells in found.items() if cells[0] is not None and not cells[0] <= SMOOTH}
    assert not broken, f"presets that miss their promise: {broken}"


if __name__ == "__main__":
    main()
