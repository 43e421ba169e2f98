"""What a training gives: the style network with its losses, to use and to save."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..result.display import counted, one_line
from ..style_network.spec import StyleSpec
from ..style_network.trainable import Trainable
from .checkpoint import TrainingState, save_state
from .save import save_style_network

__all__ = ["SUFFIXES", "TrainedStyle"]

SUFFIXES = (".onnx", ".pt2", ".keras")
"""The endings of the files that a style network can be written to."""


@dataclass(frozen=True, eq=False, repr=False)
class TrainedStyle:
    """A trained style network; `save` writes it as a file that `crosslens.wrap` opens without options."""

    spec: StyleSpec
    """What network it is."""
    weights: Mapping[str, np.ndarray[Any, Any]]
    """By the names that PyTorch's state_dict gives them: the mean over the last steps."""
    losses: np.ndarray[Any, Any]
    """(steps, 3), before each step, means of the batch: the weighted losses of content, style and total variation."""
    record: Mapping[str, Any]
    """Settings, layers, weights of the losses and digests, as JSON can hold them."""
    seconds: float
    """What this training took, without an earlier part that it went on from."""
    notes: tuple[str, ...] = ()
    """What a reader must know: an interruption, few photographs."""
    diverged: bool = False
    """Whether it ended early because losses were not finite; the weights are the last ones that were kept."""
    interrupted: bool = False
    """Whether it was interrupted."""
    _network: Trainable | None = field(default=None)
    _state: TrainingState | None = field(default=None)

    def __repr__(self) -> str:
        return one_line(
            "TrainedStyle", [counted(len(self.losses), "step"), self._norm(), counted(len(self.notes), "note")]
        )

    def _norm(self) -> str:
        return self.spec.kind if self.spec.is_decoder else f"norm {self.spec.norm}"

    def __call__(self, *inputs: Any) -> np.ndarray[Any, Any]:
        """The network's pictures.

        Args:
            inputs: images (N, 3, H, W) in [0, 1], or a decoder's features (N, C, h, w); with conditional normalisation
                also the styles' weights (N, styles), which sum to 1.

        Returns:
            Shape (N, 3, H, W), in [0, 1], float32.
        """
        assert self._network is not None
        assert self._state is not None
        if len(inputs) != 1 + self.spec.has_style_weights:
            wanted = "images and style_weights (N, styles)" if self.spec.has_style_weights else "images alone"
            raise ParameterError(f"this network takes {wanted}; it was given {counted(len(inputs), 'array')}")
        arrays = [np.asarray(each, np.float32) for each in inputs]
        return self._network.apply(self._state.average, self._state.statistics, arrays)

    def save(self, path: str | Path) -> Path:
        """Write the network as .onnx, .pt2 or .keras; as .npz the state of the training, which `resume` goes on from.

        Raises:
            ParameterError: another ending, or the file cannot be written.
            PluginError: the framework of the file is not installed.
        """
        path = Path(path)
        if path.suffix == ".npz":
            assert self._state is not None
            save_state(self._state, self.record, path)
        else:
            save_style_network(self.spec, self.weights, path)
        return path
