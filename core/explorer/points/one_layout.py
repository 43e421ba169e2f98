"""Planes of several layers and checkpoints brought into one steady layout, so that switching moves points little."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...layouts import aligned, neighbourhood_hit, steady, trustworthiness
from ...layouts.layout import Numbers
from .plane import Plane

__all__ = ["is_laid_out_again", "normalised", "together"]

MOST = 20_000
"""Images up to which the layers' t-SNE is computed again in one steady layout: a minute for each layer there."""
TURNED = "its points were turned, moved and scaled onto the first layout, which keeps the distances between them"
TOGETHER = "the t-SNE of all layers was computed together, so that points can be followed from layer to layer"


def is_laid_out_again(planes: Sequence[Plane]) -> list[bool]:
    """Of each plane whether `together` computes its points again: t-SNE of several layers whose rows are there."""
    can = [
        each.layout.name == "tsne" and not each.steady and each.rows is not None and len(each.points) <= MOST
        for each in planes
    ]
    return can if sum(can) > 1 else [False] * len(planes)


def together(planes: Sequence[Plane], labels: Sequence[str]) -> list[Plane]:
    """The planes with points that can be compared from one to the next.

    t-SNE of several layers is computed again by `crosslens.layouts.steady`. Other layouts are turned, mirrored, moved
    and scaled onto the first one (Procrustes), checkpoints that were laid out together all in the same way.

    Args:
        planes: of the same images.
        labels: of the images, "" for none; for the figures of layouts that are made here.
    """
    again = is_laid_out_again(planes)
    made = iter(_laid_out([each for each, new in zip(planes, again, strict=True) if new], labels))
    done = [next(made) if new else each for each, new in zip(planes, again, strict=True)]
    if not done:
        return []
    base = done[again.index(True)] if any(again) else done[0]
    group = [each for each in done if each.steady]
    moved = _onto(base.points, [each.points for each in group]) if group and base not in group else []
    placed = dict(zip(map(id, group), moved, strict=bool(moved)))
    for each, new in zip(done, again, strict=True):
        if not new and not each.steady and each is not base:
            placed[id(each)] = _onto(base.points, [each.points])[0]
    return [
        replace(each, points=placed[id(each)], notes=(*each.notes, TURNED)) if id(each) in placed else each
        for each in done
    ]


def _laid_out(planes: Sequence[Plane], labels: Sequence[str]) -> list[Plane]:
    if not planes:
        return []
    settings = planes[0].layout.parameters
    rows = [np.asarray(each.rows) for each in planes]
    layouts = steady(rows, "tsne", 2, perplexity=settings.get("perplexity", 30.0), seed=settings.get("seed", 0))
    return [
        replace(plane, layout=layout, points=layout.points, quality=_quality(own, layout.points, labels), notes=notes)
        for plane, layout, own in zip(planes, layouts, rows, strict=True)
        for notes in [(*layout.notes, TOGETHER)]
    ]


def _quality(rows: Numbers, points: Numbers, labels: Sequence[str]) -> dict[str, float]:
    trust = trustworthiness(rows, points)
    hit = neighbourhood_hit(points, [label or None for label in labels])
    figures = {"trustworthiness": None if trust is None else float(trust), "neighbourhood_hit": hit}
    return {name: value for name, value in figures.items() if value is not None}


def _onto(base: Numbers, group: Sequence[Numbers]) -> list[Numbers]:
    """Layouts moved onto another by one rotation, translation and scale for all of them; points that lie in both."""
    every, there = np.concatenate(group).astype(np.float64), np.tile(base.astype(np.float64), (len(group), 1))
    known = np.isfinite(every).all(axis=1) & np.isfinite(there).all(axis=1)
    if known.sum() < 2 or not np.ptp(every[known], axis=0).any():
        return list(group)
    here = every[known]
    moved = np.full_like(every, np.nan)
    moved[known] = aligned(here, there[known], scale=True)
    rest = np.isfinite(every).all(axis=1) & ~known
    if rest.any():
        moved[rest] = _same_way(here, moved[known], every[rest])
    return np.split(moved.astype(np.float32), len(group))


def _same_way(before: Numbers, after: Numbers, others: Numbers) -> Any:
    """Other points moved as `before` were to become `after`; a similarity is linear, so least squares finds it."""
    ones = np.ones((len(before), 1))
    way = np.linalg.lstsq(np.hstack([before, ones]), after, rcond=None)[0]
    return np.hstack([others, np.ones((len(others), 1))]) @ way


def normalised(layouts: Sequence[Numbers]) -> list[Numbers]:
    """All points within -1 and 1, in one way for all layouts that keeps angles; NaN stays."""
    every = np.concatenate(layouts).astype(np.float64)
    known = every[np.isfinite(every).all(axis=1)]
    if not len(known):
        return [each.astype(np.float32) for each in layouts]
    low, high = known.min(axis=0), known.max(axis=0)
    half = float((high - low).max()) / 2 or 1.0
    scaled = [np.clip((each.astype(np.float64) - (low + high) / 2) / half, -1, 1) for each in layouts]
    return [each.astype(np.float32) for each in scaled]
