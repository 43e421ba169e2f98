"""Three networks with the same weights in torch and in Keras: smooth, residual with ReLU, and EfficientNet-Lite0."""

from dataclasses import dataclass
from typing import Any

import crosslens
import numpy as np
from crosslens.backends.zoo import keras_nets, torch_nets

from benchmarks.gallery import photograph
from tests.conformance.plans import SHAPE, Draft, images, plan
from tests.zoo import keras as in_keras
from tests.zoo import torch as in_torch


@dataclass(frozen=True)
class Network:
    """A network in both frameworks, the images it is asked about, and the layer of the CAMs."""

    name: str
    torch: Any
    keras: Any
    images: np.ndarray[Any, Any]
    layer: str
    rectified: bool
    """Whether all its activations are plain ReLUs, which the modified backward rules of some peers need."""
    small: bool = True


def residual() -> Any:
    """Two residual blocks with batch normalisation and ReLU, a strided one among them, as in ResNet."""
    d = Draft(5)
    d.conv("conv1", 3, 8, 3, pad=1, gain=3.0)
    d.add("relu1", "relu")
    for number, width in enumerate((8, 8), start=2):
        d.conv(f"conv{number}a", width, 8, 3, pad=1, gain=2.5)
        d.add(f"norm{number}", "norm", weights=_statistics(d))
        d.add(f"relu{number}a", "relu")
        d.conv(f"conv{number}b", 8, 8, 3, pad=1)
        d.add(f"add{number}", "add", f"relu{number - 1}", f"conv{number}b")
        d.add(f"relu{number}", "relu")
    d.conv("conv4", 8, 12, 3, pad=1, stride=2, gain=2.5)
    d.add("relu4", "relu")
    return tuple(d.head(12))


def _statistics(d: Draft) -> dict[str, np.ndarray[Any, Any]]:
    moments = {"mean": d.normal(8, scale=0.3), "variance": np.square(d.normal(8, scale=0.1, mean=1.0))}
    return {"scale": d.normal(8, scale=0.2, mean=1.5), "offset": d.normal(8, scale=0.3)} | moments


def _plain(net: Any) -> Any:
    """Its rectifiers not in place, which hooks of the peers do not survive."""
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


def networks() -> list[Network]:
    smooth, blocks = plan("smooth"), residual()
    lite = torch_nets.lite0()
    picture = crosslens.load_image(photograph(), like=crosslens.wrap("demo:lite0_torch"))
    return [
        Network(
            "smooth", _plain(in_torch.build(smooth, SHAPE)), in_keras.build(smooth, SHAPE), images(), "act4", False
        ),
        Network(
            "residual", _plain(in_torch.build(blocks, SHAPE)), in_keras.build(blocks, SHAPE), images(), "relu4", True
        ),
        Network("Lite0", _plain(lite), keras_nets.lite0(), np.asarray(picture), "relu1", False, small=False),
    ]
