"""Parameters of methods that make pictures, grouped by idea; a group makes what its parameters describe."""

from dataclasses import dataclass
from typing import Any

from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.model import Model
from crosslens.objective.facet_file import read_facets
from crosslens.operators import Size
from crosslens.synthesis.parameterisation import BOUNDS, PARAMETERISATIONS, Parameterisation, parameterisation
from crosslens.synthesis.picture_statistics import CHOICES
from crosslens.synthesis.transforms import RandomTransform, robust_transform

DATA = "data:"
"""What stands before a file or a store."""
STARTS = ("noise", "grey", f"{DATA}FILE")
COLOUR = "axes of colour, decorrelated or not; those of a data set from a file of colour_statistics or a store"


@dataclass(frozen=True, kw_only=True)
class StartOptions(ParameterGroup):
    """The pictures to start from."""

    title = "starting picture"
    start: str = param(
        "noise",
        "picture to start from where no image is given; data: the mean pictures that facets found, all of a unit "
        "(FILE.npz#UNIT) or one (FILE.npz#UNIT/FACET)",
        choices=STARTS,
    )
    examples: int | None = param(
        None, "of the images given, start from so many that excite the target most; from all if not given"
    )
    size: int | None = param(None, "height and width of the picture in pixels; the network's own if not given")

    def _refuse_data(self, name: str) -> None:
        """For a method whose pictures are not one for each facet.

        Raises:
            ParameterError: the start is facets.
        """
        if self.start.startswith(DATA):
            raise ParameterError(
                f"start is {self.start!r}; {name} starts from noise or grey: activation_maximisation and diversity "
                "start from facets"
            )

    def _facet_starts(self, model: Model, images: Array) -> Array:
        """The mean pictures that `start` names, (K, C, H, W) in [0, 1]; None where it names none.

        Raises:
            ParameterError: no such facets, or of pictures of another kind than this network takes; or images as well.
        """
        if not self.start.startswith(DATA):
            return None
        if images is not None:
            raise ParameterError(f"start is {self.start!r}, and images are given to start from; leave one of them out")
        means = read_facets(self.start.removeprefix(DATA), model).means
        wanted = model.input.shape
        if any(own not in {n, None} for n, own in zip(means.shape[1:], wanted, strict=True)):
            raise ParameterError(
                f"the mean pictures of {self.start!r} are {means.shape[1:]}; this model takes {wanted}"
            )
        return model.placed(means)


@dataclass(frozen=True, kw_only=True)
class ParameterisationOptions(ParameterGroup):
    """The coordinates in which pictures are optimised."""

    title = "parameterisation"
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    colour: Any = param("photographs", COLOUR, choices=CHOICES)
    bound: str = param("sigmoid", "how pixels are kept in [0, 1]", choices=tuple(BOUNDS))
    shared: int = param(0, "pictures of one run share a component of so many pixels a side; 0 for none")

    def _coordinates(self, size: Size, channels: int) -> Parameterisation:
        return parameterisation(self.parameterisation, size, channels, self.colour, self.bound, self.shared)


@dataclass(frozen=True, kw_only=True)
class RegulariserOptions(ParameterGroup):
    """Rules between the steps."""

    title = "regularisers"
    rules: tuple[str, ...] | None = param(
        None,
        "between steps; if not given, blur:0.4:4 for a class, unless there is a generator or a prior. decay:RATE, "
        "blur:PIXELS:EVERY, bilateral:PIXELS:RANGE:EVERY, clip_norm:PERCENT:EVERY, clip_contribution:PERCENT:EVERY, "
        "blur_gradient:PIXELS, laplacian:LEVELS",
        search=(
            "decay:0.0001..0.02",
            "blur:0.3..1.0:4..12",
            "clip_norm:5.0..40.0:4..12",
            "clip_contribution:5.0..40.0:4..12",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class TransformOptions(ParameterGroup):
    """The random transforms under which the network sees the picture at each step."""

    title = "random transforms"
    shift: float = param(0.07, "the picture moves along each axis by up to this share of the side", search=(0.0, 0.15))
    zoom: float = param(0.1, "the picture is larger or smaller by up to this share", search=(0.0, 0.4))
    turn: float = param(8.0, "the picture is turned by up to so many degrees either way")
    noise: float = param(0.0, "deviation of the noise added to the picture")

    def _transform(self, size: Size) -> RandomTransform:
        return robust_transform(size, self.shift, self.zoom, self.turn, self.noise)


@dataclass(frozen=True, kw_only=True)
class AdamOptions(ParameterGroup):
    """The steps of Adam."""

    title = "run"
    learning_rate: float = param(0.05, "length of a step, in the parameterisation's unit", above=0, search=(0.005, 0.1))


@dataclass(frozen=True, kw_only=True)
class CropOptions(ParameterGroup):
    """The random crops in which the network sees the picture at each step."""

    title = "random crops"
    crops: int = param(4, "random crops at each step", minimum=1)
    crop: tuple[float, float] = param((0.25, 0.6), "least and most share of the picture's sides in a crop")
    noise: float = param(0.08, "deviation of the noise that crops are seen under", search=(0.0, 0.2))


@dataclass(frozen=True, kw_only=True)
class PriorOptions(ParameterGroup):
    """The priors that keep the picture natural."""

    title = "regularisers"
    alpha: float = param(6.0, "power of the norm that keeps pixels near mid-grey")
    alpha_weight: float = param(0.1, "weight of that norm", search=(0.01, 1.0))
    beta: float = param(2.0, "power of the total variation")
    tv_weight: float = param(0.05, "weight of the total variation", search=(0.005, 0.5))
