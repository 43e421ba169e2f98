"""`Problem`: images under attack. It asks the network, counts the queries, and keeps each image's best picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import ModelError
from ..execution.batching import forward_limit, slices
from ..model.base import INPUT, Model
from ..objective.aim import Aim
from ..objective.margins import AttackLoss, margins, rounding
from .ball import per_image, take_rows
from .projection import distance_of
from .views import Views

__all__ = ["Evaluation", "Problem"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Evaluation:
    """What the network says of images on the way."""

    logits: Values
    """(n, K), float64: the logits that decide, see `Aim`."""
    losses: Values
    """(n,), float64."""
    gradient: Array
    """Of the losses, (n, C, H, W); of a scaled loss a positive multiple for each image."""


class Problem:
    """N images, the classes that they are to leave or to reach, and what has been found so far.

    All arguments `rows` are the indices, in increasing order, of the images that the pictures beside them belong to.
    """

    def __init__(self, model: Model, images: Array, aim: Aim, norm: str, clean: Values) -> None:
        """Use `AttackMethod`, which makes it.

        Args:
            model: the network, of images in [0, 1].
            images: (N, C, H, W).
            aim: of each image.
            norm: in which the nearest picture is the best: "linf", "l2", "l1" or "l0".
            clean: the logits of all classes of the images themselves, (N, classes).

        Raises:
            ModelError: the network gives NaN or infinite numbers for an image.
        """
        _refuse_not_finite(clean)
        self.model, self.images, self.aim, self.norm, self.clean = model, images, aim, norm, clean
        self.views: Views | None = None
        """The random views under which gradients are averaged; None for the picture itself."""
        count = len(aim)
        self.queries, self.gradients = np.ones(count, np.int64), np.zeros(count, np.int64)
        self.distance = np.full(count, np.inf)
        """Of the best picture that succeeds, in `norm`; infinite where none does."""
        self.margin = margins(aim, aim.deciding(clean))
        """Of the best picture so far."""
        self.best = namespace(images).asarray(images, copy=True)
        self.logits_of_best = aim.deciding(clean).copy()
        """(N, K): the logits that decide, as they were when it was offered; NaN where they are not known."""
        self.flat = np.zeros(count, bool)
        """The images of which a gradient was zero, or NaN, at a picture that does not succeed."""
        self.no_start = np.zeros(count, bool)
        """The images for which an attack that starts at a picture that succeeds had none."""
        self._note_success(np.arange(count), aim.succeeded(aim.deciding(clean)), np.zeros(count))

    @property
    def unfinished(self) -> Values:
        """The indices of the images for which nothing that succeeds is known."""
        return np.flatnonzero(np.isinf(self.distance))

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the largest value of a picture; None where there is no limit."""
        return self.model.input.bounds

    def ranges(self) -> Values:
        """(N, 2): the bounds, or each image's own least and largest value where there are none."""
        if self.bounds is not None:
            return np.tile(np.asarray(self.bounds, np.float32), (len(self.aim), 1))
        xp, flat = namespace(self.images), (len(self.aim), -1)
        images = xp.reshape(self.images, flat)
        return np.stack([as_numpy(xp.min(images, axis=1)), as_numpy(xp.max(images, axis=1))], axis=1)

    def of(self, rows: Values) -> Array:
        """The images themselves."""
        return take_rows(self.images, rows)

    def succeeded(self, logits: Values, rows: Values) -> Values:
        """(n,), booleans: whether pictures with these logits (n, K) succeed, by more than rounding."""
        aim = self.aim.rows(rows)
        with np.errstate(invalid="ignore"):
            return np.asarray(aim.succeeded(logits) & (margins(aim, logits) < -rounding(logits)))

    def logits(self, x: Array, rows: Values) -> Values:
        """The logits (n, K) of pictures (n, C, H, W); a query each. An image may have several of the pictures."""
        aim, parts = self.aim.rows(rows), []
        for start, stop in slices(len(rows), forward_limit(self.model)):
            activations = self.model.forward(x[start:stop, ...], [aim.layer])
            parts.append(aim.rows(slice(start, stop)).logits(activations))
        np.add.at(self.queries, rows, 1)
        return np.concatenate(parts)

    def decisions(self, x: Array, rows: Values) -> Values:
        """(n,), booleans: whether pictures (n, C, H, W) succeed, by their predicted class alone; a query each."""
        return self.succeeded(self.logits(x, rows), rows)

    def gradient(self, x: Array, rows: Values, loss: type[AttackLoss], *, scaled: bool = True) -> Evaluation:
        """The logits, the losses and their gradient at pictures (n, C, H, W); a query and a gradient for each.

        With `views` the gradient is the mean over random views, each a query and a gradient; logits and losses are
        those of the picture itself, one query more. Where a gradient is NaN or infinite it is 0, and a loss that is
        NaN is minus infinity.

        Args:
            x: pictures (n, C, H, W).
            rows: whose they are.
            loss: what is climbed.
            scaled: whether only the gradient's direction matters (`AttackLoss.scaled`).
        """
        objective = loss(self.aim.rows(rows), scaled)
        if self.views is None:
            evaluation = self._at(x, objective)
            self._count(rows, 1)
        else:
            logits = self.logits(x, rows)
            total = sum(self._seen(x, objective, view) for view in self.views.draw(x, self.gradients[rows]))
            evaluation = Evaluation(logits, objective.at_logits(logits)[0], total / self.views.count)
            self._count(rows, self.views.count)
        size = namespace(x).max(namespace(x).abs(evaluation.gradient), axis=tuple(range(1, x.ndim)))
        self.flat[rows] |= (as_numpy(size) == 0) & ~self.succeeded(evaluation.logits, rows)
        return evaluation

    def _count(self, rows: Values, passes: int) -> None:
        self.queries[rows] += passes
        self.gradients[rows] += passes

    def _seen(self, x: Array, objective: AttackLoss, view: Any) -> Array:
        return view.adjoint(like(self._at(view.apply(x), objective).gradient, x))

    def _at(self, x: Array, objective: AttackLoss) -> Evaluation:
        parts = [
            self._batch(x[start:stop, ...], objective.rows(slice(start, stop)))
            for start, stop in slices(x.shape[0], forward_limit(self.model))
        ]
        if len(parts) == 1:
            return parts[0]
        join = np.concatenate
        return Evaluation(
            join([part.logits for part in parts]),
            join([part.losses for part in parts]),
            namespace(x).concat([part.gradient for part in parts], axis=0),
        )

    def _batch(self, x: Array, objective: AttackLoss) -> Evaluation:
        aim = objective.aim
        with self.model.linearize(x, [aim.layer]) as at:
            logits = aim.logits(at.inside)
            with np.errstate(invalid="ignore"):
                losses, slope = objective.at_logits(logits)
                cotangent, size = aim.scaled_cotangent(at.inside, slope)
            gradient = at.last_vjp({aim.layer: cotangent})[INPUT]
        gradient = gradient if objective.scaled else multiplied(gradient, size)
        return Evaluation(logits, np.where(np.isnan(losses), -np.inf, losses), _finite(gradient))

    def jacobian(self, x: Array, rows: Values, columns: Iterable[Values]) -> tuple[Values, list[Array]]:
        """The logits (n, K), and the gradient (n, C, H, W) of one logit of each image for each item of `columns`.

        Args:
            x: pictures (n, C, H, W).
            rows: whose they are.
            columns: for each gradient the column of `logits` (n,) that each picture's is of.
        """
        wanted, parts, logits = list(columns), [], []
        for start, stop in slices(len(rows), forward_limit(self.model)):
            aim = self.aim.rows(rows[start:stop])
            with self.model.linearize(x[start:stop, ...], [aim.layer]) as at:
                logits.append(aim.logits(at.inside))
                chosen = [np.eye(logits[-1].shape[1])[column[start:stop]] for column in wanted]
                cotangents = [aim.scaled_cotangent(at.inside, one) for one in chosen]
                gradients = [multiplied(at.vjp({aim.layer: each})[INPUT], size) for each, size in cotangents]
                parts.append([_finite(gradient) for gradient in gradients])
        self.queries[rows] += 1
        self.gradients[rows] += len(wanted)
        join = namespace(x).concat
        return np.concatenate(logits), [join([part[n] for part in parts], axis=0) for n in range(len(wanted))]

    def offer(self, x: Array, rows: Values, logits: Values) -> Values:
        """Keep what is better than the best so far: nearer and successful, or, before any success, of less margin.

        Args:
            x: pictures (n, C, H, W).
            rows: whose they are.
            logits: (n, K), theirs.

        Returns:
            (n,), booleans: which of them succeed.
        """
        success = self.succeeded(logits, rows)
        with np.errstate(invalid="ignore"):  # of NaN, which is never better
            margin = margins(self.aim.rows(rows), logits)
        distance = np.full(len(rows), np.inf)
        if success.any():
            distance[success] = distance_of(take(x, success), self.of(rows[success]), self.norm)
        none_yet = np.isinf(self.distance[rows])
        better = np.where(success, distance < self.distance[rows], none_yet & (margin < self.margin[rows]))
        put_rows(self.best, rows[better], take(x, better))
        self.margin[rows[better]], self.logits_of_best[rows[better]] = margin[better], logits[better]
        self._note_success(rows[better], success[better], distance[better])
        return success

    def offer_found(self, x: Array, rows: Values) -> None:
        """Keep pictures of which no more is known than that they succeed, where nearer than the best so far.

        Args:
            x: pictures (n, C, H, W).
            rows: whose they are, each once.
        """
        if not len(rows):
            return
        distance = distance_of(x, self.of(rows), self.norm)
        better = distance < self.distance[rows]
        put_rows(self.best, rows[better], take(x, better))
        self.logits_of_best[rows[better]] = np.nan  # not known
        self._note_success(rows, better, distance)

    def _note_success(self, rows: Values, success: Values, distance: Values) -> None:
        self.distance[rows[success]] = distance[success]


