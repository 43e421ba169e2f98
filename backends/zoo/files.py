"""A network of the zoo as the file that its framework writes: .pt2, .keras or .onnx."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crosslens.files.whole_file import whole_file
from crosslens.plugins.carried import metadata_of, write_metadata

__all__ = ["save"]


def save(architecture: str, framework: str, folder: Path, options: Mapping[str, Any]) -> Path:
    """Write a network into a folder with its preprocessing and labels, and return the file.

    So far for networks of RGB images.

    Args:
        architecture: its name in the zoo.
        framework: "torch", "keras" or "onnx".
        folder: where the file is written; for .pt2 and .keras the side file with preprocessing and labels as well.
        options: those of `crosslens.wrap` for this network.
    """
    suffix, write = _WRITERS[framework]
    path = folder / f"{architecture}{suffix}"
    with whole_file(path) as temporary:
        write(architecture, temporary)
    carried = {name: options[name] for name in ("preprocess", "labels") if name in options}
    write_metadata(path, metadata_of(carried, None))
    return path


def _program(architecture: str, path: Path) -> None:
    import torch

    from . import torch_nets

    batch = torch.zeros(2, 3, 224, 224)
    network = getattr(torch_nets, architecture)()
    torch.export.save(torch.export.export(network, (batch,), dynamic_shapes=({0: torch.export.Dim.AUTO},)), path)


def _keras_file(architecture: str, path: Path) -> None:
    from . import keras_nets

    getattr(keras_nets, architecture)().save(path)


def _onnx_file(architecture: str, path: Path) -> None:
    import onnx

    from . import onnx_files

    onnx.save(getattr(onnx_files, architecture)(), path)


_WRITERS: Mapping[str, tuple[str, Callable[[str, Path], None]]] = {
    "torch": (".pt2", _program),
    "keras": (".keras", _keras_file),
    "onnx": (".onnx", _onnx_file),
}
"""By framework: the suffix, and what writes the file."""
