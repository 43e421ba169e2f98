"""Training one perturbation for many pictures, and what a network says of pictures that have it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.attack import Region
from crosslens.errors import ModelError, TargetError
from crosslens.execution.batching import batch_limit, forward_limit, slices
from crosslens.execution.interrupt import stop_on_signals
from crosslens.execution.progress import Progress
from crosslens.model import INPUT, Model
from crosslens.objective import pullback
from crosslens.objective.aim import Aim
from crosslens.objective.margins import CrossEntropy

from ._held_out_pictures import Known, Pictures

__all__ = ["Crowd", "Judged", "perturbed", "trained"]

Numbers = np.ndarray[Any, Any]
MOST_LOSS = 9.0
"""A picture whose cross-entropy is above it adds nothing to the gradient (Shafahi et al., 2020, section 3)."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network says of n pictures with a perturbation."""

    classes: Numbers
    """(n,): predicted."""
    confidence: Numbers
    """(n,): the probability of it."""
    success: Numbers
    """(n,), booleans: whether the class is another one, or the one wanted."""


@dataclass(frozen=True, eq=False)
class Crowd:
    """A network of images in [0, 1], its pictures, and their classes."""

    view: Model
    pictures: Pictures
    classes: Numbers
    """Of each picture of the source, (images,): the class to leave."""
    towards: int | None

    def batch(self, rows: Numbers) -> Array:
        """Pictures (n, C, H, W), of places in the source."""
        images = [self.pictures(int(row)) for row in rows]
        return namespace(images[0]).concat(images, axis=0)

    def aim(self, rows: Numbers) -> Aim:
        """What is to become of them."""
        reach = None if self.towards is None else np.full(len(rows), self.towards)
        leave = self.classes[rows] if reach is None else np.full(len(rows), -1)
        return Aim(self.view.output, leave, reach)

    def with_a_class(self, known: Known, progress: Progress) -> tuple[Known, tuple[str, ...]]:
        """The pictures that have a class to leave, and a note on others: of independent classes none may be there."""
        if self.towards is not None or not self.aim(known.index[:1]).apart:
            return known, ()
        first = self.batch(known.index[:1])
        there = ~self.judged(known.index, namespace(first).zeros_like(first), progress, "without it").success
        left = f"{(~there).sum()} of {len(there)} pictures no class has a probability of one half"
        if not there.any():
            raise TargetError(f"in {left}: there is none to leave; give towards=, a class to reach")
        notes = (f"in {left}, and they are left out",) * (not there.all())
        return Known(known.index[there], known.digests[there], known.classes[there]), notes

    def judged(self, rows: Numbers, perturbation: Array, progress: Progress, what: str) -> Judged:
        """The network's answers for pictures with a perturbation (1, C, H, W)."""
        parts = []
        for start, stop in slices(len(rows), forward_limit(self.view)):
            aim = self.aim(rows[start:stop])
            x = perturbed(self.batch(rows[start:stop]), perturbation)
            logits = aim.class_logits(self.view.forward(x, [aim.layer]))
            classes = logits.argmax(axis=1)
            confidence = aim.probabilities(logits)[np.arange(len(classes)), classes]
            parts.append((classes, confidence, aim.succeeded(aim.deciding(logits))))
            progress(stop, len(rows), what)
        return Judged(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def perturbed(x: Array, perturbation: Array) -> Array:
    """Pictures with the perturbation added, cut off at 0 and 1."""
    return namespace(x).clip(x + perturbation, 0.0, 1.0)


@stop_on_signals()
def trained(
    crowd: Crowd, rows: Numbers, region: Region, passes: int, batch: int, step: float, seed: int, progress: Progress
) -> tuple[Array, Numbers, int]:
    """A perturbation (1, C, H, W), the mean loss of each whole pass (passes,), and how many steps were taken.

    Step n of T goes along the steepest direction of the mean loss of a batch, in the region's norm, and is
    step (1 - n / T) long. Interrupted (ctrl-C), it gives what it has.

    Args:
        crowd: network and pictures.
        rows: the places in the source of those to train on.
        region: the ball around 0.
        passes: over all of them.
        batch: pictures at each step, at most.
        step: length of the first.
        seed: of the order, anew in each pass.
        progress: told after each step.

    Raises:
        ModelError: the gradient of the first batch is zero.
        KeyboardInterrupt: interrupted in the first step.
    """
    x, rng, losses = region.centres, np.random.default_rng([seed, 1]), list[float]()
    per_pass = -(-len(rows) // batch)
    total, weights = passes * per_pass, list[float]()
    try:
        for turn in range(passes):
            order = rng.permutation(rows)
            for start, stop in slices(len(rows), batch):
                loss, gradient = _mean_loss(crowd, order[start:stop], x)
                if not losses and not as_numpy(gradient).any():
                    raise _no_gradient(stop - start)
                x = region.step(x, gradient, step * (1 - len(losses) / total))
                losses.append(loss)
                weights.append((stop - start) / len(rows))
                progress(len(losses), total, f"pass {turn + 1}, mean loss {loss:.3g}")
    except KeyboardInterrupt:
        if not losses:
            raise
    whole = len(losses) // per_pass * per_pass
    history = np.reshape(np.multiply(losses, weights)[:whole], (-1, per_pass)).sum(axis=1)
    return x, history, len(losses)


def _mean_loss(crowd: Crowd, rows: Numbers, perturbation: Array) -> tuple[float, Array]:
    """The mean of the cross-entropies, none taken for more than `MOST_LOSS`, and its gradient (1, C, H, W).

    A number of the gradient counts where a step along it changes the picture: not where the picture is cut off there.
    """
    xp, total, gradient = namespace(perturbation), 0.0, namespace(perturbation).zeros_like(perturbation)
    for start, stop in slices(len(rows), batch_limit(crowd.view)):
        x = crowd.batch(rows[start:stop])
        pull, values = pullback(crowd.view, perturbed(x, perturbation), CrossEntropy(crowd.aim(rows[start:stop])))
        losses, raw, g = as_numpy(values).astype(np.float64), x + perturbation, like(pull.gradients[INPUT], x)
        stuck = ((raw <= 0) & (g < 0)) | ((raw >= 1) & (g > 0))
        counts = xp.reshape(like((losses < MOST_LOSS).astype(np.float32), g), (-1, *[1] * (g.ndim - 1)))
        g = xp.where(stuck, xp.zeros_like(g), g) * counts
        gradient = gradient + xp.sum(g, axis=0, keepdims=True) / len(rows)
        total += float(np.minimum(losses, MOST_LOSS).sum()) / len(rows)
    return total, gradient


def _no_gradient(count: int) -> ModelError:
    return ModelError(
        f"the gradient of the loss is zero in {count} pictures: this network is saturated, rounded or not "
        "differentiable there, and a perturbation is trained by gradients; give a network in floating point, or one "
        "that ends in logits"
    )
