"""DeepDream (Mordvintsev, Olah and Tyka 2015, "Inceptionism: going deeper into neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from crosslens.arrays import Array
from crosslens.errors import LayerError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.image.io import load_image
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.method import Method, param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.method.unit_range import images_for
from crosslens.model import Model
from crosslens.objective import Objective, layer, nearest
from crosslens.operators import Size
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.picture_method import PictureMethod

from ._octaves import Dream, Octaves, resize


@dataclass(frozen=True, kw_only=True)
class OctaveOptions(ParameterGroup):
    """The sizes at which a dream is made."""

    title = "octaves"
    size: int = param(512, "longer side of the dream in pixels; the picture is resized to it", minimum=1)
    octaves: int = param(4, "sizes to dream at, the full one last", minimum=1)
    octave_scale: float = param(1.4, "from each size to the next", above=1, search=(1.2, 1.8))
    tile: int = param(512, "the network sees tiles of at most this side, or of its own fixed size", minimum=1)


@dataclass(frozen=True, kw_only=True)
class AscentOptions(ParameterGroup):
    """Each step of gradient ascent."""

    title = "steps"
    learning_rate: float = param(0.006, "mean change of a pixel in a step", minimum=0, search=(0.002, 0.02))
    jitter: int = param(32, "the picture is rolled by up to this many pixels along each axis", minimum=0)
    normalise: str = param("mean", "how long a step is: all alike, or each frequency band", choices=("mean", "bands"))


@dataclass(frozen=True, kw_only=True)
class ZoomOptions(ParameterGroup):
    """The zoom after the dream."""

    title = "zoom"
    zoom_frames: int = param(
        0, "frames of an endless zoom after the dream: save them as .gif, .webp or .mp4", minimum=0
    )
    zoom: float = param(0.05, "share of the picture that leaves with each frame", minimum=0, below=1)


@dataclass(frozen=True, kw_only=True)
class DeepDream(ZoomOptions, AscentOptions, OctaveOptions, PictureMethod):
    """More of whatever a layer sees in a picture.

    Gradient ascent on a layer's sum of squares, from small sizes (octaves) to the full one.

    Each step rolls the picture by a random jitter and moves it by learning_rate * g / mean |g|. A guide picture makes
    each place grow what it is most like of the guide instead ("Controlling dreams").
    """

    name = "deep_dream"
    aliases: ClassVar[Mapping[str, str]] = {
        "dream": "",
        "inceptionism": "",
    }
    needs_target = False
    any_size = True
    example: ClassVar = {"size": 10, "octaves": 2, "steps": 2}
    layer: str | None = param(
        None, "layer with maps to dream of; if not given, the last rectified of the last scale but one"
    )
    guide: Any = param(None, "picture to dream of: a file, or an array (C, H, W) in the bounds, of the network's size")
    steps: int = param(10, "steps at each size", minimum=1)
    seed: int = param(0, "of the jitter", minimum=0)
    resume: Path | None = param(
        None, "go on from a run that was saved as .npz: one that was interrupted, or that shall have more zoom_frames"
    )

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        if self.layer:
            return {}
        return {"layer": last_of_scales(model, resize(images[:1, ...], model.input.size))[-2:][0]}

    def check_animation(self) -> None:
        if not self.zoom_frames:
            super().check_animation()

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """A dream of each image, or the frames of one; history (all steps, N) is the mean objective of the tiles."""
        self._check(images)
        picture = resize(images, self._size(images))
        octaves = Octaves(
            picture=picture,
            octaves=self.octaves,
            octave_scale=self.octave_scale,
            zoom=self.zoom,
            steps=self.steps,
            learning_rate=self.learning_rate,
            bands=self.normalise == "bands",
        )
        aim = self._objective(model, images)
        dream = Dream(model, aim, octaves, self.zoom_frames, jitter=self.jitter, tile=self.tile, seed=self.seed)
        return make_pictures(self, model, objective, dream, images, progress)

    def _check(self, images: Array) -> None:
        if self.zoom_frames and images.shape[0] > 1:
            raise ParameterError(f"zoom_frames is {self.zoom_frames}: a zoom is of one picture, not {images.shape[0]}")

    def _size(self, images: Array) -> Size:
        height, width = images.shape[-2:]
        scale = self.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _objective(self, model: Model, images: Array) -> Objective:
        name = self.layer or last_of_scales(model, resize(images[:1, ...], model.input.size))[-2:][0]
        if len(model.layer(name).shape) != 4:
            raise LayerError(f"layer {name!r} gives {model.layer(name).shape}; a dream needs maps (N, C, H, W)")
        if self.guide is None:
            return layer(name)
        return nearest(name, model.forward(_guide(self.guide, model), [name])[name])


def _guide(guide: Any, model: Model) -> Array:
    if isinstance(guide, str | Path):
        return load_image(guide, like=model)
    if not hasattr(guide, "ndim"):
        raise ParameterError(f"guide is {guide!r}; it must be a picture: a file, or an array (3, H, W) in [0, 1]")
    return images_for(model, guide[None, ...] if guide.ndim == 3 else guide)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [DeepDream]
