"""Random search over a method's parameters: many settings, one contact sheet, and a person chooses.

Yosinski et al. 2015 ("Understanding neural networks through deep visualization", section 3) drew their regularisers'
strengths at random and picked by eye, because no figure says what a good picture is.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import DivergedError, ParameterError, unknown_name
from ..execution.interrupt import stop_on_signals
from ..execution.notices import notices_of
from ..execution.progress import Progress, part_of, shows_progress, silent
from ..image.batch import image_batch
from ..method.base import Method, makes_pictures
from ..method.no_target import NO_TARGET
from ..method.parameter import Bounds, check_value, parameters
from ..method.provenance import json_value, provenance
from ..model.base import Model
from ..objective.target import resolve_target
from ..plugins.models import ModelLike, as_method, as_model
from ..plugins.saved_result import load
from ..result import Synthesis
from .checkpoint import check_same
from .search_result import Search, Trial
from .search_space import draw_value
from .state_file import check_numbers, refuse_state

__all__ = ["search"]

_GIVE = "the .npz of an earlier search"


@stop_on_signals()
@shows_progress
def search(
    method: str | Method | type[Method],
    model: ModelLike,
    images: Any = None,
    target: Any = None,
    *,
    trials: int = 9,
    vary: Mapping[str, Any] | None = None,
    seed: int = 0,
    resume: str | Path | None = None,
    keep: Callable[[Search], None] | None = None,
    progress: Progress = silent,
) -> Search:
    """A method tried with random settings.

    Args:
        method: one that makes pictures, by name or with the parameters that all trials share.
        model: a `Model`, or whatever `crosslens.wrap` takes.
        images, target: as for the method.
        trials: how many settings to draw. Trial n's do not depend on how many there are.
        vary: by parameter, (low, high) to draw a number between, whole where both are, by its logarithm where the range
            spans a factor of 10; or a list to choose from; for `rules` a list each of which is in or out, with ranges
            such as "decay:0.0001..0.05". As text "0.01..0.1" or "rgb,lucid". The method's own ranges if not given.
        seed: of the draws.
        resume: an earlier search saved as `.npz`, whose whole trials stand.
        keep: told the search so far after each trial but the last.
        progress: told after each trial, and within it of each step; a bar in a notebook if not given.

    Returns:
        The trials with settings and figures; after ctrl-C those that were done, with a note. One whose steps were too
        long is left out, with a note.

    Raises:
        ParameterError: no such parameter, a method that makes no pictures or proposes no ranges, no trials, or an
            earlier search that is another or has them all.
        DivergedError: no trial stayed finite.
        KeyboardInterrupt: interrupted before the first trial was done.
    """
    fixed, model = as_method(method), as_model(model)
    check_value("trials", trials, int, Bounds(minimum=1))
    ranges = _ranges(fixed, vary)
    images = None if images is None else image_batch(images, model, any_size=fixed.takes_any_size())
    record = _record(fixed, ranges, model, images, target, seed)
    done = [] if resume is None else _earlier(resume, record, trials)
    notes: list[str] = []
    failed: DivergedError | None = None
    for n in sorted(set(range(trials)) - {trial.number - 1 for trial in done}):
        rng = np.random.default_rng([seed, n])
        settings = {name: draw_value(among, rng) for name, among in ranges.items()}
        try:
            asked = replace(fixed, **settings)
            made = cast("Synthesis", asked(model, images, target, progress=part_of(progress, n, trials, "trial")))
        except KeyboardInterrupt:
            if not done:
                raise
            notes.append(f"interrupted after {n} of {trials} trials")
            break
        except DivergedError as error:
            failed = error
            notes.append(f"trial {n + 1} left out: {error}")
            continue
        whole = not any(note.startswith("interrupted") for note in made.notes)
        done.append(Trial(settings, _figures(made), made.images, n + 1, whole))
        if not whole:
            notes.append(f"interrupted in trial {n + 1} of {trials}, which is the best so far of its own steps")
            break
        if keep is not None and n + 1 < trials:
            keep(Search(trials=tuple(done), notes=tuple(notes), **record))
    if not done and failed is not None:
        raise failed
    notices_of(fixed.name, notes)
    return Search(trials=tuple(done), notes=tuple(notes), **record)


def _record(
    fixed: Method, ranges: Mapping[str, Any], model: Model, images: Array, target: Any, seed: int
) -> dict[str, Any]:
    """What makes a search the same: method, parameters, model, objective, images and seed."""
    count = None if images is None else images.shape[0]
    objective = resolve_target(target, model, count) if fixed.needs_target else NO_TARGET
    own = {f.name: json_value(getattr(fixed, f.name)) for f in parameters(fixed)}
    where = provenance(model, objective, 0.0)
    where = {name: value for name, value in where.items() if name != "seconds"}
    return {
        "method": fixed.name,
        "parameters": {**own, **{name: json_value(among) for name, among in ranges.items()}},
        "provenance": {**where, "search_seed": seed, "search_images": None if images is None else json_value(images)},
    }


def _earlier(path: str | Path, now: Mapping[str, Any], trials: int) -> list[Trial]:
    """The whole trials of a saved search, which must be the same one.

    Raises:
        ParameterError: it is another, or has as many trials already.
    """
    try:
        earlier = load(path)
    except ParameterError as error:
        raise ParameterError(f"cannot go on from '{path}': {error}; give the .npz of an earlier search") from error
    if not isinstance(earlier, Search):
        raise ParameterError(f"cannot go on from '{path}': it holds {earlier}; give the .npz of an earlier search")
    _check_trials(path, earlier)
    check_same("search", path, _settings(vars(earlier)), _settings(now))
    done = [trial for trial in earlier.trials if trial.whole]
    if {trial.number for trial in done} >= set(range(1, trials + 1)):
        raise ParameterError(f"trials is {trials}, and the search to go on from has {len(done)}; ask for more")
    return done


def _check_trials(path: str | Path, earlier: Search) -> None:
    """Refuse trials that are not what a search leaves.

    Raises:
        ParameterError: what is wrong.
    """
    for trial in earlier.trials:
        images = trial.images
        if getattr(images, "ndim", 0) != 4 or not images.size or not isinstance(trial.number, int):
            refuse_state(path, f"trial {trial.number!r} in it has no pictures", _GIVE)
        check_numbers(path, f"pictures of trial {trial.number}", images, _GIVE)


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal in a search and the one that continues it, by name."""
    provenance = {
        name: record["provenance"].get(name) for name in ("model", "objective", "search_seed", "search_images")
    }
    return {"method": record["method"], **record["parameters"], **provenance}


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
            raise ParameterError(unknown_name("parameter", name, known, of=method.name))
    return {name: chosen[name] for name in known if name in chosen}


def _figures(made: Synthesis) -> Mapping[str, float]:
    """The objective at the first and the last step, and the mean difference between neighbouring pixels."""
    history, images = as_numpy(made.history), as_numpy(made.images)
    apart = [float(np.abs(np.diff(images, axis=axis)).mean()) for axis in (2, 3)]
    return {"first": float(history[0].mean()), "last": float(history[-1].mean()), "roughness": sum(apart) / 2}
