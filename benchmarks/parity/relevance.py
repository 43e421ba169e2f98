"""Relevance beside zennit, captum, autoLRP and lxt, in float64 and float32: `make parity` writes the table.

A cell is the largest difference over the library's largest value, in float64, with denominators stabilised by 1e-13 and
by the library's default. "float32" compares rounding: our largest distance from our float64 values over the library's
from its own. zennit and captum get networks whose sums and means are modules that they have rules for (`canonised`);
what else a library needs stands in the row's note. innvestigate does not run beside Keras 3.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import crosslens
import numpy as np

from . import stand_ins

stand_ins.install()

import autolrp  # noqa: E402 - after the stand-ins
import torch  # noqa: E402
from captum import attr  # noqa: E402
from captum.attr._utils import lrp_rules  # noqa: E402
from torch import nn  # noqa: E402

from ..networks.resnet import resnet50  # noqa: E402
from ..networks.vgg import vgg16  # noqa: E402
from ..networks.vit import vit_b16  # noqa: E402
from ..results import put  # noqa: E402
from . import relevance_peers as peers  # noqa: E402
from .networks import networks  # noqa: E402

TARGET, SIZE, STEPS = 3, 64, 50
EXACT = 1e-13
"""The stabiliser with which all must agree."""
LIMITS = (1e-5, 1e-3)
"""What the presets promise in float64: with that one, and with the library's own."""
ZENNIT_NOTE = "its default stabilises sums and mean pools too; without that 8e-11 at most"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Net:
    """A network, and the images it is asked about."""

    torch: Any
    images: Array
    layer: str = ""
    """Of methods of a layer."""


@dataclass(frozen=True)
class Row:
    """What a library computes, and the same here."""

    library: str
    what: str
    peer: peers.Peer
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    nets: Sequence[str] = ()
    note: str = ""
    default: float | None = None
    """The library's stabiliser; None where it has none, or what is computed has none."""
    stabilised: bool = True
    """Whether the method here has one."""

    def ours(self, net: Any, images: Array, layer: str, stabiliser: float) -> Array:
        given = {**self.settings, **({"epsilon": stabiliser} if self.stabilised else {})}
        if self.method in {"layer_conductance", "internal_influence"}:
            given["layer"] = layer
        model = crosslens.wrap(net, preprocess=None, input_shape=images.shape[1:])
        return np.asarray(crosslens.method(self.method, **given)(model, images, target=TARGET).values)

    def theirs(self, net: Any, images: Array, layer: str, stabiliser: float) -> Array:
        x = images.astype(np.float64 if next(net.parameters()).dtype == torch.float64 else np.float32)
        return self.peer(net, x, TARGET, stabiliser) if not layer else self.peer(net, x, TARGET, stabiliser, layer)  # type: ignore[call-arg]


def nets() -> dict[str, Net]:
    """By name; pictures of 64 pixels where the network takes any."""
    images = np.random.default_rng(0).random((2, 3, SIZE, SIZE), dtype=np.float32)
    vgg = vgg16(10, width=0.25, depth=0.5, size=SIZE)
    drawn = {
        "VGG": Net(_plain(vgg), images, "features.6"),
        "VGG, mean pools": Net(_mean_pools(_plain(deepcopy(vgg))), images, "features.6"),
        "VGG, no biases": Net(_without_biases(_plain(deepcopy(vgg))), images),
        "ResNet": Net(resnet50(10, width=0.25, depth=0.3, size=SIZE), images, "blocks.1"),
        "ViT": Net(vit_b16(10, width=0.2, depth=0.2, size=SIZE, patch=16), images),
    }
    return {each.name: Net(each.torch, each.images, each.layer) for each in networks()} | drawn


def _plain(net: Any) -> Any:
    """Its rectifiers not in place, which captum's hooks do not survive."""
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


def _mean_pools(net: Any) -> Any:
    for name, module in net.named_children():
        setattr(net, name, nn.AvgPool2d(2) if isinstance(module, nn.MaxPool2d) else _mean_pools(module))
    return net


def _without_biases(net: Any) -> Any:
    for module in net.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
    return net


def _on_convolutions(rule: Callable[[], Any]) -> peers.Peer:
    return peers.captum_lrp(lambda each: rule() if isinstance(each, nn.Conv2d) else lrp_rules.EpsilonRule())


def _of_layer(kind: Any) -> peers.Peer:
    def run(net: Any, x: Array, target: int, stabiliser: float, layer: str = "") -> Array:
        return peers.captum_layer(kind, STEPS)(layer)(net, x, target, stabiliser)

    return run


