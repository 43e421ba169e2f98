"""What attacks of foolbox and of the adversarial robustness toolbox (ART) make of digits, under the settings given."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch

from ..digit_network import PREPROCESS

__all__ = ["Peer", "art", "foolbox", "from_starts"]

Array = np.ndarray[Any, Any]
Peer = Callable[[Any, Array, Array], Array]
"""A torch network on normalised pixels, images (N, 1, 28, 28) in [0, 1] and their labels -> adversarial images."""
Starts = Callable[[Array, Array], Array]
BATCH = 250


def foolbox(attack: str, eps: float | None = None, starts: Starts | None = None, **settings: Any) -> Peer:
    """An attack of `foolbox.attacks` by its name; no `eps` for those that look for the nearest picture.

    `starts` gives starting points, of the images and their labels, to an attack that takes them at its call.
    """

    def run(net: Any, x: Array, y: Array) -> Array:
        import foolbox

        preprocessing = {**PREPROCESS, "axis": None}
        model = foolbox.PyTorchModel(net, bounds=(0, 1), preprocessing=preprocessing, device="cpu")
        torch.manual_seed(0)
        others, made = starts(x, y) if starts else x, []
        for images, labels, start in _batches(x, y, others):
            begin = {"starting_points": torch.from_numpy(start)} if starts else {}
            raw, _, _ = getattr(foolbox.attacks, attack)(**settings)(
                model, torch.from_numpy(images), torch.from_numpy(labels), epsilons=eps, **begin
            )
            made.append(raw.detach().numpy())
        return np.concatenate(made)

    return run


def from_starts(peer: Peer, starts: Callable[[Array], Array]) -> Peer:
    """foolbox's gradient descent from our starting points instead of its own."""

    def run(net: Any, x: Array, y: Array) -> Array:
        import eagerpy
        from foolbox.attacks import gradient_descent_base as base

        def start(attack: Any, x0: Any, epsilon: float) -> Any:
            return eagerpy.astensor(torch.from_numpy(np.ascontiguousarray(starts(x0.numpy()))))

        with (
            mock.patch.object(base.LinfBaseGradientDescent, "get_random_start", start),
            mock.patch.object(base.L2BaseGradientDescent, "get_random_start", start),
        ):
            return peer(net, x, y)

    return run


def art(attack: str, **settings: Any) -> Peer:
    """An attack of `art.attacks.evasion` by its name."""

    def run(net: Any, x: Array, y: Array) -> Array:
        from art.attacks import evasion
        from art.estimators.classification import PyTorchClassifier

        classifier = PyTorchClassifier(
            net, torch.nn.CrossEntropyLoss(), x.shape[1:], 10, clip_values=(0, 1), device_type="cpu",
            preprocessing=(np.float32([PREPROCESS["mean"]]), np.float32([PREPROCESS["std"]])),
        )  # fmt: skip
        np.random.seed(0)
        torch.manual_seed(0)
        quiet = {} if attack == "FastGradientMethod" else {"verbose": False}
        made = getattr(evasion, attack)(classifier, batch_size=BATCH, **settings, **quiet)
        return np.asarray(made.generate(x, y), np.float32)

    return run


def _batches(*arrays: Array) -> Any:
    for start in range(0, len(arrays[0]), BATCH):
        yield tuple(each[start : start + BATCH] for each in arrays)
