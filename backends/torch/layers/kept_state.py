"""What a network's own forward method may change, kept while it runs: training flags, gradient flags, buffers."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["BufferGuard", "in_eval_mode", "without_parameter_gradients"]


@contextmanager
def in_eval_mode(modules: Collection[nn.Module]) -> Iterator[None]:
    """Within this block the modules are in eval mode; behind it in the mode they were, even if one called `train`."""
    modes = [(m, m.training) for m in modules if hasattr(m, "training")]  # a frozen script has no mode
    try:
        for module, training in modes:
            if training:
                module.training = False
        yield
    finally:
        for module, training in modes:
            if module.training != training:
                module.training = training


@contextmanager
def without_parameter_gradients(modules: Collection[nn.Module]) -> Iterator[None]:
    """Within this block no parameter needs a gradient: autograd records nothing before the first layer asked for."""
    learning = [p for module in modules for p in module._parameters.values() if p is not None and p.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad = False
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad = True


class BufferGuard:
    """Lets passes change copies of a module's buffers: statistics, counters, caches stay what they were.

    The first pass gets copies of all buffers, later ones of those that have changed in an earlier pass. The copy stays
    what the pass made it, for autograd may have saved it.
    """

    def __init__(self) -> None:
        self._changing: set[tuple[int, str]] | None = None

    @contextmanager
    def kept(self, modules: Collection[nn.Module]) -> Iterator[None]:
        """Within this block the network may change its buffers; they are what they were afterwards.

        Batch normalisation in train mode does not count its changes: the values of the copies are compared too.
        """
        plain = [module for module in modules if not isinstance(module, torch.jit.ScriptModule)]
        before = [(m, name, y, y._version) for m in plain for name, y in m._buffers.items() if y is not None]
        lent: dict[int, Tensor] = {}
        for module, name, buffer, _ in before:
            if self._changing is None or (id(module), name) in self._changing:
                module._buffers[name] = lent.setdefault(id(buffer), buffer.detach().clone())
        versions = {key: copy._version for key, copy in lent.items()}
        changed = self._changing or set()
        try:
            yield
        finally:
            for module, name, buffer, version in before:
                now, given = module._buffers.get(name), lent.get(id(buffer), buffer)
                counted = given._version != versions.get(id(buffer), version)
                if counted or now is not given or not (given is buffer or torch.equal(given, buffer)):
                    changed.add((id(module), name))
                module._buffers[name] = buffer
            self._changing = changed
