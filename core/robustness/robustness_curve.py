"""`crosslens.robustness_curve`: accuracy against the radius of several attacks, over one picture or many."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..attack import AttackMethod
from ..execution.progress import Progress
from ..execution.workers import Workers
from ..plugins.models import ModelLike, as_model
from ..plugins.registry import method
from ..store.entries import entries_with
from ..survey.sweep import sweep
from .attack_words import attack_of, split_words
from .curve import RobustnessCurve

__all__ = ["robustness_curve"]


def robustness_curve(
    model: ModelLike,
    data: Any,
    attacks: str | AttackMethod | Sequence[str | AttackMethod] = "pgd",
    eps: Sequence[float] | float = (),
    *,
    norm: str = "linf",
    against: str = "auto",
    store: str | Path | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> RobustnessCurve:
    """How many images a network still gets right within each radius of several attacks.

    It is what the method "robustness_curve" gives, which says what counts as right, and what a curve is worth.

    Args:
        model: what `crosslens.wrap` gave or takes, or a pair of it and wrap's options.
        data: a `crosslens.Source`, or what `crosslens.data` makes one of: a folder, an array, (images, labels).
        attacks: names, with settings of their own behind a colon, "pgd:steps=20", or what `crosslens.method` gives;
            one or several. Their radius and norm are those of the curve.
        eps: radii, increasing, in the unit of images in [0, 1].
        norm: "linf", "l2" or "l1".
        against: "label", "prediction" (what the network says of the image itself), or "auto": labels where there are.
        store: a folder in which a run that was stopped goes on when it is called again; None keeps results in memory.
        workers: who computes, `crosslens.execution.workers.Workers`; this process if not given.
        progress: called with (images done, all of them, which round).

    Raises:
        ParameterError: no attack, one twice, what is none, or radii that do not increase.
        TargetError: the network has no classes; or, with against="label", an image has no label that is one.
        CrosslensError: what else is wrong with the model, the data, the store or a worker.

    >>> import numpy as np
    >>> from crosslens.testing import TinyModel
    >>> robustness_curve(TinyModel(), np.full((2, 3, 8, 8), 0.5, np.float32), "fgsm", [0.1, 0.5])["right"]
    array([2, 2, 0])
    """
    several = [attacks] if isinstance(attacks, str | AttackMethod) else list(attacks)
    words: list[Any] = [word for each in several for word in (split_words(each) if isinstance(each, str) else [each])]
    if not all(isinstance(word, str) for word in words):
        words = [attack_of(word) for word in words]
    radii = (eps,) if isinstance(eps, int | float) else tuple(map(float, eps))
    asked = method("robustness_curve", attacks=tuple(words), eps=radii, norm=norm, against=against)
    network, who = as_model(model), workers or Workers()
    if store is None:
        result = asked(network, data, workers=who, progress=progress)
    else:
        survey = sweep(
            network,
            data,
            [asked],
            store=store,
            workers=who.workers,
            threads=who.threads or 1,
            ray=who.ray,
            progress=progress,
        )
        result = survey[entries_with([], [asked])[1][0].words]
    assert isinstance(result, RobustnessCurve)
    return result
