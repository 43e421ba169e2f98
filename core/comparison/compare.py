"""Run methods on several models of one network with the same images and the same target, and measure the noise."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..alignment.compatibility import refuse_different_inputs, refuse_different_outputs
from ..alignment.divergence import Divergence, diverge
from ..arrays import Array
from ..errors import ComparisonError
from ..execution.progress import Progress, shows_progress, silent, track
from ..introspection.default_layer import classes
from ..method.base import Method
from ..model.base import Model
from ..plugins.models import MethodsLike, ModelsLike, named_methods, named_models
from ..result import Result
from .comparison import Comparison
from .layer_translation import LayerTranslation
from .predictions import Prediction, predict
from .rounding_noise import Noise, rounding_noise

__all__ = ["Comparison", "compare"]

_DIVERGENCE_IMAGES = 2
"""How many of the images the layers are compared on."""


@shows_progress
def compare(
    models: ModelsLike,
    methods: MethodsLike,
    images: Array = None,
    target: Any = None,
    *,
    titles: Sequence[str] = (),
    layers: bool = False,
    progress: Progress = silent,
) -> Comparison:
    """Run one or more methods on two or more models with the same images and the same target.

    Args:
        models: `Model`s, or whatever `crosslens.wrap` takes, in a list or by a name to show; a pair holds the options
            of one of them: ["a.onnx", (net, {"preprocess": "tf"})].
        methods: names, what `crosslens.method` gives, or classes; one, several in a list, or by a label to show. A
            `layer=` may be named in any of the models.
        images: (N, C, H, W), float32 in [0, 1].
        target: as for a method; None means the class that the first model predicts, for all of them (the positive
            class of one sigmoid, the number of a regression).
        titles: a name for each image, for the report.
        layers: compare the first model with each other one layer by layer as well, see `crosslens.diverge`.
        progress: called after each result with (done, total, what); a bar in a notebook if not given.

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes; no
            method, or one twice without labels.
        ModelError, PluginError: what is not a model, or not a method.
    """
    named, chosen = named_models(models), named_methods(methods)
    _refuse_incomparable(named, target)
    predictions = _predictions(named, images)
    leader = next(iter(named.values())).output
    if target is None and predictions and not leader.binary and leader.has_probabilities:
        target = list(predictions[0].classes)
    results, noise = _results_and_noise(named, chosen, images, target, progress)
    divergences = _divergences(named, images) if layers and images is not None else ()
    return Comparison(tuple(named), tuple(chosen), results, predictions, tuple(titles), noise, divergences)


def _results_and_noise(
    models: Mapping[str, Model], methods: Mapping[str, Method], images: Array, target: Any, progress: Progress
) -> tuple[dict[tuple[str, str], Result], dict[str, Noise]]:
    """The result of each method on each model, and each method's rounding noise on the model that took least time."""
    results: dict[tuple[str, str], Result] = {}
    noise: dict[str, Noise] = {}
    translation = LayerTranslation(models, images)
    targets = translation.targets(target)
    translated = {label: translation.methods(method, targets) for label, method in methods.items()}
    work = [(label, name) for label in methods for name in (*models, None)]
    for label, name in track(work, progress, "comparing"):
        method = methods[label]
        of_models = targets if method.needs_target else dict.fromkeys(models)
        if name is not None:
            results[label, name] = translated[label][name](models[name], images, of_models[name])
        elif method.needs_images:
            quickest = min(models, key=lambda each: results[label, each].provenance["seconds"])
            result, run = results[label, quickest], translated[label][quickest].method
            noise[label] = rounding_noise(run, quickest, models[quickest], result, of_models[quickest])
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
