"""What is kept of one pass through a network: copies of activations, and where gradients enter and leave."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import torch
from crosslens.errors import ModelError
from crosslens.model import INPUT
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from .isolation import isolation

__all__ = ["Reads", "Recording", "StopForward", "direct_inputs", "upstream"]


class StopForward(BaseException):
    """All that was asked for has been seen, so the rest of the network need not run. No error, hence no Exception."""


class Target(NamedTuple):
    """Where the gradient at one layer is read; `edge` is None where the network itself cuts the graph."""

    edge: Any
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


@dataclass
class Recording:
    """One pass: `record` is called with each wanted layer's output and says what the network goes on with.

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
    unreached: bool = False
    """Whether autograd knew no way from a cotangent to some layer of `wrt`."""
    _seen: set[str] = field(default_factory=set)
    _bypassed: list[tuple[str, Tensor, int]] = field(default_factory=list)

    @property
    def layers(self) -> frozenset[str]:
        """All that must be seen."""
        return self.capture | self.wrt - {INPUT} | self.sources | frozenset(self.replace)

    @property
    def changed(self) -> frozenset[str]:
        """Those at which `record` may return another tensor than it got."""
        return self.wrt - {INPUT} | frozenset(self.replace)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be seen, and gradients can enter wherever they are to."""
        return self.layers <= self._seen and self.sources <= self.edges.keys()

    def record(self, name: str, y: Tensor) -> Tensor:
        """Keep what is wanted of a layer's output; returns what runs on."""
        self._seen.add(name)
        if name in self.replace:
            y = self.replace[name]
        if name in self.wrt:
            y = self._parted(name, y)
        if name in self.capture:
            self.values[name] = y.detach().clone()
        if name in self.sources and y.requires_grad:
            self.edges[name] = get_gradient_edge(y)
        return y

    def _parted(self, name: str, y: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            raise ModelError(
                f"the network runs layer {name!r} under torch.no_grad, which hides its gradient; "
                "take the no_grad out of its forward method"
            )
        self._bypassed.append((name, y, y._version))
        y = (y if y.requires_grad else y.detach().requires_grad_()).clone()
        self.watch(name, y)
        return y

    def watch(self, name: str, y: Tensor) -> None:
        """Read the gradient at this tensor."""
        self.targets[name] = Target(get_gradient_edge(y), y.shape, y.dtype, y.device)

    def check(self) -> None:
        """Refuse a pass that did not do what was asked.

        Raises:
            ModelError: a layer did not run, or its output was overwritten through another reference to it.
        """
        missing = sorted(self.layers - self._seen)
        if missing:
            raise ModelError(f"layers {missing} did not run for these images: the network took another path")
        for name, y, version in self._bypassed:
            if y._version != version:
                raise ModelError(
                    f"the network overwrites the output of layer {name!r} through another reference to it, "
                    "so gradients there cannot be told apart; choose the layer before or after it"
                )

    def gradients(self, cotangents: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
        """The gradient at each layer of `wrt`; zeros where nothing flows. `keep` allows another call."""
        given = [(self.edges[name], values) for name, values in cotangents.items() if name in self.edges]
        found: list[Tensor | None] = [None] * len(self.targets)
        if given and found:
            with isolation(grad=torch.is_grad_enabled()), derivatives():
                found = torch.autograd.grad(
                    [edge for edge, _ in given],
                    [target.edge for target in self.targets.values()],
                    [values for _, values in given],
                    retain_graph=keep,
                    allow_unused=True,
                )
        self.unreached = len(given) < len(cotangents) or None in found
        return {
            name: torch.zeros(target.shape, dtype=target.dtype, device=target.device) if gradient is None else gradient
            for (name, target), gradient in zip(self.targets.items(), found, strict=True)
        }

    def release(self) -> None:
        """Let the graph go."""
        self.edges.clear()
        self._bypassed.clear()


@contextmanager
def derivatives() -> Iterator[None]:
    """Within this block torch differentiates, and what it has no derivative of is refused in our words.

    Raises:
        ModelError: with the reason that torch gives.
    """
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ModelError(f"torch cannot differentiate this network: {reason}") from error


Reads: TypeAlias = Mapping[str, tuple[str, ...]]
"""The layers that each layer is computed from with no other layer between."""


def direct_inputs(edges: Mapping[str, GradientEdge]) -> Reads:
    """What each layer reads, by autograd's graph of one pass; `edges` are in execution order.

    A tensor with several names, a module's and its last child's, is one place: the later name reads the earlier one,
    and what reads the tensor reads its last name.
    """
    names: dict[Any, list[str]] = {}
    for name, edge in edges.items():
        names.setdefault((edge.node, edge.output_nr), []).append(name)
    found: dict[str, tuple[str, ...]] = {}
    for place, (first, *later) in names.items():
        found[first] = tuple(names[each][-1] for each in _nearest(place, names))
        found |= {name: (before,) for before, name in pairwise((first, *later))}
    return found


def _nearest(place: Any, known: Container[Any]) -> Iterator[Any]:
    """The known places from which a walk against the flow first meets one, in the order of arguments."""
    node, _ = place
    ahead, seen = [*reversed(node.next_functions)], set[Any]()
    while ahead:
        before = ahead.pop()
        if before[0] is None or before in seen:
            continue
        seen.add(before)
        if before in known:
            yield before
        else:
            ahead += reversed(before[0].next_functions)


def upstream(reads: Reads, names: Iterable[str]) -> frozenset[str]:
    """The layers that the named ones are computed from, themselves included."""
    found, ahead = set[str](), [name for name in names if name in reads]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += reads[name]
    return frozenset(found)
