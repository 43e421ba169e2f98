"""The contract between training and the framework that runs a style network forwards and backwards."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .spec import StyleSpec

__all__ = ["BuildTrainable", "Pass", "Trainable"]

Vector: TypeAlias = np.ndarray[Any, Any]
"""Shape (P,), float32."""


@dataclass(frozen=True)
class Pass:
    """What a forward pass of training gives."""

    images: Vector
    """(N, 3, H, W) in [0, 1], float32."""
    statistics: Vector
    """The running statistics after this pass, (S,)."""
    back: Callable[[Vector], Vector]
    """From the gradient at the images, (N, 3, H, W), to that at the parameters, (P,); can be called once."""


class Trainable(ABC):
    """A style network as a function of one vector of parameters: it holds no state that training changes.

    So a state of training is a few arrays: a step that is cut off at any place leaves the last state whole.
    """

    spec: StyleSpec
    parameters: Vector
    """Those to start from, drawn with the seed, (P,)."""
    statistics: Vector
    """Running statistics of batch normalisation to start from, (S,); S is 0 without any."""

    @abstractmethod
    def forward(self, parameters: Vector, statistics: Vector, inputs: Sequence[Vector]) -> Pass:
        """A pass of training: batch normalisation uses the batch's own statistics.

        Args:
            parameters: (P,).
            statistics: (S,).
            inputs: images (N, 3, H, W) in [0, 1], or a decoder's features; with conditional normalisation
                the styles' weights (N, styles) too.
        """

    @abstractmethod
    def apply(self, parameters: Vector, statistics: Vector, inputs: Sequence[Vector]) -> Vector:
        """Images (N, 3, H, W) as the trained network gives them: batch normalisation uses the running statistics."""

    @abstractmethod
    def weights(self, parameters: Vector, statistics: Vector) -> Mapping[str, Vector]:
        """The arrays by PyTorch's names in its state_dict, as `crosslens_save_style_network` takes them."""


BuildTrainable: TypeAlias = Callable[[StyleSpec, int], Trainable]
"""From a network's description and a seed."""
