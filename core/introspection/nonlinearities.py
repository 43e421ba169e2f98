"""The activation functions of a network: rectifiers, whose backward rule can be changed, and all others."""

from collections import Counter
from collections.abc import Iterable, Mapping

from ..model.base import Model

__all__ = ["OTHERS", "RECTIFIER", "count_activation_functions", "rule_note"]

RECTIFIER = "rectifier"
"""What stands for ReLU, ReLU6, LeakyReLU, PReLU and a clip from 0, whatever a framework calls them."""
OTHERS: Mapping[str, str] = {
    "silu": "SiLU",
    "swish": "SiLU",
    "hardswish": "HardSwish",
    "hardsilu": "HardSwish",
    "gelu": "GELU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "mish": "Mish",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "hardtanh": "Hardtanh",
    "logsigmoid": "LogSigmoid",
    "threshold": "Threshold",
    "thresholdedrelu": "ThresholdedReLU",
    "glu": "GLU",
}
"""By a framework's word in small letters: activation functions that are used in place of a rectifier."""
_RECTIFIERS = frozenset({"relu", "relu6", "leakyrelu", "prelu"})


def rule_note(model: Model) -> tuple[str, ...]:
    """What to say where a rule for rectifiers leaves other activation functions as they are; nothing where all change.

    They are count_activation_functions by the kinds of the layers where `model.nonlinearities` is None.
    """
    known = model.nonlinearities
    counts = count_activation_functions(layer.kind for layer in model.layers.values()) if known is None else known
    others = [f"{kind} x {count}" for kind, count in counts.items() if kind != RECTIFIER and count]
    if not others:
        return ()
    count = counts.get(RECTIFIER, 0)
    return (
        f"{count} rectifier{'s' * (count != 1)} changed; the network's other activation functions "
        f"({', '.join(others)}) keep their own derivative, so this is not what the paper describes",
    )


def count_activation_functions(kinds: Iterable[str]) -> Counter[str]:
    """How many activation functions of each kind, by a framework's words for them."""
    known = {**OTHERS, **dict.fromkeys(_RECTIFIERS, RECTIFIER)}
    words = (kind.lower().replace("_", "") for kind in kinds)
    return Counter(known[word] for word in words if word in known)