def rows() -> Iterator[Row]:
    images = ("smooth", "residual", "Lite0", "VGG", "ResNet")
    for composite, name in peers.ZENNIT.items():
        given = {"preset": "zennit", "composite": composite}
        yield Row("zennit", name, peers.zennit_composite(composite), "lrp", given, images, ZENNIT_NOTE, default=1e-6)
    captum, no_pools = {"preset": "captum"}, ("residual", "VGG, mean pools")
    yield Row("captum", "LRP", _on_convolutions(lrp_rules.EpsilonRule), "lrp", captum, ("VGG",),
              "it fails on the others: sums of layers, SiLU, ReLU6", default=1e-9)  # fmt: skip
    yield Row("captum", "LRP, Alpha1_Beta0 without biases", _on_convolutions(lambda: lrp_rules.Alpha1_Beta0_Rule(True)),
              "lrp", {**captum, "composite": "epsilon_plus", "biases": "ignore"}, ("VGG", "VGG, mean pools"),
              "with biases it keeps negative ones beside positive weights", default=1e-9)  # fmt: skip
    yield Row("captum", "DeepLift", peers.captum_deep_lift, "deep_lift", captum, no_pools,
              "over max pools its values add up to less than the difference (VGG: 0.210 of 0.231; ours 0.231)",
              stabilised=False)  # fmt: skip
    shap = {"preset": "captum", "background": ("black", "white", "grey")}
    yield Row("captum", "DeepLiftShap", peers.captum_deep_lift_shap, "deep_lift_shap", shap, no_pools,
              stabilised=False)  # fmt: skip
    for kind, method in (
        (attr.LayerConductance, "layer_conductance"),
        (attr.InternalInfluence, "internal_influence"),
    ):
        yield Row("captum", kind.__name__, _of_layer(kind), method, captum, ("smooth", "residual", "VGG"),
                  stabilised=False)  # fmt: skip
    zplus = autolrp.LRPConfig.composite
    yield Row("autoLRP", "composite", peers.autolrp_config(lambda e: zplus(eps=e)), "lrp",
              {"composite": "epsilon_plus", "per_channel": True}, ("VGG, no biases",),
              "times the logit; biases it shares out by their magnitude", default=1e-6)  # fmt: skip
    yield Row("lxt", "AttnLRP", peers.lxt_attention, "attn_lrp", {"preset": "lxt"}, ("ViT", "residual", "ResNet"),
              "its functions in place of this network's activations, normalisations, attention")  # fmt: skip


def figures(row: Row, net: Net) -> tuple[float, float | None, float]:
    """The differences in float64 with both stabilisers, and the ratio of float32's errors."""
    layer = net.layer if row.method in {"layer_conductance", "internal_influence"} else ""
    wide, narrow = deepcopy(net.torch).double(), deepcopy(net.torch).float()
    given = (net.images, layer)
    apart: list[float | None] = []
    for stabiliser in (EXACT, row.default):
        if stabiliser is None:
            apart.append(None)
            continue
        mine, other = (each(wide, *given, stabiliser).astype(float) for each in (row.ours, row.theirs))
        assert mine.shape == other.shape, (row.library, row.what, mine.shape, other.shape)
        apart.append(float(np.abs(mine - other).max() / np.abs(other).max()))
    used = row.default or EXACT
    errors = [float(np.abs(each(narrow, *given, used).astype(float) - exact).max())
              for each, exact in ((row.ours, mine), (row.theirs, other))]  # fmt: skip
    assert apart[0] is not None
    return apart[0], apart[1], errors[0] / errors[1]


def lines(
    found: Mapping[tuple[str, str], Mapping[str, tuple[float, float | None, float]]], asked: Sequence[Row]
) -> list[str]:
    page = ["| library | what | network | 1e-13 | default | float32 | note |", "|--|--|--|--|--|--|--|"]
    for row in asked:
        for name, (exact, usual, ratio) in found[row.library, row.what].items():
            own = "-" if usual is None else f"{usual:.0e}"
            library = f"{row.library} {version(row.library)}"
            page.append(f"| {library} | {row.what} | {name} | {exact:.0e} | {own} | x{ratio:.2f} | {row.note} |")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity.relevance", description=__doc__)
    parser.add_argument("libraries", nargs="*", help="compare with these only, and write no table")
    asked = parser.parse_args()
    known, found = nets(), {}
    chosen = [row for row in rows() if not asked.libraries or row.library in asked.libraries]
    for row in chosen:
        found[row.library, row.what] = {name: figures(row, known[name]) for name in row.nets}
        print(*lines(found, [row])[2:], sep="\n", flush=True)
    if not asked.libraries:
        put("relevance parity", lines(found, chosen))
    missed = [
        (*pair, name, apart)
        for pair, cells in found.items()
        for name, apart in cells.items()
        if apart[0] > LIMITS[0] or (apart[1] or 0.0) > LIMITS[1]
    ]
    assert not missed, f"further than promised: {missed}"


if __name__ == "__main__":
    main()
