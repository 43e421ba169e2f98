"""A style network in torch as a function of one vector of parameters: what `crosslens train-style` trains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from crosslens.plugins.hookspecs import hookimpl
from crosslens.style_network.spec import StyleSpec
from crosslens.style_network.trainable import Pass, Trainable
from torch import Tensor, nn
from torch.func import functional_call

from .networks import build

__all__ = ["TorchTrainable", "crosslens_style_trainer"]

Vector = np.ndarray[Any, Any]
_COUNTS = "num_batches_tracked"
"""What batch normalisation counts, and no computation here reads."""


@hookimpl
def crosslens_style_trainer() -> Callable[[StyleSpec, int], Trainable]:
    """Training in torch."""
    return TorchTrainable


class TorchTrainable(Trainable):
    """The module's own parameters are never changed: each pass is given those it runs with.

    They are one tensor, split once, so that autograd joins their gradients once.
    """

    def __init__(self, spec: StyleSpec, seed: int) -> None:
        self.spec = spec
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._net = build(spec)
        parameters = dict(self._net.named_parameters())
        buffers = {name: each for name, each in self._net.named_buffers() if not name.endswith(_COUNTS)}
        self._shapes, self._buffers = ({n: t.shape for n, t in some.items()} for some in (parameters, buffers))
        self.parameters, self.statistics = _joined(parameters.values()), _joined(buffers.values())

    def forward(self, parameters: Vector, statistics: Vector, inputs: Sequence[Vector]) -> Pass:
        """As the contract says."""
        with torch.inference_mode(False), torch.enable_grad():
            flat = torch.from_numpy(parameters).clone().requires_grad_()
            running = _named(torch.from_numpy(statistics).clone(), self._buffers)
            images = self._call(self._net.train(), {**_named(flat, self._shapes), **running}, inputs)

        def back(gradient: Vector) -> Vector:
            at_parameters: Vector = torch.autograd.grad(images, flat, torch.from_numpy(gradient))[0].numpy()
            return at_parameters

        return Pass(images.detach().numpy(), _joined(running.values()), back)

    def apply(self, parameters: Vector, statistics: Vector, inputs: Sequence[Vector]) -> Vector:
        """As the contract says."""
        with torch.inference_mode():
            images = self._call(self._net.eval(), self._tensors(parameters, statistics), inputs)
            return images.numpy()  # type: ignore[no-any-return]

    def weights(self, parameters: Vector, statistics: Vector) -> Mapping[str, Vector]:
        """As the contract says."""
        return {name: values.numpy().copy() for name, values in self._tensors(parameters, statistics).items()}

    def _tensors(self, parameters: Vector, statistics: Vector) -> dict[str, Tensor]:
        named = _named(torch.from_numpy(parameters), self._shapes)
        return {**named, **_named(torch.from_numpy(statistics), self._buffers)}

    def _call(self, net: nn.Module, tensors: Mapping[str, Tensor], inputs: Sequence[Vector]) -> Tensor:
        given = tuple(torch.from_numpy(np.ascontiguousarray(each, np.float32)) for each in inputs)
        images: Tensor = functional_call(net, dict(tensors), given)
        return images


def _joined(tensors: Any) -> Vector:
    """Tensors as one vector; an empty one of none."""
    flat = [each.detach().reshape(-1) for each in tensors]
    return torch.cat(flat).numpy().copy() if flat else np.empty(0, np.float32)


def _named(flat: Tensor, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """The parts of a vector by name, in their shapes; views of it."""
    parts = flat.split([shape.numel() for shape in shapes.values()])
    return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
