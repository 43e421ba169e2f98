"""The device that a user asks TensorFlow for."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from crosslens.errors import ModelError

__all__ = ["device_of"]


def device_of(options: Mapping[str, Any]) -> str | None:
    """A TensorFlow device by name, or None for TensorFlow's own choice."""
    if options["providers"] is not None:
        raise ModelError("providers are onnxruntime's; TensorFlow takes device='/GPU:0' or leaves the choice to itself")
    device = options["device"]
    if device is None:
        return None
    known = [each.name.removeprefix("/device:") for each in tf.config.list_logical_devices()]
    asked = str(device).removeprefix("/").removeprefix("device:").upper()
    asked = asked if ":" in asked else f"{asked}:0"
    if asked not in known:
        raise ModelError(
            f"no device {str(device)!r} in TensorFlow; there are {', '.join(f'/{name}' for name in known)}"
        )
    return f"/{asked}"
