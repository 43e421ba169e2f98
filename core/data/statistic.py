"""The contract of a statistic: what is gathered over many images, as a state that grows batch by batch and merges.

A statistic is a frozen dataclass, a value: two equal ones are gathered once. Its state is a mapping of names to arrays
and numbers of NumPy, small however many images there are, so that it can be saved, sent to another process and compared
bit by bit.

    state = statistic.empty()
    state = statistic.add(state, batch)        # once for each batch of a shard, in order
    state = statistic.merge(state, later)      # two shards' states, the earlier shard's first

Integer and order statistics (counts, minima, sorted lists) merge to the same bits in any grouping and say so by
`any_grouping = True`. Floating-point sums do not: their states are float64, and are merged in the order of the shards.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from ..arrays import Array
from ..model.base import Model
from ..model.reduction import Reduction
from .source import Samples

__all__ = ["Batch", "Quantity", "State", "Statistic"]

State: TypeAlias = Mapping[str, Any]
"""What a statistic knows so far: arrays and numbers of NumPy by name."""


class Quantity(ABC):
    """Something computed for each image beside the forward pass, an attribution for example: once for all who ask.

    Subclasses are frozen dataclasses, values like statistics, and can be pickled.
    """

    @abstractmethod
    def compute(self, model: Model, samples: Samples) -> Array:
        """It for each image of a batch, (N, ...).

        Args:
            model: the network.
            samples: the images, at least one.
        """


@dataclass(frozen=True)
class Batch:
    """A few consecutive images of a source, and what the model gives for them."""

    samples: Samples
    """The images, with their indices, ids and records."""
    activations: Mapping[str, Array]
    """By layer, channels-first, (N, ...): each layer that some statistic of the sweep asks for."""
    reduced: Mapping[Reduction, Array] = field(default_factory=dict)
    """By reduction, (N, units): each that some statistic asks for."""
    quantities: Mapping[Quantity, Array] = field(default_factory=dict)
    """By quantity, (N, ...): each that some statistic asks for."""

    def __len__(self) -> int:
        return len(self.samples.ids)


class Statistic(ABC):
    """Something to gather over images. Subclasses are frozen dataclasses; none of the methods changes its arguments."""

    any_grouping: ClassVar[bool] = False
    """Whether states merge to the same bits in any grouping and with any cut into batches."""

    @property
    def layers(self) -> frozenset[str]:
        """The layers whose activations `add` reads whole."""
        return frozenset()

    @property
    def reductions(self) -> frozenset[Reduction]:
        """The reductions of layers that `add` reads; they cost less than whole activations."""
        return frozenset()

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What else `add` reads of each image."""
        return frozenset()

    @abstractmethod
    def empty(self) -> State:
        """The state before any image, neutral in `merge`."""

    @abstractmethod
    def add(self, state: State, batch: Batch) -> State:
        """The state with one more batch."""

    @abstractmethod
    def merge(self, first: State, second: State) -> State:
        """The state of two runs of images, those of `first` before those of `second` in the source."""
