"""Random search over a method's parameters: many settings, one contact sheet, and a person chooses.

Yosinski et al. 2015 ("Understanding neural networks through deep visualization", section 3) drew their regularisers'
strengths at random and picked by eye, because no figure says what a good picture is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .arrays import Array, as_numpy
from .errors import ParameterError, did_you_mean
from .method import Method, makes_pictures, parameters
from .model import Model
from .plugins import method as named
from .progress import Progress, silent
from .provenance import described
from .ranges import drawn
from .result import Synthesis
from .trials import Search, Trial

__all__ = ["search"]


def search(
    method: str | Method,
    model: Model,
    images: Array = None,
    target: Any = None,
    *,
    trials: int = 9,
    vary: Mapping[str, Any] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Search:
    """A method tried with random settings.

    Args:
        method: one that makes pictures, by name or with the parameters that all trials share.
        model, images, target: as for the method.
        trials: how many settings to draw. Trial n's do not depend on how many there are.
        vary: by parameter, (low, high) to draw a number between, whole where both are, by its logarithm where the range
            spans a factor of 10; or a list to choose from; for `rules` a list each of which is in or out, with ranges
            such as "decay:0.0001..0.05". As text "0.01..0.1" or "rgb,lucid". The method's own ranges if not given.
        seed: of the draws.
        progress: told after each trial, and within it of each step.

    Returns:
        The trials with settings and figures; after ctrl-C those that were done, with a note.

    Raises:
        ParameterError: no such parameter, a method that makes no pictures or proposes no ranges, no trials.
        KeyboardInterrupt: interrupted before the first trial was done.
    """
    fixed = named(method) if isinstance(method, str) else method
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise ParameterError(f"trials is {trials!r}; it must be a whole number, at least 1")
    ranges = _ranges(fixed, vary)
    done: list[Trial] = []
    result: Synthesis | None = None
    notes: tuple[str, ...] = ()
    for n in range(trials):
        rng = np.random.default_rng([seed, n])
        settings = {name: drawn(among, rng) for name, among in ranges.items()}
        try:
            made = replace(fixed, **settings)(model, images, target, progress=_within(progress, n, trials))
        except KeyboardInterrupt:
            if not done:
                raise
            notes = (f"interrupted after {n} of {trials} trials",)
            break
        result = made
        done.append(Trial(settings, _figures(made), made.images))
        if any(note.startswith("interrupted") for note in made.notes):
            notes = (f"interrupted in trial {n + 1} of {trials}, which is the best so far of its own steps",)
            break
    assert result is not None
    return Search(
        trials=tuple(done),
        method=fixed.name,
        parameters={**result.parameters, **{name: described(among) for name, among in ranges.items()}},
        provenance={**result.provenance, "search_seed": seed},
        notes=notes,
    )


def _ranges(method: Method, vary: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What to draw each parameter from, in the order of the method's parameters."""
    if not makes_pictures(type(method)):
        raise ParameterError(f"{method.name} makes no pictures to choose from; search methods that do, such as maco")
    known = {f.name: f for f in parameters(method)}
    own = {name: f.metadata["search"] for name, f in known.items() if "search" in f.metadata}
    if vary is None and not own:
        raise ParameterError(f"{method.name} proposes no ranges; say what to vary, such as learning_rate 0.01..0.1")
    chosen = vary or own
    for name in chosen:
        if name not in known:
            has = ", ".join(known)
            raise ParameterError(f"{method.name} has no parameter {name!r}; it has {has}.{did_you_mean(name, known)}")
    return {name: chosen[name] for name in known if name in chosen}


def _figures(made: Synthesis) -> Mapping[str, float]:
    """The objective at the first and the last step, and the mean difference between neighbouring pixels."""
    history, images = as_numpy(made.history), as_numpy(made.images)
    apart = [float(np.abs(np.diff(images, axis=axis)).mean()) for axis in (2, 3)]
    return {"first": float(history[0].mean()), "last": float(history[-1].mean()), "roughness": sum(apart) / 2}


def _within(progress: Progress, n: int, trials: int) -> Progress:
    return lambda done, total, what: progress(n * total + done, trials * total, f"trial {n + 1} of {trials}: {what}")
