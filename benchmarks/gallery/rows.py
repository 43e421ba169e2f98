"""What stands on an attribution sheet: every registered method that gives a map, and with which settings."""

from inspect import signature
from typing import Any

import crosslens
from crosslens.attack import Adversarial
from crosslens.plugins import image_methods, method_class

QUICK: dict[str, dict[str, Any]] = {
    "expected_gradients": {"samples": 60},
    "kernel_shap": {"samples": 300},
    "lime": {"samples": 300},
    "meaningful_perturbation": {"steps": 150},
    "rise": {"samples": 400},
    "sensitivity": {"block": 28},
    "smooth_grad": {"samples": 25},
}
"""Where a method's own default takes long: fewer samples, steps or blocks, printed under its name."""


def left_out(name: str) -> str | None:
    """Why a method has no row, or None."""
    kind = method_class(name)
    gives = signature(kind.run).return_annotation
    if kind.needs_attention:
        return "needs a transformer's attention, and this network has none"
    if not isinstance(gives, type):
        return f"does not say what it returns: {gives!r}"
    if issubclass(gives, Adversarial):
        return "attacks a picture instead of explaining it"
    if issubclass(gives, crosslens.Synthesis):
        return "makes a picture instead of explaining one"
    if not issubclass(gives, crosslens.Attribution):
        return f"judges another method: gives {gives.__name__}, no map"
    return None


def rows() -> list[str]:
    """The methods on the sheet, in alphabetical order; says which others there are, and why not."""
    reasons = {name: left_out(name) for name in sorted(image_methods())}
    for name, reason in reasons.items():
        if reason:
            print(f"left out: {name}: {reason}")
    return [name for name, reason in reasons.items() if reason is None]


def settings(name: str) -> str:
    """The quick settings of a row in a few words; empty where they are the method's own."""
    return ", ".join(f"{key} {value}" for key, value in QUICK.get(name, {}).items())
