"""The table of agreement with other libraries: `make parity` writes it into README.md.

A cell is the largest difference between a preset and the library itself, over the library's largest magnitude; where
the library gives eight bits, over 255 and without the last pixels that fill no vector of 64: see `crosslens.steps`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import crosslens
import numpy as np
from crosslens.method import Method
from crosslens.plugins import method_class
from crosslens.result import Attribution

from . import stand_ins

stand_ins.install()

from . import keras_peers, torch_peers  # noqa: E402 - after the stand-ins
from .draws import background, importance, superpixels  # noqa: E402
from .networks import Network, networks  # noqa: E402

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- parity table: begin -->", "<!-- parity table: end -->"
TARGET = 3
DISTRIBUTIONS = {"pytorch-grad-cam": "grad-cam", "pair": "saliency"}
NEED_RECTIFIERS = {"guided_backprop", "deconvnet", "guided_grad_cam"}
MANY_PASSES = {"occlusion", "ablation_cam", "score_cam", "rise", "lime", "kernel_shap"}
"""Compared on the small networks only."""
CURVES = {"deletion", "insertion"}
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
    if method in CURVES:
        given["method"] = Handed()
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
    net = network.torch if peer in torch_peers.PEERS.values() else network.keras
    model = crosslens.wrap(net, preprocess=None, input_shape=network.images.shape[1:])
    ours = crosslens.method(method, preset=library, **settings(library, method, network))
    values = np.asarray(ours(model, network.images, target=TARGET).values)
    values = values.mean(axis=(0, 1)) if method in CURVES else values
    theirs = np.asarray(peer(net, network.layer, network.images, TARGET))
    assert values.shape == theirs.shape, (library, method, network.name, values.shape, theirs.shape)
    apart = np.abs(values.astype(float) - theirs)
    if theirs.dtype == np.uint8:
        return float(apart.ravel()[: apart.size // 64 * 64].max() / 255)
    return float(apart.max() / np.abs(theirs).max())


def rows(found: Mapping[tuple[str, str], list[float | None]], names: list[str]) -> Iterator[str]:
    yield f"| library | method | {' | '.join(names)} |"
    yield "|--" * (2 + len(names)) + "|"
    for (library, method), cells in found.items():
        shown = " | ".join("-" if cell is None else "0" if cell == 0 else f"{cell:.0e}" for cell in cells)
        yield f"| {library} {version(DISTRIBUTIONS.get(library, library))} | `{method}` | {shown} |"


def main() -> None:
    nets = networks()
    found: dict[tuple[str, str], list[float | None]] = {}
    for (library, method), peer in (torch_peers.PEERS | keras_peers.PEERS).items():
        found[library, method] = [difference(library, method, peer, network) for network in nets]
        print(library, method, found[library, method], flush=True)
    declared = {(library, name) for name in crosslens.methods() for library in method_class(name).presets}
    assert declared == set(found), declared ^ set(found)
    lines = rows(found, [network.name for network in nets])
    README.write_text(
        re.sub(
            f"{BEGIN}.*{END}",
            lambda _: "\n".join([BEGIN, "", *lines, "", END]),
            README.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        ),
        encoding="utf-8",
    )
    broken = {pair: cells[0] for pair, cells in found.items() if cells[0] is not None and not cells[0] <= SMOOTH}
    assert not broken, f"presets that miss their promise: {broken}"


if __name__ == "__main__":
    main()
