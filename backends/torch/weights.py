"""The parameters of a torch module in the one layout of `Model.weights`, and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from crosslens.arrays import Array, as_numpy
from crosslens.errors import ModelError
from torch import Tensor, nn
from torch.export.unflatten import InterpreterModule

__all__ = ["read_weights", "write_weights"]

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)
_OPERATORS = (
    ("conv_transpose", "transposed"),
    ("conv", "kernel"),
    ("linear", "kernel"),
    ("prelu", "slope"),
    ("where", "slope"),
    ("_norm", "norm"),
    ("mm", "kernel"),
    ("matmul", "kernel"),
)
"""A part of an exported operator's name, and the role that the operator gives the module's "weight"."""
_NAMES = {
    "kernel": {"weight": "kernel"},
    "transposed": {"weight": "kernel"},
    "norm": {"weight": "scale", "bias": "offset", "running_mean": "mean", "running_var": "variance"},
    "slope": {"weight": "slope"},
}


def read_weights(module: nn.Module) -> dict[str, Array]:
    """Copies of a module's own parameters and statistics by our names; without those of its children."""
    role = _role(module)
    weights = {}
    for name, tensor in _own(module, role).items():
        values = tensor.detach().cpu()
        array = values.to(values.dtype if values.dtype == torch.float64 else torch.float32).numpy().copy()
        weights[_NAMES.get(role.kind, {}).get(name, name)] = role.outside(name, array)
    return weights


def write_weights(module: nn.Module, changed: Mapping[str, Array]) -> None:
    """Set parameters of a module, which must not be the user's: a copy.

    Raises:
        ModelError: a parameter is computed from others (weight norm, spectral norm), or there is none of that name.
    """
    role = _role(module)
    stored = {ours: theirs for theirs, ours in _NAMES.get(role.kind, {}).items()}
    for ours, values in changed.items():
        name = stored.get(ours, ours)
        tensor = _registered_tensors(module).get(name)
        if tensor is None:
            raise ModelError(f"{type(module).__name__} computes its {ours!r} from other parameters; it cannot be set")
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(np.array(role.inside(name, as_numpy(values)), order="C")))


@dataclass(frozen=True)
class _Role:
    """What a module does with its "weight", which decides its name and layout."""

    kind: str = ""
    groups: int = 1

    def outside(self, name: str, values: Array) -> Array:
        """(in, out / groups, ...) of a transposed convolution as (out, in / groups, ...)."""
        return self._swap_channel_axes(values) if self.kind == "transposed" and name == "weight" else values

    inside = outside
    """Swapping the axes is its own inverse."""

    def _swap_channel_axes(self, values: Array) -> Array:
        groups, rest = self.groups, values.shape[2:]
        parts = values.reshape(groups, values.shape[0] // groups, values.shape[1], *rest)
        return np.ascontiguousarray(parts.swapaxes(1, 2)).reshape(
            groups * values.shape[1], values.shape[0] // groups, *rest
        )


def _role(module: nn.Module) -> _Role:
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        return _Role("transposed", module.groups)
    if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
        return _Role("kernel")
    if isinstance(module, _NORMS):
        return _Role("norm")
    if isinstance(module, nn.PReLU):
        return _Role("slope")
    return _exported_role(module)


def _exported_role(module: nn.Module) -> _Role:
    """The role of the parameters of an exported program's module, read from its operators."""
    nodes = module.graph.nodes if isinstance(module, InterpreterModule) else ()
    for node in nodes:
        operator = getattr(node.target, "_opname", "")
        kind = next((kind for part, kind in _OPERATORS if part in operator), "")
        if operator == "convolution" and node.args[6]:
            return _Role("transposed", int(node.args[8]))
        if kind == "transposed":
            return _Role(kind, int(node.args[6]) if len(node.args) > 6 else 1)
        if kind:
            return _Role(kind)
    return _Role()


def _own(module: nn.Module, role: _Role) -> dict[str, Tensor]:
    """Tensors by torch's names: registered ones, and a known layer's where they are computed (weight norm)."""
    names = [*_NAMES.get(role.kind, ()), *_registered_tensors(module)]
    tensors = {name: getattr(module, name, None) for name in dict.fromkeys(names)}
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor) and value.is_floating_point()}


def _registered_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Registered tensors, of a TorchScript module too, whose registries are not dictionaries."""
    alone = {"recurse": False, "remove_duplicate": False}
    return {**dict(module.named_buffers(**alone)), **dict(module.named_parameters(**alone))}
