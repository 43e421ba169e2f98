"""Style networks as programs of torch.export, for any number of pictures of any size, and as .pt2 files."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.files.whole_file import whole_file
from crosslens.plugins.hookspecs import hookimpl
from crosslens.style_network.spec import StyleSpec
from torch import nn
from torch.export import Dim, ExportedProgram

from ...quiet_exporters import quiet
from .networks import build, load_weights

__all__ = ["crosslens_save_style_network", "export", "network_with"]


@hookimpl
def crosslens_save_style_network(spec: StyleSpec, weights: Mapping[str, Any], path: Path) -> bool | None:
    """By torch.export."""
    if path.suffix != ".pt2":
        return None
    content = io.BytesIO()
    with quiet():
        torch.export.save(export(spec, network_with(spec, weights)), content)
    with whole_file(path, ModelError) as temporary:
        temporary.write_bytes(content.getvalue())
    return True


def network_with(spec: StyleSpec, weights: Mapping[str, Any]) -> nn.Module:
    """A style network with these weights; torch's generator of random numbers is left as it was.

    Raises:
        ModelError: the weights are another network's.
    """
    with torch.random.fork_rng(devices=[]):
        network = build(spec)
    load_weights(network, weights)
    return network.eval()


def export(spec: StyleSpec, network: nn.Module) -> ExportedProgram:
    """A style network in eval mode as a program for any batch, height and width."""
    least, channels = (2, spec.code[0]) if spec.code else (5, 3)
    batch, height, width = Dim("batch", min=1), Dim("height", min=least), Dim("width", min=least)
    inputs = {"image": (torch.zeros(2, channels, least + 4, least + 7), {0: batch, 2: height, 3: width})}
    if spec.has_style_weights:
        inputs["style_weights"] = torch.full((2, spec.styles), 1 / spec.styles), {0: batch}
    examples = tuple(example for example, _ in inputs.values())
    sizes = {name: size for name, (_, size) in inputs.items()}
    return torch.export.export(network, examples, dynamic_shapes=sizes)
