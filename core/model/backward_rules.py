"""How gradients pass rectifiers, other nonlinearities, kernels, normalisations and products: what `modified` takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

from ..errors import ModelError, ParameterError, unknown_name
from .kernel_rules import KernelRule

__all__ = ["BACKWARD_RULES", "BackwardRules", "close_pairs", "no_rectifier"]

BACKWARD_RULES = ("exact", "guided", "deconvnet", "linear")
"""The rules for rectifiers."""
_CHOICES = {
    "relu": BACKWARD_RULES,
    "slope": ("exact", "secant", "ratio"),
    "norms": ("exact", "stop"),
    "products": ("exact", "half"),
}


@dataclass(frozen=True)
class BackwardRules:
    """The options of `Model.modified`, explained there. A backend gets them checked, layers by canonical name."""

    relu: str = "exact"
    slope: str = "exact"
    kernels: Mapping[str, KernelRule] = field(default_factory=dict)
    norms: str = "exact"
    products: str = "exact"

    def __post_init__(self) -> None:
        for option, choices in _CHOICES.items():
            if (value := getattr(self, option)) not in choices:
                raise ParameterError(unknown_name(f"{option} rule", value, choices))

    def refuse_unsupported(self, backend: str, supported: Collection[str]) -> None:
        """Refuse what a backend would have to ignore.

        Args:
            backend: the backend's name.
            supported: the options that it has rules for.

        Raises:
            ModelError: an option has a value other than "exact" and is not supported.
        """
        for option in (each.name for each in fields(self)):
            value = getattr(self, option)
            if option in supported or value == "exact" or not value:
                continue
            shown = f"kernels= (layers {', '.join(map(repr, value))})" if option == "kernels" else f"{option}={value!r}"
            rules = ", ".join(f"{each}=" for each in _CHOICES | {"kernels": ()} if each in supported) or "no option"
            raise ModelError(f"the {backend} backend has no backward rule for {shown}; it has rules for {rules}")


def close_pairs(bits: int) -> float:
    """The |x - x'| below which slope="secant" takes the mean of f'(x) and f'(x') where f is smooth.

    The quotient of differences loses 6e-8 |f(x)| / |x - x'| to rounding in float32; the mean's error is that of the
    trapezium rule, |x - x'|^2 f''' / 12.

    Args:
        bits: of one number: 64, or 32 and fewer.
    """
    return 1e-5 if bits > 32 else 6e-3


def no_rectifier() -> ModelError:
    """The error for a rule that has nothing to change, by which a backend refuses it."""
    return ModelError(
        "this network has no rectifier (ReLU, ReLU6, LeakyReLU, PReLU) to change the rule of; use gradient or "
        "smooth_grad, which take any network"
    )
