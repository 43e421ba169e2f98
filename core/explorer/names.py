"""What a reader calls a network: a file's name, "lite0_onnx" of "demo:lite0_onnx", a factory's; else its backend."""

from pathlib import Path

from ..model.base import Model

__all__ = ["network_name"]


def network_name(model: Model) -> str:
    """Never a whole path, which would show where the network lies on its owner's disk."""
    if model.named is None:
        return model.backend
    text, _ = model.named
    if ":" in text and not Path(text).exists():
        return text.rpartition(":")[2]
    return Path(text).name
