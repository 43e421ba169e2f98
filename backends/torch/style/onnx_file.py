"""Style networks as .onnx files, for any number of pictures of any size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxscript  # noqa: F401 - torch.onnx.export needs it: refused before a training, not after
import torch
from crosslens.errors import ModelError
from crosslens.files.whole_file import whole_file
from crosslens.plugins.hookspecs import hookimpl
from crosslens.style_network.architecture import architecture
from crosslens.style_network.spec import StyleSpec

from ...quiet_exporters import quiet
from .convolution_by_rows import ConvolutionByRows
from .program_file import export, network_with

__all__ = ["crosslens_save_style_network"]


@hookimpl
def crosslens_save_style_network(spec: StyleSpec, weights: Mapping[str, Any], path: Path) -> bool | None:
    """By torch.export and torch.onnx.export, the weights inside."""
    if path.suffix != ".onnx":
        return None
    network = network_with(spec, weights)
    last = network.get_submodule(architecture(spec)[-1].name)
    last.convolution = ConvolutionByRows(last.get_submodule("convolution"))
    names = [spec.input_name, "style_weights"][: 1 + spec.has_style_weights]
    with quiet():
        exported = torch.onnx.export(
            export(spec, network), (), dynamo=True, external_data=False, input_names=names, output_names=["output"]
        )
    assert exported is not None
    with whole_file(path, ModelError) as temporary:
        temporary.write_bytes(exported.model_proto.SerializeToString())
    return True
