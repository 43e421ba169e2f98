"""Parameters of a generator whose codes are the coordinates, and of the steps that are taken there."""

from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.errors import ParameterError
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.operators import Size
from crosslens.synthesis.generator.code_range import USUAL_BOUND
from crosslens.synthesis.generator.encoder import Encoder, encoder
from crosslens.synthesis.generator.generator_prior import Codes, generator
from crosslens.synthesis.regularisers import Regulariser


@dataclass(frozen=True, kw_only=True)
class StepOptions(ParameterGroup):
    """The steps of an ascent."""

    title = "run"
    usual_rate: ClassVar[float] = 0.05
    """Of Adam."""
    learning_rate: float | None = param(
        None,
        "length of a step: of Adam in the parameterisation's unit, .05 if not given (channel_grid: .03); of normalised "
        "steps the mean over the parameters, 8 falling to 0 with dgn_am, else 1",
        above=0,
        search=(0.005, 0.1),
    )
    optimiser: str | None = param(
        None,
        "adam, or normalised: along the gradient over its mean magnitude; normalised with dgn_am and ppgn if not given",
        choices=("adam", "normalised"),
    )


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions(ParameterGroup):
    """A network whose codes are the coordinates."""

    title = "generator"
    generator: Any = param(
        None, "a network whose code to optimise instead of coordinates: a model, its file, or demo:dcgan_torch"
    )
    code_bound: float = param(USUAL_BOUND, "numbers of a generator's code stay within so many deviations of their mean")
    code_range: Any = param(
        None,
        "of a code: noise (mean 0, deviation 1), LOW,HIGH, or data:FILE, measured on codes (.npy, .npz) or on what the "
        "encoder makes of pictures; if not given 0,30 where the encoder's layer is rectified, else noise",
    )
    code_decay: float | None = param(
        None, "share of a code that is lost at each step; .01 with dgn_am, else 0", minimum=0, below=1
    )
    encoder: Any = param(None, "a network with a layer that holds the generator's codes: a model or its file")
    code_layer: str | None = param(None, "that layer of the encoder")

    def _refuse_rules(self, rules: tuple[Regulariser, ...]) -> None:
        """Refuse regularisers of the picture where a generator makes it: what they leave has no code."""
        for rule in rules if self.generator is not None else ():
            if type(rule).picture is not Regulariser.picture:
                raise ParameterError(
                    f"the rule {rule.name!r} changes the picture between steps, and a generator makes it of a code; "
                    "leave it out: blur_gradient and laplacian change the gradient, code_decay the code"
                )

    def _codes(self, size: Size, channels: int) -> Codes:
        made: Encoder | None = None
        if self.encoder is not None:
            assert self.code_layer is not None
            made = encoder(self.encoder, self.code_layer)
        return generator(self.generator, self.code_bound, size, channels, given_range=self.code_range, encoder=made)
