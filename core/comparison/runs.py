"""Methods on models: what fails on a model or a picture is skipped with its reason, and the rest goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ComparisonError, CrosslensError
from ..execution.progress import Progress
from ..method.base import Method
from ..model.base import Model
from ..objective import Objective, each
from ..objective.target import resolve_target
from ..result import Result
from ..result.selection import items_at
from .layer_translation import LayerTranslation, TranslatedMethod

__all__ = ["Runs", "Skipped", "left_out"]


@dataclass(frozen=True)
class Skipped:
    """What a comparison leaves out, and why."""

    method: str | None
    """None: a picture that cannot be read, for any method."""
    model: str | None
    reason: str
    image: str | None = None
    """The name of the picture that failed, and that is left out of the whole comparison; None: the method does not run
    on this model at all."""

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return dict(vars(self))


def left_out(skipped: Sequence[Skipped]) -> list[str]:
    """A line for each thing left out and its reason; models that say the same share it."""
    models: dict[Skipped, list[str]] = {}
    for one in skipped:
        models.setdefault(replace(one, model=None), []).extend([one.model] if one.model else [])
    return [_line(one, names) for one, names in models.items()]


def _line(one: Skipped, models: Sequence[str]) -> str:
    if one.method is None:
        return one.reason
    on = " and ".join([", ".join(models[:-1]), models[-1]] if len(models) > 1 else models)
    return f"{one.method} on {on}{'' if one.image is None else f', {one.image}'}: {one.reason}"


@dataclass
class Runs:
    """The results of methods on models, and what failed."""

    models: Mapping[str, Model]
    methods: Mapping[str, Method]
    images: Array
    targets: Mapping[str, Any]
    """By model."""
    translated: dict[tuple[str, str], TranslatedMethod] = field(default_factory=dict)
    """By (method, model), as are the others: the method with this model's layers."""
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    errors: dict[tuple[str, str], CrosslensError] = field(default_factory=dict)
    failed: dict[tuple[str, str], dict[int, CrosslensError]] = field(default_factory=dict)
    """By the index of the picture."""
    interrupted: bool = False

    @property
    def total(self) -> int:
        """The number of results of pictures, of all methods on all models."""
        return (1 if self.images is None else int(self.images.shape[0])) * len(self.methods) * len(self.models)

    def target(self, method: str, model: str) -> Any:
        """What this method explains on this model."""
        return self.targets[model] if self.methods[method].needs_target else None

    def run_all(self, translation: LayerTranslation, progress: Progress) -> None:
        """Run each method on each model; interrupted, it keeps what was finished.

        Raises:
            CrosslensError: no method runs on two models or more: the first error, or all of them in one.
            KeyboardInterrupt: interrupted before one method had run on two models.
        """
        try:
            self._run_each(translation, progress)
        except KeyboardInterrupt:
            if not any(len(self.models_of(label)) > 1 for label in self.methods):
                raise
            self.interrupted = True
            for key in [(label, name) for label in self.methods for name in self.models]:
                if key not in self.results:
                    self.failed.pop(key, None)
                    self.errors.setdefault(key, ComparisonError("interrupted before it was done"))
        self._refuse_nothing_left()

    def _run_each(self, translation: LayerTranslation, progress: Progress) -> None:
        count, total, done = self.total // (len(self.methods) * len(self.models)), self.total, 0
        for label, method in self.methods.items():
            of_models = translation.methods(method, self.targets)
            for name in self.models:
                key, run = (label, name), of_models[name]
                progress(done, total, f"{label} on {name}")
                if isinstance(run, CrosslensError):
                    self.errors[key] = run
                else:
                    self.translated[key] = run
                    self._run(key, _share(progress, done, count, total, f"{label} on {name}"))
                done += count
                progress(done, total, f"{label} on {name}")

    def _run(self, key: tuple[str, str], progress: Progress) -> None:
        """All pictures at once; one by one where that fails."""
        failed = self.failed[key] = {}
        try:
            self.results[key] = self.translated[key](self.models[key[1]], self.images, self.target(*key), progress)
        except CrosslensError as error:
            parts = self._one_by_one(key, failed) if self.images is not None and self.images.shape[0] > 1 else []
            if parts:
                self.results[key] = parts[0].joined(parts[1:])
            else:
                self.errors[key] = next(iter(self.failed.pop(key).values()), error)

    def _one_by_one(self, key: tuple[str, str], failed: dict[int, CrosslensError]) -> list[Result]:
        """The results of the pictures that do not fail; two that fail alike before any succeeds end it."""
        parts: list[Result] = []
        for n in range(self.images.shape[0]):
            try:
                target = self._target_of(key, n)
                parts.append(self.translated[key](self.models[key[1]], self.images[n : n + 1, ...], target))
            except CrosslensError as error:
                if not parts and str(error) in {str(known) for known in failed.values()}:
                    return []
                failed[n] = error
        return parts

    def _target_of(self, key: tuple[str, str], n: int) -> Any:
        """The target of one of the pictures."""
        target, unit = self.target(*key), "logit" if self.methods[key[0]].preset is None else "output"
        if isinstance(target, str | Objective):
            return resolve_target(target, self.models[key[1]], int(self.images.shape[0]), unit).select(n, n + 1)
        return target[n : n + 1] if np.ndim(target) else target

    def _refuse_nothing_left(self) -> None:
        """Drop the results of methods that are left on one model only; refuse to compare nothing."""
        for label in self.methods:
            left = self.models_of(label)
            for name in left if len(left) < 2 else ():
                del self.results[label, name]
        if self.results:
            return
        reasons = {str(error) for error in self.errors.values()}
        if len(reasons) == 1 or len(self.methods) == 1:
            raise next(iter(self.errors.values()))
        told = "; ".join(f"{label} on {name}: {error}" for (label, name), error in self.errors.items())
        raise ComparisonError(f"no method runs on two of the models: {told}")

    def models_of(self, method: str) -> list[str]:
        """The models that this method has results of."""
        return [name for name in self.models if (method, name) in self.results]

    def keep_common(self) -> list[int]:
        """Keep the pictures on which no method failed, of results, images and targets; gives their indices.

        Raises:
            CrosslensError: there is none; the first error.
        """
        failed = {n: error for key in self.results for n, error in self.failed.get(key, {}).items()}
        kept = [n for n in range(self.images.shape[0]) if n not in failed]
        if not kept:
            raise next(iter(failed.values()))
        for key, result in self.results.items():
            have = [n for n in range(self.images.shape[0]) if n not in self.failed.get(key, {})]
            self.results[key] = result[[have.index(n) for n in kept]]
        self.targets = {name: self._targets_at(kept, name) for name in self.models}
        self.images = items_at(self.images, kept)
        return kept

    def _targets_at(self, places: Sequence[int], model: str) -> Any:
        target = self.targets[model]
        if isinstance(target, str | Objective):
            objective = resolve_target(target, self.models[model], int(self.images.shape[0]))
            return target if objective.count is None else each(objective.select(n, n + 1) for n in places)
        return [target[n] for n in places] if np.ndim(target) else target

    def skipped(self, titles: Sequence[str]) -> tuple[Skipped, ...]:
        """What is left out, with its reason; a picture by its name."""
        whole = [Skipped(*key, str(error)) for key, error in self.errors.items()]
        pictures = [
            Skipped(*key, str(error), titles[n] if n < len(titles) else f"picture {n + 1}")
            for key in self.results
            for n, error in self.failed.get(key, {}).items()
        ]
        return (*whole, *pictures)


def _share(progress: Progress, done: int, count: int, total: int, what: str) -> Progress:
    """What tells `progress` how many pictures are done, of the steps of a method that explains `count` of them."""

    def report(step: int, steps: int, _: str) -> None:
        progress(done + (count * step // steps if steps else 0), total, what)

    return report
