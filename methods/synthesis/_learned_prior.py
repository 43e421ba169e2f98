"""The parameters of learned priors: which networks, what each prior needs, and what it makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.method import param
from crosslens.model import Model
from crosslens.objective import ClassScore, Objective, each
from crosslens.objective.per_image import Each
from crosslens.optim.adam import Adam
from crosslens.optim.base import Optimiser
from crosslens.optim.normalised import NormalisedSteps
from crosslens.synthesis.drift import CodeDrift, DenoiserDrift, Drift, denoiser
from crosslens.synthesis.generator.generator_prior import Codes
from crosslens.synthesis.parameterisation import Parameterisation

from ._generator import GeneratorOptions, StepOptions

__all__ = ["LearnedPriorOptions"]

_NEEDS: Mapping[str, Mapping[str, str]] = {
    "dgn_am": {"generator": "a network that makes pictures of codes"},
    "ppgn": {
        "generator": "a network that makes pictures of codes",
        "encoder": "the network whose layer holds these codes",
        "code_layer": "that layer of the encoder",
    },
    "denoiser": {
        "denoiser": "a network that takes noise off pictures",
        "sigma": "the deviation of the noise that it was trained on, 0.1 for example",
    },
}
"""By prior, the parameters that it cannot do without, and what each is."""
_EPSILONS = ("epsilon1", "epsilon2", "epsilon3")
_USUAL: Mapping[str, tuple[float, float, float]] = {"ppgn": (1e-5, 1.0, 1e-17), "denoiser": (0.01, 1.0, 0.0)}
"""The three epsilons by prior: of the drift, of the objective's gradient, of the noise.

Of a denoiser's drift 1 would be Bayes' rule, under which a class's gradient is too weak to draw anything: pictures stay
empty (with digits, from .1 upwards).
"""
_RATES: Mapping[str, tuple[float, float | None]] = {"dgn_am": (8.0, 1e-10), "ppgn": (1.0, None)}
"""By prior, the first and the last length of a step."""
_SHRINK = 0.01
"""Of a code at each step of DGN-AM, whose code multiplies it by 0.99."""


@dataclass(frozen=True, kw_only=True)
class LearnedPriorOptions(GeneratorOptions, StepOptions):
    """A prior that another network has learned."""

    title = "learned prior"
    prior: Any = param(
        None,
        "dgn_am: a generator, steps of its paper; ppgn: towards codes that their pictures have, under noise; denoiser: "
        "towards what a denoiser makes of the picture; in Python a Drift as well",
        choices=tuple(_NEEDS),
    )
    denoiser: Any = param(None, "a network that takes noise off pictures, for prior=denoiser: a model or its file")
    sigma: float | None = param(
        None, "deviation of the noise that the denoiser was trained on, of pictures in [0, 1]", above=0
    )
    epsilon1: float | None = param(
        None, "weight of E(G(h)) - h, 1e-5 with ppgn; of (denoise(x) - x) / sigma^2, .01 with denoiser", minimum=0
    )
    epsilon2: float | None = param(None, "weight of the objective's gradient beside it, 1 if not given", minimum=0)
    epsilon3: float | None = param(
        None, "deviation of the noise that is added to the gradient, 1e-17 with ppgn, else 0", minimum=0
    )

    def check_parameters(self) -> None:
        """Refuse a prior without what it needs, and what none of the parameters given takes."""
        super().check_parameters()  # type: ignore[misc]  # of the method that this group is part of
        if self.prior is not None and not isinstance(self.prior, str | Drift):
            raise ParameterError(f"prior is {self.prior!r}; it must be {', '.join(_NEEDS)}, a Drift or None")
        self._refuse_missing()
        self._refuse_unused()

    def _refuse_missing(self) -> None:
        for name, what in _NEEDS.get(self._prior, {}).items():
            if getattr(self, name) is None:
                raise ParameterError(f"prior={self.prior} needs {name}={name.upper()}, {what}")
        for name, other in (("encoder", "code_layer"), ("code_layer", "encoder"), ("encoder", "generator")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise ParameterError(f"{name} is given without {other}; give {other} too, or leave {name} out")

    def _refuse_unused(self) -> None:
        given = {each.name for each in fields(self) if _differs(getattr(self, each.name), each.default)}
        unused = {"denoiser", "sigma"} if self._prior != "denoiser" else set()
        unused |= set(_EPSILONS) if self._prior not in _USUAL else set()
        unused |= {"code_range", "code_bound", "code_decay"} if self.generator is None else set()
        unused |= {"parameterisation", "colour", "bound", "shared"} if self.generator is not None else set()
        for name in sorted(given & unused):
            needed = "without a generator" if self.generator is None else "where a generator makes the picture"
            why = f"with prior={self.prior}" if name in {"denoiser", "sigma", *_EPSILONS} else needed
            raise ParameterError(f"{name} means nothing {why}; leave it out")

    @property
    def _prior(self) -> str:
        """The prior's name; "" without one, and for a `Drift`."""
        return self.prior if isinstance(self.prior, str) else ""

    def _drift(self, pixels: Parameterisation, seed: int) -> Drift | None:
        """The direction beside the objective's gradient, for an ascent with this seed."""
        if isinstance(self.prior, Drift):
            return self.prior
        if self._prior not in _USUAL:
            return None
        given = (self.epsilon1, self.epsilon2, self.epsilon3)
        first, second, third = (
            usual if own is None else own for own, usual in zip(given, _USUAL[self._prior], strict=True)
        )
        if self._prior == "denoiser":
            assert self.sigma is not None
            return DenoiserDrift(second, third, seed, denoiser(self.denoiser), self.sigma, first)
        assert isinstance(pixels, Codes)
        return CodeDrift(second, third, seed, pixels, first)

    def _aim(self, objective: Objective) -> Objective:
        """What is climbed: under a prior that is a density, a class means log p(class | picture), as in the paper."""
        if isinstance(objective, Each):
            return each([self._aim(part) for part in objective.parts])
        is_class = isinstance(objective, ClassScore) and objective.unit == "logit"
        return objective.in_unit("log_probability") if is_class and self._prior in _USUAL else objective  # type: ignore[attr-defined]

    def _optimiser(self, pixels: Parameterisation, start: Array) -> Optimiser:
        bounds, rates = pixels.bounds_like(start), _RATES.get(self._prior, (1.0, None))
        if (self.optimiser or ("normalised" if self._prior in _RATES else "adam")) == "adam":
            return Adam(self.learning_rate or self.usual_rate, bounds=bounds)
        return NormalisedSteps(self.learning_rate or rates[0], rates[1], bounds)

    @property
    def _kept(self) -> float:
        """The share of the parameters that is left after a step."""
        usual = _SHRINK if self._prior == "dgn_am" else 0.0
        return 1.0 - (usual if self.code_decay is None else self.code_decay)

    def _networks(self, pixels: Parameterisation, drift: Drift | None) -> Mapping[str, str]:
        """The digests of the prior's networks, by what each is."""
        found: dict[str, str] = {}
        if isinstance(pixels, Codes):
            found |= {name: model.digest for name, model in _models_of(pixels).items()}
        return found if drift is None else {**found, **drift.networks()}


def _differs(value: Any, default: Any) -> bool:
    """Whether a parameter was given: what is neither a text nor a number is."""
    plain = isinstance(value, str | int | float | tuple)
    return value is not default and not (plain and value == default)


def _models_of(pixels: Codes) -> dict[str, Model]:
    assert pixels.model is not None
    beside = {} if pixels.encoder is None else {"encoder": pixels.encoder.model}
    return {"generator": pixels.model, **beside}
