"""The parameters of fooling images, in groups: evolution, and gradient ascent."""

from dataclasses import dataclass

from crosslens.evolution.gradient_ascent import STARTS
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup


@dataclass(frozen=True, kw_only=True)
class EvolutionOptions(ParameterGroup):
    """What evolution needs."""

    title = "evolution (encodings cppn and direct)"
    population: int = param(200, "children of one generation", minimum=1)
    colour: str | None = param(
        None,
        "what the three numbers of a pixel are; hsv if not given, and plain channels where these are not three",
        choices=("hsv", "rgb"),
    )


@dataclass(frozen=True, kw_only=True)
class AscentOptions(ParameterGroup):
    """What gradient ascent needs."""

    title = "gradient ascent (encoding gradient)"
    start: str = param(
        "grey", "picture to start from: grey with a little noise, random pixels, or black", choices=STARTS
    )
    learning_rate: float = param(0.02, "root of the mean square change of a pixel in a step", above=0, maximum=1)
    decay: float = param(0.01, "share of its difference to mid-grey that a picture loses in a step", minimum=0, below=1)