def _refuse_not_finite(clean: Values) -> None:
    wrong = np.flatnonzero(~np.isfinite(clean).all(axis=1))
    if wrong.size:
        raise ModelError(
            f"the network gives NaN or infinite numbers for {wrong.size} of {len(clean)} images, image {wrong[0]} "
            "first, and predicts no class that could be left; look at its weights and its preprocessing"
        )


def _finite(gradient: Array) -> Array:
    """0 where it is NaN or infinite."""
    xp = namespace(gradient)
    return xp.where(xp.isfinite(gradient), gradient, xp.zeros_like(gradient))


def multiplied(gradient: Array, size: Values) -> Array:
    """Each image's gradient (n, ...) times a number of its own (n,), which float32 may not hold."""
    if (size == 1).all():
        return gradient
    xp = namespace(gradient)
    return xp.astype(xp.astype(gradient, xp.float64) * per_image(size, gradient), gradient.dtype)


def take(x: Array, chosen: Values) -> Array:
    """The items of an array (n, ...) at which booleans (n,) are true."""
    return take_rows(x, np.flatnonzero(chosen))


def put_rows(x: Array, rows: Values, values: Array) -> None:
    """Write `values` (n, ...) as items `rows` into an array."""
    if isinstance(x, np.ndarray):
        x[rows] = values
    else:
        for n, row in enumerate(rows):
            x[int(row), ...] = values[n, ...]
