"""Fade: what would happen to the target if each pixel faded to the picture's mean colour."""

from dataclasses import dataclass

from crosslens import INPUT, Attribution, Method, hookimpl, param
from crosslens.arrays import namespace
from crosslens.objective import pullback


@dataclass(frozen=True, kw_only=True)
class Fade(Method):
    """To first order: gradient x amount x (mean - pixel), added up over channels. Raw values (N, H, W)."""

    name = "fade"
    amount: float = param(1.0, "how far pixels fade; 1 is all the way to the mean")

    def run(self, model, images, objective, progress):
        xp = namespace(images)
        pull, scores = pullback(model, images, objective)
        change = self.amount * (xp.mean(images, axis=(2, 3), keepdims=True) - images)
        return Attribution(xp.sum(pull.gradients[INPUT] * change, axis=1), scores=scores)


@hookimpl
def crosslens_methods():
    return [Fade]
