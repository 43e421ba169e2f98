"""`crosslens.transfer`: pictures made by an attack on each of several networks, tried on each of them."""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from ..alignment.compatibility import refuse_different_inputs, refuse_different_outputs
from ..arrays import Array, as_numpy
from ..attack import Adversarial, AttackMethod
from ..data.source import Samples
from ..data.sources.adapters import data
from ..errors import ComparisonError, ImageError, TargetError
from ..execution.batching import forward_limit, slices
from ..execution.progress import Progress, shows_progress, silent
from ..model.base import Model
from ..objective.aim import Aim
from ..objective.margins import margins
from ..plugins.models import ModelsLike, named_models
from ..result.selection import items_at
from .attack_words import attack_of, full_word
from .label_classes import AGAINST, label_classes
from .transfer_matrix import Transfer, transfer_columns

__all__ = ["all_samples", "transfer", "transfer_of"]

Values = np.ndarray[Any, Any]
ALIKE = 1e-3
"""Largest difference of logits, as a share of the largest, of two networks that count as one."""


@shows_progress
def transfer(
    models: ModelsLike,
    images: Any,
    attack: str | AttackMethod = "pgd",
    *,
    against: str = "auto",
    progress: Progress = silent,
) -> Transfer:
    """Make pictures by an attack on each of several networks, and try them on each of them.

    Of each pair those images count of which both networks give the class to leave before any change: the label, or
    without labels the class that the source predicts. What fooled one framework's copy of a network and not another's
    is a dispute: it is listed with both margins, and decided by their mean.

    Args:
        models: two or more, in a list or by name; `Model`s, or whatever `crosslens.wrap` takes.
        images: what `crosslens.data` makes a source of: a folder, an array, (images, labels).
        attack: what `crosslens.method` gives, or a word such as "pgd:eps=0.1,steps=20".
        against: "label", "prediction", or "auto": labels where there are; images without one then do not count.
        progress: called with (pictures made, all of them, what); a bar in a notebook if not given.

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes.
        TargetError: a network has no classes; with against="label", an image has no label that is one.
        ParameterError: what is not an attack.
        ImageError: none of the images can be read.
    """
    named, method = named_models(models), attack_of(attack)
    if len(named) < 2:
        raise ComparisonError(f"transfer takes two models or more, in a list or by name; there is {len(named)}")
    if against not in AGAINST:
        raise TargetError(f"against is {against!r}; give one of {', '.join(AGAINST)}")
    refuse_different_outputs(named)
    refuse_different_inputs(named)
    leader = next(iter(named.values()))
    samples = all_samples(images, leader)
    labels = label_classes(leader, samples.ids, samples.records, against)
    own = np.flatnonzero(labels >= 0) if (labels >= 0).any() else np.arange(len(labels))
    x = items_at(samples.images, own.tolist())
    target = [int(each) for each in labels[own]] if (labels >= 0).any() else None
    results, count = {}, len(own)
    for n, (name, model) in enumerate(named.items()):
        told = _told(progress, n * count, count, count * len(named), f"{method.name} on {name}")
        results[name] = method(model, x, target, progress=told)
        told(1, 1, "")
        assert isinstance(results[name], Adversarial)
    left = len(labels) - len(own)
    notes = (f"{left} of {len(labels)} images have no label that is a class of the networks, and do not count",)
    return transfer_of(
        named,
        results,
        attack=full_word(method),
        names=[samples.ids[n] for n in own],
        against="prediction" if target is None else "label",
        notes=(*notes * bool(left), *(f"{each.id} cannot be read: {each.reason}" for each in samples.failures)),
    )


