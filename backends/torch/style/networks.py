"""A style network as a PyTorch module, and its weights as NumPy arrays by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from crosslens.errors import ModelError
from crosslens.style_network.architecture import Convolution, architecture
from crosslens.style_network.spec import EPSILON, StyleSpec
from torch import Tensor, nn

__all__ = ["StyleNetwork", "build", "load_weights", "read_weights"]

Weights = Mapping[str, np.ndarray[Any, Any]]


def build(spec: StyleSpec) -> nn.Module:
    """A style network with random weights, drawn from torch's generator; see `StyleSpec` for its input and output."""
    return StyleNetwork(spec)


def read_weights(network: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of a style network's weights and running statistics, float32, by their names in its state_dict."""
    values = network.state_dict()
    return {name: values[name].cpu().numpy().copy() for name in values if not name.endswith("num_batches_tracked")}


def load_weights(network: nn.Module, weights: Weights) -> None:
    """Set a style network's weights to those that `read_weights` gave.

    Raises:
        ModelError: they are another network's; one that is missing, too many, or of another shape is named.
    """
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    own = {name: shape for name, shape in own.items() if not name.endswith("num_batches_tracked")}
    for name in own.keys() | weights.keys():
        given, wanted = weights[name].shape if name in weights else None, own.get(name)
        if given != wanted:
            raise ModelError(
                f"these are not the weights of this style network: {name!r} has shape {given}, and {wanted} is wanted"
            )
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=False)


class StyleNetwork(nn.Module):
    """Convolutions one after another, each a module of its name."""

    def __init__(self, spec: StyleSpec) -> None:
        super().__init__()
        self.spec = spec
        self.convolutions = architecture(spec)
        for each in self.convolutions:
            self.add_module(each.name, _Convolution(each, spec.styles))

    def forward(self, image: Tensor, style_weights: Tensor | None = None) -> Tensor:
        """Shape (N, 3, H, W) in [0, 1]; from an image of that shape, or from features."""
        x, kept, sizes = image, image, []
        for each in self.convolutions:
            if each.stride > 1:
                sizes.append(x.shape[2:])
            if each.residual == "start":
                kept = x
            if each.enlarges:
                x = _enlarged(x, sizes.pop() if sizes else None)
            x = self.get_submodule(each.name)(x, style_weights)
            if each.residual == "end":
                x = x + kept
            x = _ACTIVATIONS[each.activation](x)
        return x


def _enlarged(x: Tensor, size: torch.Size | None) -> Tensor:
    """Twice as large by nearest neighbour: y[i] = x[i // 2], also where `size` is odd, one less than twice."""
    return nn.functional.interpolate(x, size, None if size else 2.0, mode="nearest")


_ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "none": lambda x: x}


class _Convolution(nn.Module):
    """A convolution padded by reflection, and the normalisation of its output."""

    def __init__(self, each: Convolution, styles: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            each.inputs, each.outputs, each.kernel, each.stride, each.kernel // 2,
            padding_mode="reflect", bias=each.norm == "none",
        )  # fmt: skip
        self.norm = _norm(each.norm, each.outputs, styles)

    def forward(self, x: Tensor, style_weights: Tensor | None) -> Tensor:
        y = self.convolution(x)
        if isinstance(self.norm, _ConditionalNorm):
            return self.norm(y, style_weights)
        return y if self.norm is None else self.norm(y)


def _norm(norm: str, channels: int, styles: int) -> nn.Module | None:
    """The module of a normalisation; None for "none"."""
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels, eps=EPSILON, affine=True)
        case "batch":
            return nn.BatchNorm2d(channels, eps=EPSILON)
        case "conditional":
            return _ConditionalNorm(styles, channels)
    return None


class _ConditionalNorm(nn.Module):
    """Conditional instance normalisation (Dumoulin et al., 2017, equation 5): scales and shifts mixed linearly."""

    def __init__(self, styles: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(styles, channels))
        self.bias = nn.Parameter(torch.zeros(styles, channels))

    def forward(self, x: Tensor, style_weights: Tensor | None) -> Tensor:
        if style_weights is None:
            raise ValueError(f"this network has {len(self.weight)} styles; give style_weights of shape (N, styles)")
        scale, shift = ((style_weights @ values)[..., None, None] for values in (self.weight, self.bias))
        return nn.functional.instance_norm(x, eps=EPSILON) * scale + shift
