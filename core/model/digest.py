"""A model's digest, by which results and comparisons say which network they are of."""

from hashlib import blake2b

from ..arrays import array_bytes
from .backend import BackendModel

__all__ = ["digest"]


def digest(model: BackendModel) -> str:
    """A hash of the layers' kinds, shapes and weights."""
    state = blake2b(digest_size=16)
    for layer in model.layers.values():
        state.update(f"{layer.kind}{layer.shape}".encode())
        for name, values in sorted(model.weights(layer.name).items()):
            state.update(name.encode() + array_bytes(values))
    return state.hexdigest()
