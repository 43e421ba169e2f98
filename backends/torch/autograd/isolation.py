"""Isolation of a pass from its caller's settings: autocast, compilation, activation checkpoints, inference mode."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.utils import checkpoint

__all__ = ["isolation", "without_autocast"]

_DEVICES = ("cpu", "cuda", "mps", "xpu")


@contextmanager
def isolation(*, grad: bool) -> Iterator[None]:
    """Run a network as if it were called alone; hold `crosslens.backends.torch.layers.module_network.LOCK`.

    - Inference mode and a caller's autocast are off; an autocast inside a network's own forward method counts.
    - What `torch.compile` compiled runs as plain Python, so that hooks see its modules.
    - Activation checkpoints keep their activations. Otherwise they would run modules again in the backward pass, in
      train mode and without replacements; reentrant ones would also hide the graph inside.

    Args:
        grad: whether autograd records.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(grad))
        stack.enter_context(without_autocast())
        if "torch._dynamo" in sys.modules:  # else nothing has been compiled
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for name, replacement in _REPLACEMENTS.items():
            stack.callback(setattr, checkpoint, name, getattr(checkpoint, name))
            setattr(checkpoint, name, replacement)
        yield


@contextmanager
def without_autocast() -> Iterator[None]:
    """No autocast of the caller's within the block."""
    with ExitStack() as stack:
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


class _NoCheckpoint:
    """In place of torch's CheckpointFunction: calls the function."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        """The function's value, with its graph."""
        return function(*args)


def _no_hooks(*_: Any, **__: Any) -> Iterator[None]:
    """What runs before and after a checkpointed function: nothing."""
    yield


_REPLACEMENTS = {"CheckpointFunction": _NoCheckpoint, "_checkpoint_without_reentrant_generator": _no_hooks}
"""By name, what `torch.utils.checkpoint.checkpoint` calls, and what it shall call instead."""
