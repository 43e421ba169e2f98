"""A torch network as an ONNX model with a free batch size, by either of torch's exporters."""

import io
from typing import Any

import onnx
import torch
from crosslens.backends.quiet_exporters import quiet

__all__ = ["exported"]


def exported(
    net: torch.nn.Module, exporter: str = "dynamo", shape: tuple[int, ...] = (3, 224, 224), **options: Any
) -> onnx.ModelProto:
    """The network on images of `shape`: "input" (N, *shape); `options` are torch.onnx.export's, as opset_version."""
    buffer, batch = io.BytesIO(), torch.zeros(2, *shape)
    dynamo = exporter == "dynamo"
    if not dynamo and exporter != "legacy":
        raise ValueError(f"no exporter {exporter!r}; there are dynamo and legacy")
    free = {
        "dynamic_shapes": ({0: torch.export.Dim("batch", min=1, max=64)},),
        "verbose": False,
        "external_data": False,
    }
    named = free if dynamo else {"dynamic_axes": {"input": {0: "batch"}}}
    with quiet():
        torch.onnx.export(net, (batch,), buffer, dynamo=dynamo, input_names=["input"], **named, **options)
    return onnx.load_from_string(buffer.getvalue())
