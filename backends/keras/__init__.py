"""Keras and TensorFlow: objects and files of Keras 3 on TensorFlow, and SavedModel folders.

A Keras model that runs on Keras' torch backend is a torch module and goes to the torch backend.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError
from crosslens.model import Model
from crosslens.plugins import BACKENDS, plugin
from crosslens.plugins.hookspecs import hookimpl
from crosslens.plugins.registry import load as load_plugin

from .load.quiet_import import quiet_import

with quiet_import():
    import keras

__all__ = ["crosslens_wrap"]


@hookimpl
def crosslens_wrap(network: Any, options: Mapping[str, Any]) -> Model | None:
    """A `keras.Model`, a `.keras`, `.h5` or `.hdf5` file, a SavedModel folder, or what `tf.saved_model.load` gives."""
    running = keras.backend.backend()
    if running not in {"tensorflow", "torch"}:
        raise ModelError(
            f"Keras runs on {running!r} here; set KERAS_BACKEND to tensorflow or torch before importing it"
        )
    return _on_torch(network, options) if running == "torch" else _on_tensorflow(network, options)


def _on_torch(network: Any, options: Mapping[str, Any]) -> Model | None:
    from .load.files import load_keras

    if isinstance(network, str | Path):
        if Path(network).is_dir():
            raise ModelError(
                f"'{network}' is a SavedModel, which Keras on torch cannot run; set KERAS_BACKEND=tensorflow"
            )
        network = load_keras(Path(network), options["trust"])
    if not isinstance(network, keras.Model):
        return None
    wrapped = load_plugin(plugin(BACKENDS, "torch")).hook.crosslens_wrap(network=network, options=options)
    return wrapped[0] if wrapped else None


def _on_tensorflow(network: Any, options: Mapping[str, Any]) -> Model | None:
    from .layers.keras_network import KerasNetwork
    from .load.files import load_keras
    from .load.load_errors import explain_errors
    from .load.savedmodel import load_saved_model
    from .model import TensorFlowModel

    if isinstance(network, str | Path):
        path = Path(network)
        trust = options["trust"]
        network = load_saved_model(path, trust) if path.is_dir() else load_keras(path, trust)
    if isinstance(network, keras.Model):
        with explain_errors("the Keras model cannot be wrapped"):
            return TensorFlowModel(KerasNetwork.of(network, options), options)
    if hasattr(network, "signatures"):
        from .load.savedmodel import GraphNetwork

        with explain_errors("the SavedModel cannot be wrapped"):
            return TensorFlowModel(GraphNetwork.of(network, options), options)
    return None
