"""What images have more of a target than their references, shared out by multipliers."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.method.baselines import Baseline, baselines
from crosslens.model import Model, Pullback
from crosslens.objective import Objective
from crosslens.relevance import Relevance, conservation_note

from ._pairs import Pairs, pairs_of, secant_caveats

__all__ = ["Multipliers", "difference_shares", "references_of"]

Multipliers: TypeAlias = Callable[[Pairs, Objective, str], tuple[Pullback, Array]]
"""Gradients at a layer and its activations, of pairs, and the target of images and references, as `through_pairs`."""
REASONS = (
    "operators without a secant, a layer that not all of the target goes through, or a target that is no linear "
    "function of a layer, such as a probability read from logits"
)


def references_of(spec: Baseline, images: Array, model: Model, seed: int, most: int | None = None) -> Array:
    """The references of each image, (N, k, C, H, W).

    Args:
        spec: baselines, by name, file or array.
        images: (N, C, H, W).
        model: what black and white mean to it.
        seed: of noise, and of the draws.
        most: k at most; of more as many are drawn, each once at most.
    """
    xp = namespace(images)
    found = xp.stack([baselines(spec, images[n : n + 1, ...], model, seed) for n in range(images.shape[0])])
    if most is None or found.shape[1] <= most:
        return found
    drawn = np.sort(np.random.default_rng(seed).choice(found.shape[1], most, replace=False))
    return xp.stack([found[:, int(k), ...] for k in drawn], axis=1)


def difference_shares(
    model: Model,
    images: Array,
    references: Array,
    objective: Objective,
    layer: str,
    multipliers: Multipliers,
    progress: Progress,
) -> Relevance:
    """Multipliers times differences, the mean over an image's references: of the shape of the image, or of the layer.

    Args:
        model: the network.
        images: (N, C, H, W).
        references: (N, k, C, H, W).
        objective: the target of the images.
        layer: whose values the target is shared out among.
        multipliers: how they are found.
        progress: told of each batch.
    """
    xp, count, each = namespace(images), images.shape[0], references.shape[1]
    values: dict[int, Array] = {}
    scores: dict[int, Array] = {}
    differences: dict[int, Array] = {}
    for done, (start, stop, pairs) in enumerate(pairs_of(model, images, references), 1):
        pull, target = multipliers(pairs, objective.select(start, stop), layer)
        products = pull.gradients[layer][: pairs.half, ...] * pairs.difference(pull.activations[layer])
        added = _sum_by_image(products, pairs), _sum_by_image(pairs.difference(target), pairs)
        for total, more in zip((values, differences), added, strict=True):
            total[start] = total[start] + more if start in total else more
        scores.setdefault(start, target[: pairs.images])
        progress(done, -(-count * each // pairs.half), "references")
    of_all = [xp.concat(list(parts.values()), axis=0) for parts in (values, scores, differences)]
    start_value = of_all[2] / each
    nothing = xp.zeros_like(xp.stack([start_value, start_value], axis=1))
    result = Relevance(of_all[0] / each, scores=of_all[1], start=start_value, absorbed=nothing)
    return replace(result, notes=(*conservation_note(result, REASONS), *secant_caveats(model)))


def _sum_by_image(values: Array, pairs: Pairs) -> Array:
    """(k N, ...) added up over k, (N, ...)."""
    xp = namespace(values)
    return xp.sum(xp.reshape(values, (-1, pairs.images, *values.shape[1:])), axis=0)
