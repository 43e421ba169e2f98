"""The fast gradient sign method (Goodfellow et al., 2015, https://arxiv.org/abs/1412.6572)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import like
from crosslens.attack import AttackMethod, Ball, BallOptions, Problem, ViewOptions
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.preset import Preset
from crosslens.objective.margins import LOSSES
from crosslens.plugins.hookspecs import hookimpl


@dataclass(frozen=True, kw_only=True)
class FGSM(BallOptions, ViewOptions, AttackMethod):
    """Fool a network by one step along the gradient.

    Of all pictures within `eps` of the image, and within its bounds, the one that the gradient of the loss says is
    best: x + eps sign(gradient) in L-inf; in L2 and L1 the furthest along the gradient. On an affine network nothing
    in the ball is better.
    """

    name = "fgsm"
    aliases: ClassVar[Mapping[str, str]] = {
        "fast_gradient_sign_method": "",
        "fast_gradient_method": "norm='l2' or 'l1' takes the other norms",
        "linf_fast_gradient_attack": "foolbox's name",
    }
    example: ClassVar = {"eps": 0.1}
    loss: str = param("cross_entropy", "what is climbed; dlr is the difference of logits ratio", choices=tuple(LOSSES))
    seed: int = param(0, "of the random views", minimum=0)
    presets: ClassVar = {
        "foolbox": Preset({"eps": 0.3}, doc="foolbox takes eps at the call; 0.3 is its example"),
        "art": Preset({"eps": 0.3}, doc="FastGradientMethod with its defaults, without its random starts"),
    }

    def search(self, problem: Problem, progress: Progress) -> Any:
        rows = problem.unfinished
        if not len(rows):
            return None
        x = problem.of(rows)
        problem.views = self._views((x.shape[-2], x.shape[-1]), self.seed)
        at = problem.gradient(x, rows, LOSSES[self.loss])
        furthest = Ball(self.norm, self.eps).around(x, problem.bounds).furthest(like(at.gradient, x))
        problem.offer(furthest, rows, problem.logits(furthest, rows))
        return None


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FGSM]
