"""What captum, torchcam and pytorch-grad-cam return by default where they judge an explanation, for a torch network."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from captum import attr, metrics
from pytorch_grad_cam.metrics.cam_mult_image import DropInConfidence, IncreaseInConfidence
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

from .draws import changes, importance, noise_on_baselines

Array = np.ndarray[Any, Any]
Peer = Callable[..., Array]
"""(net, layer, images (N, C, H, W), target) -> values."""


def captum_infidelity(net: Any, layer: str, x: Array, target: int) -> Array:
    """Of plain gradients, under a change that is ours: (N, 2, 1), without and with normalize."""
    images = torch.from_numpy(x.copy())
    slopes = attr.Saliency(net).attribute(images, target=target, abs=False)

    def perturb(copies: Any) -> Any:
        noise = np.tile(noise_on_baselines(len(copies) // len(x), x.shape[1:]), (len(x), 1, 1, 1))
        change = copies - torch.from_numpy(noise)
        return change, copies - change

    found = [metrics.infidelity(net, perturb, images, slopes, target=target, normalize=n) for n in (False, True)]
    return torch.stack(found, dim=1)[:, :, None].detach().numpy()


def captum_sensitivity(net: Any, layer: str, x: Array, target: int) -> Array:
    saliency = attr.Saliency(net)

    def explain(images: Any, target: Any) -> Any:
        return saliency.attribute(tuple(each.clone() for each in images), target=target)

    def perturb(copies: Any, radius: float) -> Any:
        drawn = np.tile(changes(len(copies) // len(x), radius, x.shape[1:]), (len(x), 1, 1, 1))
        return (copies + torch.from_numpy(drawn),)

    return metrics.sensitivity_max(explain, torch.from_numpy(x.copy()), perturb, target=target).detach().numpy()


class TorchcamHanded:
    """What torchcam's metrics ask of an extractor, with a map that is given."""

    def __init__(self, net: Any, maps: Array) -> None:
        self.model, self.maps = net, torch.from_numpy(maps)

    def __call__(self, *given: Any, **settings: Any) -> list[Any]:
        return [self.maps]

    def fuse_cams(self, maps: list[Any]) -> Any:
        return maps[0]

    def _hooks_off(self) -> Any:
        return nullcontext()


def torchcam_curve(name: str) -> Peer:
    """The area under the curve, a mean over the images, (1,)."""

    def run(net: Any, layer: str, x: Array, target: int) -> Array:
        metric = DeletionInsertionMetric(TorchcamHanded(net, importance(x)))
        metric.update(torch.from_numpy(x), target)
        return np.array([metric.summary()[f"{name}_auc"]])

    return run


def torchcam_drop(net: Any, layer: str, x: Array, target: int) -> Array:
    """It gives means: here image by image, (N, 2, 1)."""
    found = []
    for n in range(len(x)):
        metric = ClassificationMetric(TorchcamHanded(net, importance(x)[n : n + 1]))
        metric.update(torch.from_numpy(x[n : n + 1]), target)
        found.append([*metric.summary().values()])
    return np.asarray(found)[:, :, None]


def grad_cam_package_drop(net: Any, layer: str, x: Array, target: int) -> Array:
    given = torch.from_numpy(x), importance(x), [ClassifierOutputTarget(target)] * len(x), net
    return np.stack([DropInConfidence()(*given), IncreaseInConfidence()(*given)], axis=1)[:, :, None]


PEERS: dict[tuple[str, str], Peer] = {
    ("captum", "infidelity"): captum_infidelity,
    ("captum", "sensitivity_max"): captum_sensitivity,
    ("torchcam", "deletion"): torchcam_curve("deletion"),
    ("torchcam", "insertion"): torchcam_curve("insertion"),
    ("torchcam", "average_drop"): torchcam_drop,
    ("pytorch-grad-cam", "average_drop"): grad_cam_package_drop,
}
