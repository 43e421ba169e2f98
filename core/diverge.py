"""Where two versions of a network part: the first layer whose error is more than rounding, and what is wrong there."""

from dataclasses import dataclass
from typing import Any

from .align import Alignment
from .arrays import Array
from .model import Model
from .progress import Progress, silent

__all__ = ["Cause", "Divergence", "Step", "diverge"]


@dataclass(frozen=True)
class Step:
    """One pair of layers on the way from the image to the output."""

    a: str
    b: str
    error: float
    """Relative L2 difference |a - b| / |a|, both networks run as they are: what has grown up to here."""
    own: float
    """The same where the second network is handed the first one's activations before this layer: what it adds."""
    noise: float
    """What `own` may be from rounding alone; see `Divergence.noise`."""
    agreement: float
    """Pearson's correlation of the activations, both networks run as they are."""

    @property
    def leaves_noise(self) -> bool:
        """Whether this layer itself computes something else."""
        return not self.own <= self.noise


@dataclass(frozen=True)
class Cause:
    """What is wrong at a layer, as far as it can be shown."""

    kind: str
    """"preprocessing", "resize", "weights", "channels", "padding", "epsilon", "transposed", "rectifier", "float16",
    "int8" or "unknown"."""
    text: str
    """In words, with the evidence."""


@dataclass(frozen=True)
class Divergence:
    """The walk through two aligned networks."""

    models: tuple[str, str]
    steps: tuple[Step, ...]
    """In execution order, `INPUT` first and `OUTPUT` last."""
    first: Step | None
    """The first layer that leaves the noise; None if none does."""
    cause: Cause | None
    noise: str
    """How the noise was estimated, in words."""
    alignment: Alignment

    @property
    def text(self) -> str:
        """The finding in one or two sentences."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Everything in it, for a file."""
        raise NotImplementedError


def diverge(
    a: Model,
    b: Model,
    images: Array = None,
    *,
    others: Array = None,
    names: tuple[str, str] | None = None,
    progress: Progress = silent,
) -> Divergence:
    """Walk the aligned layers of two models and name the first one where they part.

    Args:
        a: the reference.
        b: what should be the same.
        images: (N, C, H, W), float32 in [0, 1]; photographs that come with scikit-image if not given.
        others: the same pictures as `b` gets them, where its own pipeline loads and resizes them.
        names: what to call the models; their backends' names if not given.
        progress: called after each part of the work with (done, total, what).
    """
    raise NotImplementedError
