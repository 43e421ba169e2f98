"""A method, a model, a target and how pictures are read and drawn: all that the results of a run depend on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..arrays import Array
from ..image.false_colour import check_bands
from ..image.io import load_image
from ..method.base import Method
from ..method.no_target import NO_TARGET
from ..method.parameter import parameters
from ..method.provenance import json_value, provenance
from ..model.base import Model
from ..objective import Objective
from ..objective.target import resolve_target

__all__ = ["PictureJob", "settings_digest"]


@dataclass(frozen=True)
class PictureJob:
    """One method on one model, to be run over pictures."""

    method: Method
    model: Model
    target: Any = None
    """As for a method."""
    form: str | None = None
    """How maps are drawn, see `Attribution.picture`."""
    bands: tuple[int, ...] | None = None
    """Which channels are shown, see `Result.bands`."""
    resize: str | None = None
    """How pictures get to the model's size, see `crosslens.load_image`."""
    crop: float | None = None
    """The share of a picture's short side that is kept, see `crosslens.load_image`."""

    def load(self, path: Path) -> Array:
        """A picture, (1, C, H, W), for the model; at its own size where the method takes any."""
        whole = self.method.takes_any_size()
        return load_image(path, like=self.model, resize=self.resize, crop=self.crop, whole=whole)

    def objective(self, count: int | None = None) -> Objective:
        """The target of `count` pictures.

        Raises:
            CrosslensError: this model has no such target, or the bands do not exist.
        """
        self.method.check_parameters()
        check_bands(self.bands, self.model.input.example_shape[0])
        unit = "logit" if self.method.preset is None else "output"
        return resolve_target(self.target, self.model, count, unit) if self.method.needs_target else NO_TARGET

    def settings(self) -> Mapping[str, Any]:
        """What decides a picture's result beside the picture, as JSON can hold it."""
        preset = self.method.preset
        source = provenance(self.model, None, 0.0)
        return {
            "method": self.method.name,
            "preset": None if preset is None else preset.library,
            "parameters": {f.name: json_value(getattr(self.method, f.name)) for f in parameters(self.method)},
            **{name: json_value(source[name]) for name in ("model", "backend", "preprocess", "inputs", "bounds")},
            "output": str(self.model.output),
            "target": str(self.objective()),
            "form": self.form,
            "bands": json_value(self.bands),
            "resize": self.resize,
            "crop": self.crop,
        }


def settings_digest(settings: Mapping[str, Any]) -> str:
    """A hash of a job's settings, by which the lines of an index say what they were made with."""
    return blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16).hexdigest()
