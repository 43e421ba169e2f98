"""Which attacks are compared, each under the same settings for crosslens and for the libraries beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.attack import Ball
from crosslens.attack.randomness import generators

from .attack_peers import Peer, art, foolbox, from_starts

__all__ = ["Case", "cases"]

STEP = 1 / 30
"""foolbox's step of PGD over eps, .01 / .3."""
DIGITS = 1000


@dataclass(frozen=True)
class Case:
    """An attack, ours and theirs."""

    method: str
    settings: str
    """What all are told, for the table."""
    ours: Mapping[str, Any]
    peers: Mapping[str, Peer]
    norm: str = "linf"
    eps: float | None = None
    """None where the nearest picture is looked for."""
    digits: int = DIGITS
    """How many of the test digits are attacked."""
    starts: Callable[[Any, Any], Any] | None = None
    """Pictures to start from, of the images and their labels, for a method that has a parameter `start`."""

    chance: bool = False
    """Whether all draw numbers of their own, so that a few digits more or fewer say nothing."""

    def given(self, x: Any, y: Any) -> Mapping[str, Any]:
        """Our method's parameters."""
        return {**self.ours, "start": self.starts(x, y)} if self.starts else self.ours

    @property
    def name(self) -> str:
        """For files: "pgd_L-inf__eps_0.1"; with the number of digits unless it is the usual one."""
        count = "" if self.digits == DIGITS else f" {self.digits}"
        return f"{self.method} {self.settings}{count}".translate(str.maketrans(" ,/:'", "_____"))


def cases() -> Iterator[Case]:
    """All comparisons, row by row of the table; what takes long is asked of fewer digits."""
    for eps in (0.1, 0.2, 0.3):
        yield _fgsm(eps)
    for eps in (0.1, 0.2, 0.3):
        yield _pgd("linf", eps)
    yield _pgd_at_random("linf", 0.2, 300)
    for eps in (1.0, 2.0):
        yield _pgd("l2", eps, 300)
    yield _pgd_at_random("l2", 2.0, 300)
    for loss in ("cross_entropy", "dlr"):
        yield _apgd(0.2, loss, 100)
    yield _square(0.2, 100)
    yield _deep_fool(200)
    yield from (_fmn(norm, 100) for norm in ("l2", "linf"))
    yield from _carlini_wagner(20)
    yield _boundary(1000, 20)


def _fgsm(eps: float) -> Case:
    peers = {"foolbox": foolbox("LinfFastGradientAttack", eps), "ART": art("FastGradientMethod", eps=eps)}
    return Case("fgsm", f"L-inf, eps {eps:g}", {"eps": eps}, peers, "linf", eps)


def _pgd(norm: str, eps: float, digits: int = DIGITS) -> Case:
    ours = {"norm": norm, "eps": eps, "steps": 40, "step_size": eps * STEP, "random_start": False}
    theirs = {"norm": np.inf if norm == "linf" else 2, "eps": eps, "eps_step": eps * STEP, "max_iter": 40}
    peers = {
        "foolbox": foolbox(f"L{norm[1:]}PGD", eps, rel_stepsize=STEP, steps=40, random_start=False),
        "ART": art("ProjectedGradientDescentPyTorch", **theirs),
    }
    return Case("pgd", f"{_spelled(norm)}, eps {eps:g}, 40 steps from the image", ours, peers, norm, eps, digits)


def _pgd_at_random(norm: str, eps: float, digits: int) -> Case:
    ours = {"norm": norm, "eps": eps, "steps": 40, "step_size": eps * STEP}
    peer = from_starts(foolbox(f"L{norm[1:]}PGD", eps, rel_stepsize=STEP, steps=40), _starts(norm, eps))
    settings = f"{_spelled(norm)}, eps {eps:g}, 40 steps from the same random picture"
    return Case("pgd", settings, ours, {"foolbox": peer}, norm, eps, digits)


def _apgd(eps: float, loss: str, digits: int) -> Case:
    """ART draws its starting points; its first step, which is eps_step long, is set to the paper's 2 eps."""
    theirs = {"eps": eps, "eps_step": 2 * eps, "max_iter": 100, "nb_random_init": 1}
    theirs["loss_type"] = {"cross_entropy": "cross_entropy", "dlr": "difference_logits_ratio"}[loss]
    settings = f"L-inf, eps {eps:g}, {loss.replace('_', '-')}, 100 steps from a random picture"
    peers = {"ART": art("AutoProjectedGradientDescent", **theirs)}
    return Case("apgd", settings, {"eps": eps, "loss": loss}, peers, "linf", eps, digits)


def _square(eps: float, digits: int) -> Case:
    ours, peers = {"eps": eps, "queries": 1001}, {"ART": art("SquareAttack", eps=eps, max_iter=1000)}
    return Case("square", f"L-inf, eps {eps:g}, 1,000 squares", ours, peers, "linf", eps, digits, chance=True)


def _deep_fool(digits: int) -> Case:
    peers = {"foolbox": foolbox("L2DeepFoolAttack"), "ART": art("DeepFool", max_iter=50, epsilon=0.02)}
    settings = "L2, 50 steps, overshoot 0.02, all classes"
    return Case("deep_fool", settings, {}, peers, "l2", None, digits)


def _fmn(norm: str, digits: int) -> Case:
    peers = {"foolbox": foolbox({"l2": "L2FMNAttack", "linf": "LInfFMNAttack"}[norm])}
    return Case("fmn", f"{_spelled(norm)}, 100 steps", {"norm": norm}, peers, norm, None, digits)


def _carlini_wagner(digits: int) -> Iterator[Case]:
    """As foolbox counts; and each library's defaults that are affordable, ours and ART's."""
    same = {"searches": 5, "steps": 200, "rate": 0.01, "last_rate": None, "constant": 0.1}
    peer = foolbox("L2CarliniWagnerAttack", binary_search_steps=5, steps=200, stepsize=0.01, initial_const=0.1)
    settings = "5 constants of 200 steps, rate 0.01"
    yield Case("carlini_wagner", settings, same, {"foolbox": peer}, "l2", None, digits)
    settings = "defaults: ours 9 x 100 steps, ART's 10 x 10 line searches"
    yield Case("carlini_wagner", settings, {}, {"ART": art("CarliniL2Method")}, "l2", None, digits)


def _boundary(steps: int, digits: int) -> Case:
    peers = {"foolbox": foolbox("BoundaryAttack", starts=another_digit, steps=steps)}
    settings = f"{steps:,} steps from another digit"
    return Case("boundary", settings, {"steps": steps}, peers, "l2", None, digits, starts=another_digit)


def another_digit(x: Any, y: Any) -> Any:
    """For each image the next one of another class."""
    places = [next(m % len(y) for m in range(n + 1, n + len(y)) if y[m % len(y)] != y[n]) for n in range(len(y))]
    return x[places]


def _starts(norm: str, eps: float) -> Callable[[Any], Any]:
    """Where our PGD starts from with seed 0."""
    return lambda x: np.asarray(Ball(norm, eps).around(x).random(generators(x, 0, 0)))


def _spelled(norm: str) -> str:
    return {"linf": "L-inf", "l2": "L2"}[norm]