def _told(progress: Progress, done: int, count: int, total: int, what: str) -> Progress:
    """What tells `progress` how many pictures are done, of the steps of an attack on `count` of them."""
    return lambda step, steps, _: progress(done + count * step // max(steps, 1), total, what)


def all_samples(images: Any, model: Model) -> Samples:
    """All images of a source at once, as this model takes them.

    Raises:
        ImageError: none of them can be read.
    """
    source = data(images)
    source.check(model)
    samples = source.read(0, len(source), model)
    if not samples.ids:
        why = [f"; the first, {each.id}: {each.reason}" for each in samples.failures[:1]]
        raise ImageError(f"none of the images of {source} can be read{''.join(why)}")
    return samples


def transfer_of(
    models: Mapping[str, Model],
    results: Mapping[str, Adversarial],
    *,
    attack: str,
    names: Sequence[str] = (),
    against: str = "prediction",
    notes: Sequence[str] = (),
) -> Transfer:
    """The matrix of pictures that were made on each network.

    Args:
        models: by name.
        results: of one attack on the same images, by the name of the model that it was run on.
        attack: as a word.
        names: of the images.
        against: what the class to leave is, "label" or "prediction".
        notes: what a reader must know beside.
    """
    first = next(iter(results.values()))
    clean = {name: _logits(model, first.starts) for name, model in models.items()}
    made = {s: {t: _logits(model, results[s].images) for t, model in models.items()} for s in results}
    aims = {(s, t): _aim(models[t], results[s]) for s in results for t in models}
    pairs = [[(s, t) for t in models] for s in results]
    fooled = _stack([[aims[s, t].succeeded(aims[s, t].deciding(made[s][t])) for s, t in row] for row in pairs])
    margin = _stack([[margins(aims[s, t], aims[s, t].deciding(made[s][t])) for s, t in row] for row in pairs])
    counts = _stack([[_right(aims[s, s], clean[s]) & _right(aims[s, t], clean[t]) for s, t in row] for row in pairs])
    alike = _alike(clean)
    titles = tuple(names) or tuple(f"picture {n + 1}" for n in range(len(first)))
    disputes = _disputes(tuple(models), fooled, counts, margin, alike, clean)
    return Transfer(
        transfer_columns(tuple(models), fooled, counts),
        models=tuple(models),
        attack=attack,
        norm=first.norm,
        fooled=fooled,
        counts=counts,
        margins=margin,
        images=as_numpy(first.starts),
        pictures=np.stack([as_numpy(each.images) for each in results.values()]),
        names=titles,
        against=against,
        alike=alike,
        rounding=max((_apart(clean[a], clean[b]) for group in alike for a, b in combinations(group, 2)), default=0.0),
        disputes={**disputes, "image": np.asarray(titles)[disputes["image"]]},
        method="transfer",
        parameters={"attack": attack, **first.parameters},
        provenance={name: dict(each.provenance) for name, each in results.items()} | {"bounds": list(first.bounds)},
        notes=(*notes, *_notes(counts, alike, disputes, clean)),
    )


def _stack(rows: Sequence[Sequence[Values]]) -> Values:
    return np.stack([np.stack(row) for row in rows])


def _logits(model: Model, x: Array) -> Values:
    """(N, classes), float64: those of all classes, as `Aim` reads them."""
    aim, parts = Aim(model.output, np.zeros(0, np.int64)), []
    for start, stop in slices(x.shape[0], forward_limit(model)):
        parts.append(aim.class_logits(model.forward(model.placed(x[start:stop, ...]), [aim.layer])))
    return np.concatenate(parts)


def _aim(model: Model, result: Adversarial) -> Aim:
    reach = as_numpy(result.reach)
    return Aim(model.output, as_numpy(result.leave), None if (reach < 0).all() else reach)


def _right(aim: Aim, clean: Values) -> Values:
    """(N,): whether the class to leave is what the network says of the images themselves."""
    leave = Aim(aim.spec, aim.leave)
    return ~leave.succeeded(leave.deciding(clean))


def _alike(clean: Mapping[str, Values]) -> tuple[tuple[str, ...], ...]:
    """Groups of networks that give the same logits, to rounding; those alone are left out."""
    groups: list[list[str]] = []
    for name, logits in clean.items():
        same = [group for group in groups if _apart(clean[group[0]], logits) <= ALIKE * np.abs(logits).max()]
        if same:
            same[0].append(name)
        else:
            groups.append([name])
    return tuple(tuple(group) for group in groups if len(group) > 1)


def _apart(a: Values, b: Values) -> float:
    """The largest difference of two networks' logits, each image's about its mean: a shift changes no decision."""
    return float(np.abs((a - a.mean(axis=1, keepdims=True)) - (b - b.mean(axis=1, keepdims=True))).max())


def _disputes(
    models: tuple[str, ...],
    fooled: Values,
    counts: Values,
    margin: Values,
    alike: Sequence[Sequence[str]],
    clean: Mapping[str, Values],
) -> dict[str, Values]:
    """Pictures about which copies of one network disagree with the source; `image` is the place of each."""
    rows: list[dict[str, Any]] = []
    for group in alike:
        members = [models.index(name) for name in group]
        for s, t in permutations(members, 2):
            rounding = _apart(clean[models[s]], clean[models[t]])
            for n in np.flatnonzero(counts[s, t] & (fooled[s, s] != fooled[s, t])):
                two = margin[s, s, n], margin[s, t, n]
                rows.append(
                    {
                        "source": models[s],
                        "target": models[t],
                        "image": n,
                        "source_margin": two[0],
                        "target_margin": two[1],
                        "rounding": rounding,
                        "by_rounding": max(abs(each) for each in two) <= 2 * rounding,
                        "fools": margin[s, members, n].mean() < 0,
                    }
                )
    kinds = {"source": np.str_, "target": np.str_, "image": np.int64, "by_rounding": np.bool_, "fools": np.bool_}
    names = ("source", "target", "image", "source_margin", "target_margin", "rounding", "by_rounding", "fools")
    return {name: np.asarray([row[name] for row in rows], kinds.get(name, np.float64)) for name in names}


def _notes(
    counts: Values, alike: Sequence[Sequence[str]], disputes: Mapping[str, Values], clean: Mapping[str, Values]
) -> list[str]:
    notes = []
    for group in alike:
        apart = max(_apart(clean[a], clean[b]) for a, b in combinations(group, 2))
        notes.append(f"{', '.join(group)} are one network: their logits of the images differ by {apart:.1e} at most")
    if count := len(disputes["image"]):
        by_rounding = int(disputes["by_rounding"].sum())
        notes.append(
            f"{count} times a picture fools one copy of a network and not another, {by_rounding} of them with margins "
            "within rounding; the disputes list them"
        )
    if not counts.any(axis=2).all():
        notes.append("some pairs of networks have no image that both get right, and no rate")
    return notes
