"""A network of the zoo as the file that each framework writes: .pt2, .keras, .onnx."""

from importlib import import_module
from pathlib import Path

import onnx
import torch
from crosslens.execution.whole_file import whole_file

__all__ = ["write"]


def write(folder: Path, network: str = "lite0") -> list[Path]:
    """Write `network` into a folder once for each framework, and return the files.

    The files hold the network alone: wrap them with the preprocessing that the zoo's own Models have.
    """
    modules = {kind: import_module(f".{kind}", __package__) for kind in ("torch_nets", "keras_nets", "onnx_files")}
    built = {kind: getattr(module, network) for kind, module in modules.items()}
    paths = [folder / f"{network}{suffix}" for suffix in (".pt2", ".keras", ".onnx")]
    example = torch.zeros(2, 3, 224, 224)
    exported = torch.export.export(built["torch_nets"](), (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    with whole_file(paths[0]) as temporary:
        torch.export.save(exported, temporary)
    with whole_file(paths[1]) as temporary:
        built["keras_nets"]().save(temporary)
    with whole_file(paths[2]) as temporary:
        onnx.save(built["onnx_files"](), temporary)
    return paths
