"""Parameters of an adversarial patch, grouped by idea."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy, resample
from crosslens.attack.patch.patch_result import PatchResult
from crosslens.attack.patch.random_placement import RandomPlacement
from crosslens.errors import ParameterError
from crosslens.image.io import load_image
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.model import Model
from crosslens.operators.paste import SHAPES
from crosslens.result.loading import read_result

__all__ = ["PatchTraining", "PlacementOptions"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class PlacementOptions(ParameterGroup):
    """Where the patch lies in pictures, in training and when it is judged."""

    title = "placement"
    shape: str = param("circle", "of the patch", choices=SHAPES)
    area: float = param(0.1, "share of a picture's area that the patch covers", above=0, below=1)
    scale: tuple[float, float] = param((0.9, 1.1), "least and largest width, as a share of that at `area`", above=0)
    rotation: float = param(45.0, "turned by up to so many degrees either way", minimum=0, maximum=180)
    location: tuple[float, float] | None = param(
        None, "its middle, as shares of height and width; anywhere inside if not given", minimum=0, maximum=1
    )

    def placing(self) -> RandomPlacement:
        """The placements that are drawn.

        Raises:
            ParameterError: the least scale is above the largest.
        """
        if self.scale[0] > self.scale[1]:
            raise ParameterError(f"scale is {self.scale}; give the least first, then the largest")
        return RandomPlacement(self.area, self.shape, self.scale, self.rotation, self.location)


@dataclass(frozen=True, kw_only=True)
class PatchTraining(ParameterGroup):
    """How the patch is trained."""

    title = "training"
    steps: int = param(500, "steps of Adam; 0 to judge the patch that `start` names", minimum=0)
    batch: int = param(8, "pictures at each step, each at a placement of its own", minimum=1)
    learning_rate: float = param(0.05, "length of a step, in the unit of pixels in [0, 1]", above=0)
    start: str = param("grey", "grey, noise, or a file: a picture, or the .npz of an earlier patch, to go on from")
    printable: float = param(0.0, "weight of the mean distance to the nearest printable colour", minimum=0)
    smooth: float = param(0.0, "weight of the mean total variation", minimum=0)
    seed: int = param(0, "of the pictures held out, of those of each step, of placements and of noise", minimum=0)

    def first_patch(self, model: Model, side: int) -> tuple[Numbers, Any]:
        """The patch (1, C, side, side) in [0, 1] to start from, and digests of the pictures it was trained on or None.

        Args:
            model: decides the number of channels; in its bounds.
            side: pixels.

        Raises:
            ParameterError: a saved result that is no patch of as many channels.
            ImageError: the file is no picture.
        """
        channels = model.input.shape[0] or 3
        if self.start == "grey":
            return np.full((1, channels, side, side), 0.5, np.float32), None
        if self.start == "noise":
            return np.random.default_rng([self.seed, 2]).random((1, channels, side, side), np.float32), None
        if not self.start.lower().endswith(".npz"):
            return model.input.to_unit(load_image(self.start, like=model, size=(side, side), crop=1.0)), None
        earlier = read_result(self.start, lambda kind, method: None)
        if not isinstance(earlier, PatchResult) or earlier.images.shape[1] != channels:
            raise ParameterError(f"start is '{self.start}', and that is no patch of {channels} channels: {earlier}")
        low, high = earlier.bounds
        patch = (as_numpy(earlier.images) - low) / (high - low)
        resized = patch if patch.shape[-1] == side else resample(patch, (side, side))
        return np.asarray(resized, np.float32).clip(0, 1), earlier.trained_on
