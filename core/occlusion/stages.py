"""The contract between core and a backend that runs a network in stages, each on crops of its maps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ..arrays import Array
from ..model.layer import INPUT
from .receptive_field import Rect, Sliding, rect_behind, rects_of

__all__ = ["Boxes", "NotStagedError", "Read", "Stage", "Staged", "SupportsStages"]

Boxes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""(P, 4): top, bottom, left, right of each box in pixels, the ends excluded."""


class NotStagedError(Exception):
    """A backend cannot cut a network into stages; the message says why."""


@dataclass(frozen=True)
class Read:
    """What a stage reads of one tensor, for rows and columns; `fill` stands outside the map."""

    tensor: str
    sliding: tuple[Sliding, Sliding]
    fill: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A part of a network whose outputs all change in the same rectangle of maps of one size."""

    reads: tuple[Read, ...]
    writes: tuple[str, ...]
    size: tuple[int, int]
    cost: float
    """Multiplications for whole maps of one image."""


class Staged(ABC):
    """A network as stages, and what is left when a number of them is done; ready for one size of images.

    A stage computes what the whole network computes there. What adds nothing up (maxima, rectifiers) is the same to the
    last bit. A sum is the same up to rounding: a framework chooses its kernel, and with it the order of adding, by the
    size of a map, its layout and the processor's instructions. Logits then lie no further from float64 than a few times
    what those of whole images do (tests/backends/test_occlusion.py): 1e-6 to 2e-6 of a ResNet-50's largest.
    """

    stages: Sequence[Stage]
    """In an order in which each can run. The first reads `INPUT`."""
    image_size: tuple[int, int]
    """(H, W)"""
    rest: float
    """The cost of what follows, per image."""
    leaves: frozenset[str]
    """Tensors of the stages that what follows reads, or that are asked for."""
    slower: float = 1.0
    """How much longer a multiplication takes on crops than on whole maps."""
    channels: Mapping[str, int]
    """Of each tensor that a stage reads or writes."""
    axes: Mapping[str, int]
    """The axis of the rows in such a tensor, 1 or 2."""
    at_once: int = 1
    """Threads that call `run` and `finish` at the same time, as many as keep the processor busy."""

    def prepared(self, x: Array) -> Array:
        """Images as the stages read them, each pixel on its own."""
        return x

    @abstractmethod
    def run(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """One stage on a crop for each of its reads; an array for each of its writes."""

    @abstractmethod
    def finish(self, done: int, wholes: Mapping[str, Array]) -> Mapping[str, Array]:
        """The layers asked for, of the tensors that `live(done)` names."""

    def live(self, done: int) -> tuple[str, ...]:
        """Tensors that are read when this many stages are done, and that these made."""
        made = {INPUT, *(w for stage in self.stages[:done] for w in stage.writes)}
        read = {read.tensor for stage in self.stages[done:] for read in stage.reads} | self.leaves
        return tuple(sorted(made & read))

    @cached_property
    def cost(self) -> float:
        """Of one image computed the plain way."""
        return sum(stage.cost for stage in self.stages) + self.rest

    def rects(self, boxes: Boxes) -> tuple[dict[str, Rect], list[Rect]]:
        """What boxes (P, 4) can change, by tensor and by stage."""
        by_tensor, by_stage = {INPUT: rects_of(boxes, self.image_size)}, []
        for stage in self.stages:
            rect = rect_behind([(by_tensor[read.tensor], read.sliding) for read in stage.reads], stage.size)
            by_tensor.update(dict.fromkeys(stage.writes, rect))
            by_stage.append(rect)
        return by_tensor, by_stage


@runtime_checkable
class SupportsStages(Protocol):
    """A backend's model that can cut its network into stages; a model without this method computes whole images."""

    def staged_network(self, size: tuple[int, int], capture: tuple[str, ...], boxes: int | None = None) -> Staged:
        """The network as stages.

        Args:
            size: (H, W) of the image in pixels.
            capture: names of the layers asked for, never `INPUT`.
            boxes: how many boxes will be covered: preparation may take longer than so few. None: unknown.

        Raises:
            NotStagedError: this network cannot be cut, or it would not pay; the message says why.
        """
        ...
