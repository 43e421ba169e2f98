"""Call sites: which call from a network's code into TensorFlow or Keras created an operation.

All operations that one call creates are one function: `keras.ops.gelu`, for example, with its eight operations.
"""

import os
import sys
from types import FrameType
from typing import Any

import keras
import tensorflow as tf

from . import layer_calls

__all__ = ["call_site", "in_custom_gradient"]

_LIBRARIES = tuple(os.path.dirname(module.__file__) + os.sep for module in (tf, keras))
_CUSTOM_GRADIENT = "custom_gradient.py"
_WRAPPERS = ("traceback_utils.py", "dispatch.py", "weak_tensor_ops.py", "operation.py", _CUSTOM_GRADIENT)


def call_site() -> tuple[Any, str]:
    """The innermost call from the network's code into a library, (the frame of the library's function, its name).

    What runs inside `tf.custom_gradient` belongs to the call of it. (None, "") where no code of the network runs.
    """
    frames = _frames()
    customs = [n for n, frame in enumerate(frames) if _is_library(frame) and _file(frame).endswith(_CUSTOM_GRADIENT)]
    start = customs[-1] if customs else 0
    own = next((n for n in range(start, len(frames)) if not _is_library(frames[n])), None)
    if not own:
        return None, ""
    return frames[own - 1], next((name for frame in reversed(frames[:own]) if (name := _name(frame))), "")


def in_custom_gradient() -> bool:
    """Whether a `tf.custom_gradient` is being called, whose inside no gradient reaches."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not (_is_library(frame) and _file(frame).endswith(_CUSTOM_GRADIENT)):
        frame = frame.f_back
    return frame is not None


def _frames() -> list[FrameType]:
    """The frames below the call of the layer, innermost first, our own at the inner end left out."""
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and _file(frame) != layer_calls.__file__:
        frames.append(frame)
        frame = frame.f_back
    first = next((n for n, each in enumerate(frames) if _is_library(each)), 0)
    return frames[first:]


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _is_library(frame: FrameType) -> bool:
    return _file(frame).startswith(_LIBRARIES)


def _name(frame: FrameType) -> str:
    """The name of a function that a user may know."""
    name = frame.f_code.co_name
    hidden = name.startswith(("_", "<")) or "wrapper" in name or name in {"call", "static_call"}
    return "" if hidden or _file(frame).endswith(_WRAPPERS) else name
