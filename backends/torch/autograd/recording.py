"""What one pass through a network records: copies of activations, and the edges where gradients enter and leave."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from crosslens.errors import CrosslensError, ModelError
from crosslens.model import ABSORBED, INPUT
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from .isolation import isolation

__all__ = ["Recording", "StopForward"]


class StopForward(BaseException):
    """Ends a forward pass early: all that was asked for has been computed. Not an error, hence not an Exception."""


class Target(NamedTuple):
    """Where the gradient at one layer is read; `edge` is None where the network itself cuts the graph."""

    edge: Any
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


@dataclass
class Recording:
    """One pass: `record` is called with the output of each layer asked for and returns what the network goes on with.

    An in-place operation after a layer overwrites its output and takes its place in the graph. So values are copied,
    and gradients enter and leave at edges noted before anything happens to the tensor. Below a layer of `wrt` the
    network goes on with a copy: what bypasses an Identity or a Dropout does not count as that layer's influence.
    """

    capture: frozenset[str] = frozenset()
    wrt: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    replace: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors of this pass alone: the network may overwrite them."""
    values: dict[str, Tensor] = field(default_factory=dict)
    edges: dict[str, GradientEdge] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    is_disconnected: bool = False
    """Whether autograd has no path from a cotangent to some layer of `wrt`."""
    _recorded: set[str] = field(default_factory=set)
    _bypassed: list[tuple[str, Tensor, int]] = field(default_factory=list)

    @property
    def layers(self) -> frozenset[str]:
        """Layers whose output is needed."""
        return self.capture | self.wrt - {INPUT, ABSORBED} | self.sources | frozenset(self.replace)

    @property
    def changed(self) -> frozenset[str]:
        """Those at which `record` may return another tensor than it got."""
        return self.wrt - {INPUT, ABSORBED} | frozenset(self.replace)

    @property
    def complete(self) -> bool:
        """Whether every layer has been recorded, with an edge wherever a cotangent will be given."""
        return self.layers <= self._recorded and self.sources <= self.edges.keys()

    def record(self, name: str, y: Tensor) -> Tensor:
        """Keep what is asked of a layer's output; returns what the network goes on with."""
        self._recorded.add(name)
        if name in self.replace:
            y = self.replace[name]
        if name in self.wrt:
            y = self._split_off(name, y)
        if name in self.capture:
            self.values[name] = y.detach().clone()
        if name in self.sources and y.requires_grad:
            self.edges[name] = get_gradient_edge(y)
        return y

    def _split_off(self, name: str, y: Tensor) -> Tensor:
        """A copy for what follows; the gradient at it is the layer's."""
        if not torch.is_grad_enabled():
            raise ModelError(
                f"the network runs layer {name!r} under torch.no_grad, which hides its gradient; "
                "take the no_grad out of its forward method"
            )
        self._bypassed.append((name, y, y._version))
        y = (y if y.requires_grad else y.detach().requires_grad_()).clone()
        self.add_target(name, y)
        return y

    def add_target(self, name: str, y: Tensor) -> None:
        """Read the layer's gradient at this tensor."""
        self.targets[name] = Target(get_gradient_edge(y), y.shape, y.dtype, y.device)

    def check(self) -> None:
        """Refuse a pass that did not do what was asked.

        Raises:
            ModelError: a layer did not run, or its output was overwritten through another reference to it.
        """
        missing = sorted(self.layers - self._recorded)
        if missing:
            raise ModelError(f"layers {missing} did not run for these images: the network's path depends on the image")
        for name, y, version in self._bypassed:
            if y._version != version:
                raise ModelError(
                    f"the network overwrites the output of layer {name!r} through another reference to it, "
                    "so gradients there cannot be told apart; choose the layer before or after it"
                )

    def gradients(self, cotangents: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
        """The gradient at each layer of `wrt`; zeros where nothing flows. `keep` allows another call."""
        starts = [(self.edges[name], values) for name, values in cotangents.items() if name in self.edges]
        gradients: list[Tensor | None] = [None] * len(self.targets)
        if starts and gradients:
            with isolation(grad=torch.is_grad_enabled()), derivatives():
                gradients = torch.autograd.grad(
                    [edge for edge, _ in starts],
                    [target.edge for target in self.targets.values()],
                    [values for _, values in starts],
                    retain_graph=keep,
                    allow_unused=True,
                )
        self.is_disconnected = len(starts) < len(cotangents) or None in gradients
        return {
            name: torch.zeros(target.shape, dtype=target.dtype, device=target.device) if gradient is None else gradient
            for (name, target), gradient in zip(self.targets.items(), gradients, strict=True)
        }

    def release(self) -> None:
        """Free the graph."""
        self.edges.clear()
        self._bypassed.clear()


@contextmanager
def derivatives() -> Iterator[None]:
    """Within this block a failure of torch to differentiate is a `ModelError`.

    Raises:
        ModelError: with the reason that torch gives.
    """
    try:
        yield
    except CrosslensError:
        raise
    except Exception as error:  # a hook of the network's own may raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if overwritten := _OVERWRITTEN.search(reason):
            shape, maker = overwritten.groups()
            reason = (
                f"it overwrites a tensor {shape} that the gradient of {maker} needs; set inplace=False in its "
                "activations, and replace functions such as relu_ and += by ones that return a new tensor"
            )
        raise ModelError(f"torch cannot differentiate this network: {reason}") from error


_OVERWRITTEN = re.compile(r"modified by an inplace operation: \[\S+ (\[[^\]]*\])\], which is output \d+ of (\w+)")
