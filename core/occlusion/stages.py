"""The contract between core and a backend that runs a network in stages, each on crops of its feature maps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ..arrays import Array
from ..model.layer import INPUT
from .receptive_field import Rectangles, SlidingWindow, affected_rectangles, box_rectangles

__all__ = ["Boxes", "NoStagesError", "Stage", "StageInput", "StagedNetwork", "SupportsStages"]

Boxes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
"""(P, 4): top, bottom, left, right of each box in pixels, the ends excluded."""


class NoStagesError(Exception):
    """A backend does not run a network in stages; the message says why."""


@dataclass(frozen=True)
class StageInput:
    """A tensor that a stage reads, and the windows over its rows and columns; beyond the map stands `fill`."""

    tensor: str
    windows: tuple[SlidingWindow, SlidingWindow]
    fill: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A part of a network whose outputs are maps of one size that all change in the same rectangle."""

    inputs: tuple[StageInput, ...]
    outputs: tuple[str, ...]
    size: tuple[int, int]
    """(H, W) of the outputs."""
    cost: float
    """Multiplications for whole maps of one image."""


class StagedNetwork(ABC):
    """A network for one size of images, cut into stages and the tail: what is computed from their outputs.

    A stage computes what the whole network computes there. What adds nothing up (maxima, rectifiers) is the same to the
    last bit. A sum is the same up to rounding: a framework chooses its kernel, and with it the order of adding, by the
    size of a map, its layout and the processor's instructions. Logits then lie no further from float64 than a few times
    what those of whole images do (tests/backends/test_occlusion.py): 1e-6 to 2e-6 of a ResNet-50's largest.

    Any number of the stages, from the first one on, can be run on crops; `run_tail` computes the others on whole maps.
    """

    stages: Sequence[Stage]
    """In an order in which each can run. The first reads `INPUT`."""
    image_size: tuple[int, int]
    """(H, W)"""
    tail_cost: float
    """Multiplications per image of what is in no stage."""
    tail_inputs: frozenset[str]
    """Outputs of stages, or `INPUT`, that the tail reads or that are asked for."""
    crop_slowdown: float = 1.0
    """How much longer a multiplication takes on crops than on whole maps."""
    channels: Mapping[str, int]
    """Of each tensor that a stage reads or writes."""
    row_axes: Mapping[str, int]
    """The axis of the rows in each such tensor: 2 where channels come first, 1 where they come last."""
    threads: int = 1
    """Threads that call `run_stage` and `run_tail` at the same time, as many as keep the processor busy."""

    def preprocess(self, x: Array) -> Array:
        """Images as the first stage reads them; each pixel depends on itself alone."""
        return x

    @abstractmethod
    def run_stage(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """One stage on a crop for each of its inputs; an array for each of its outputs."""

    @abstractmethod
    def run_tail(self, stages: int, maps: Mapping[str, Array]) -> Mapping[str, Array]:
        """The layers asked for, computed from the whole maps of `live_tensors(stages)`."""

    def live_tensors(self, stages: int) -> tuple[str, ...]:
        """Tensors that exist when this many stages have run and that something else still reads."""
        computed = {INPUT, *(name for stage in self.stages[:stages] for name in stage.outputs)}
        read = {i.tensor for stage in self.stages[stages:] for i in stage.inputs} | self.tail_inputs
        return tuple(sorted(computed & read))

    @cached_property
    def cost(self) -> float:
        """Multiplications of the network on one whole image."""
        return sum(stage.cost for stage in self.stages) + self.tail_cost

    def affected_rectangles(self, boxes: Boxes) -> list[Rectangles]:
        """What boxes (P, 4) can change of the image, and of the outputs of each stage."""
        image = box_rectangles(boxes, self.image_size)
        by_tensor, rectangles = {INPUT: image}, [image]
        for stage in self.stages:
            affected = affected_rectangles([(by_tensor[i.tensor], i.windows) for i in stage.inputs], stage.size)
            by_tensor.update(dict.fromkeys(stage.outputs, affected))
            rectangles.append(affected)
        return rectangles


@runtime_checkable
class SupportsStages(Protocol):
    """A backend's model that can cut its network into stages; a model without this method computes whole images."""

    def staged_network(
        self, size: tuple[int, int], capture: tuple[str, ...], boxes: int | None = None
    ) -> StagedNetwork:
        """The network as stages.

        Args:
            size: (H, W) of the image in pixels.
            capture: names of the layers asked for, never `INPUT`.
            boxes: how many boxes will be covered: preparation may take longer than so few. None: unknown.

        Raises:
            NoStagesError: this network cannot be cut, or it would not pay; the message says why.
        """
        ...
