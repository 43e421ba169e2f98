"""Run methods on several models of one network with the same images and the same target, and measure the noise."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..alignment.compatibility import (
    default_names,
    refuse_different_inputs,
    refuse_different_outputs,
    refuse_repeated_methods,
)
from ..alignment.divergence import Divergence, diverge
from ..arrays import Array
from ..errors import ComparisonError
from ..execution.progress import Progress, silent, track
from ..introspection.default_layer import classes
from ..method.base import Method
from ..model.base import Model
from ..result import Result
from .comparison import Comparison
from .layer_translation import LayerTranslation
from .predictions import Prediction, predict
from .rounding_noise import Noise, rounding_noise

__all__ = ["Comparison", "compare"]

_DIVERGENCE_IMAGES = 2
"""How many of the images the layers are compared on."""


def compare(
    models: Sequence[Model] | Mapping[str, Model],
    methods: Method | Sequence[Method],
    images: Array = None,
    target: Any = None,
    *,
    titles: Sequence[str] = (),
    layers: bool = False,
    progress: Progress = silent,
) -> Comparison:
    """Run one or more methods on two or more models with the same images and the same target.

    Args:
        models: what `crosslens.wrap` gave, in a list or by a name to show.
        methods: what `crosslens.method` gave, one or several. A `layer=` may be named in any of the models.
        images: (N, C, H, W), float32 in [0, 1].
        target: as for a method; None means the class that the first model predicts, for all of them (the positive
            class of one sigmoid, the number of a regression).
        titles: a name for each image, for the report.
        layers: compare the first model with each other one layer by layer as well, see `crosslens.diverge`.
        progress: called after each result with (done, total, what).

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes; one
            method twice.
    """
    named = dict(models) if isinstance(models, Mapping) else dict(zip(default_names(models), models, strict=True))
    chosen = [methods] if isinstance(methods, Method) else list(methods)
    _refuse_incomparable(named, target)
    refuse_repeated_methods([method.name for method in chosen])
    predictions = _predictions(named, images)
    leader = next(iter(named.values())).output
    if target is None and predictions and not leader.binary and leader.has_probabilities:
        target = list(predictions[0].classes)
    results, noise = _results_and_noise(named, chosen, images, target, progress)
    divergences = _divergences(named, images) if layers and images is not None else ()
    names = tuple(method.name for method in chosen)
    return Comparison(tuple(named), names, results, predictions, tuple(titles), noise, divergences)


def _results_and_noise(
    models: Mapping[str, Model], methods: Sequence[Method], images: Array, target: Any, progress: Progress
) -> tuple[dict[tuple[str, str], Result], dict[str, Noise]]:
    """The result of each method on each model, and each method's rounding noise on the model that took least time."""
    results: dict[tuple[str, str], Result] = {}
    noise: dict[str, Noise] = {}
    translation = LayerTranslation(models, images)
    targets = translation.targets(target)
    translated = {method.name: translation.methods(method, targets) for method in methods}
    work = [(method, name) for method in methods for name in (*models, None)]
    for method, name in track(work, progress, "comparing"):
        of_models = targets if method.needs_target else dict.fromkeys(models)
        if name is not None:
            results[method.name, name] = translated[method.name][name](models[name], images, of_models[name])
        elif method.needs_images:
            quickest = min(models, key=lambda each: results[method.name, each].provenance["seconds"])
            result, run = results[method.name, quickest], translated[method.name][quickest].method
            noise[method.name] = rounding_noise(run, quickest, models[quickest], result, of_models[quickest])
    return results, noise


def _divergences(models: Mapping[str, Model], images: Array) -> tuple[Divergence, ...]:
    """Where each other model parts from the first."""
    (first, leader), *others = models.items()
    few = images[:_DIVERGENCE_IMAGES, ...]
    return tuple(diverge(leader, model, few, names=(first, name)) for name, model in others)


def _refuse_incomparable(models: Mapping[str, Model], target: Any) -> None:
    if len(models) < 2:
        raise ComparisonError(f"comparing takes two models or more; there is {len(models)}")
    for model in models.values() if target is None else ():
        classes(model)
    refuse_different_outputs(models)
    refuse_different_inputs(models)


def _predictions(models: Mapping[str, Model], images: Array) -> tuple[Prediction, ...]:
    """None without images; the first model's come first, and the others are asked about the classes in them."""
    if images is None or not all(_predicts(model) for model in models.values()):
        return ()
    (first, leader), *others = models.items()
    leading = predict(first, leader, images)
    return (leading, *(predict(name, model, images, leading) for name, model in others))


def _predicts(model: Model) -> bool:
    """Whether each image gets a class or one score."""
    return model.output.is_vector and (model.output.has_probabilities or model.output.count == 1)
