"""Network dissection written slowly, from its description: sorting, loops over pictures, units and concepts."""

from hashlib import blake2b

import numpy as np
from PIL import Image


def threshold(values, quantile, rule):
    """Of one unit: all its values, in any order."""
    ordered = np.sort(values.ravel().astype(np.float64))
    count = len(ordered)
    if rule == "exact":
        return next(v for n, v in enumerate(ordered, 1) if n >= round(quantile * count, 9))
    place = quantile * (count - 1) if rule == "linear" else quantile * count - 0.5
    return np.float32(np.interp(place, np.arange(count), ordered))


def enlarged(values, size, rule, centres, picture):
    """One map at the size of masks; `centres` (start, size, step) of its receptive fields, in pixels."""
    height, width = values.shape
    if rule == "pillow":
        return np.array(Image.fromarray(values).resize(size[::-1], Image.Resampling.BILINEAR))
    axes = []
    for n, m, whole in zip((height, width), size, picture, strict=True):
        start, field, step = centres or (0, whole / n, whole / n)
        if rule == "fields":
            anchors = [start + field / 2 + step * u for u in range(n)]
            axes.append((anchors, [(j + 0.5) * whole / m for j in range(m)]))
        elif rule == "whole_pixels":
            reduction = round(whole / m)
            first = (int(field) // 2 + int(start)) // reduction
            axes.append(([first + u * (int(step) // reduction) for u in range(n)], list(range(m))))
        else:
            axes.append((list(range(-1, n + 1)), [(j + 0.5) * n / m - 0.5 for j in range(m)]))
    values = np.pad(values, 1) if rule == "zeros" else values
    (rows, ys), (columns, xs) = axes
    wide = np.array([np.interp(xs, columns, row) for row in values.astype(np.float64)])
    return np.array([np.interp(ys, rows, column) for column in wide.T]).T.astype(np.float32)


def scores(maps, planes, categories, *, settings, centres=None, picture, null=None):
    """IoU (units, concepts), and thresholds.

    `planes` (N, P, H, W) concept numbers; `categories` the category of each concept; `null` the planes whose labels
    are compared instead, where they are other ones.
    """
    quantile, rule, of, enlarge, counted = settings
    planes = planes if null is None else null
    size, concepts = planes.shape[2:], range(1, len(categories) + 1)
    found, cuts = np.zeros((maps.shape[1], len(categories))), []
    for unit in range(maps.shape[1]):
        large = [enlarged(m[unit], size, enlarge, centres, picture) for m in maps]
        cuts.append(threshold(np.array(large) if of == "enlarged" else maps[:, unit], quantile, rule))
        for concept in concepts:
            same = [c for c in concepts if categories[c - 1] == categories[concept - 1]]
            shared = activated = labelled = 0
            for values, labels in zip(large, planes, strict=True):
                mask = values > cuts[-1]
                of_category = np.isin(labels, same).any(axis=0)
                here = (labels == concept).any(axis=0)
                if {"category": of_category, "under_mask": of_category & mask, "all": np.ones(1)}[counted].any():
                    activated += mask.sum()
                shared += (mask & here).sum()
                labelled += here.sum()
            union = activated + labelled - shared
            found[unit, concept - 1] = shared / union if union else 0
    return found, np.array(cuts)


def shuffled(planes, categories, ids, seed):
    """Each category's labels moved on to the next picture that has it, in the order of hashes of the ids."""
    order = sorted(range(len(ids)), key=lambda n: blake2b(f"{seed}\0{ids[n]}".encode(), digest_size=8).digest())
    moved = np.zeros((len(planes), len(dict.fromkeys(categories)), *planes.shape[2:]), planes.dtype)
    for plane, category in enumerate(dict.fromkeys(categories)):
        numbers = [n for n, each in enumerate(categories, 1) if each == category]
        circle = [n for n in order if np.isin(planes[n], numbers).any()]
        for here, there in zip(circle, [*circle[1:], *circle[:1]], strict=True):
            own = np.where(np.isin(planes[there], numbers), planes[there], 0)
            moved[here, plane] = own.max(axis=0)
    return moved
