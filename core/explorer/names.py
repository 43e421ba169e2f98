"""What a reader calls a network: a file's name, "lite0_onnx" of "demo:lite0_onnx", else its backend."""

from pathlib import Path

from ..model.base import Model

__all__ = ["network_name"]


def network_name(model: Model) -> str:
    """Never a whole path, which would show where the network lies on its owner's disk."""
    network = model.recipe.network if model.recipe is not None else None
    if not isinstance(network, str | Path):
        return model.backend
    text = str(network)
    return text.partition(":")[2] if text.startswith("demo:") else Path(text).name
