"""A network runs as it is, whatever its caller has switched on: autocast, compilation, checkpoints, inference mode."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.utils import checkpoint

__all__ = ["isolation"]

_DEVICES = ("cpu", "cuda", "mps", "xpu")


@contextmanager
def isolation(*, grad: bool) -> Iterator[None]:
    """Run a network as if it were called alone; hold `crosslens.backends.torch.layers.module_network.LOCK`.

    - Inference mode and a caller's autocast are off; an autocast inside a network's own forward method counts.
    - What `torch.compile` made runs as the code that it was made of, so that hooks see its modules.
    - Activation checkpoints keep their activations. They would run modules again in the backward pass, when these are
      in train mode again and replaced activations are forgotten; reentrant ones would hide the graph inside.

    Args:
        grad: whether autograd records.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(grad))
        for device in _DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if "torch._dynamo" in sys.modules:  # else nothing has been compiled
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for name, twin in _TWINS.items():
            stack.callback(setattr, checkpoint, name, getattr(checkpoint, name))
            setattr(checkpoint, name, twin)
        yield


class _Unsaved:
    """torch's CheckpointFunction without a checkpoint."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        """The function's value, with its graph."""
        return function(*args)


def _unsaved(*_: Any, **__: Any) -> Iterator[None]:
    """What runs before and after a function with a checkpoint: nothing."""
    yield


_TWINS = {"CheckpointFunction": _Unsaved, "_checkpoint_without_reentrant_generator": _unsaved}
"""What `torch.utils.checkpoint.checkpoint` calls, by name, and what it calls instead."""
