"""Run methods on several models of one network with the same images and the same target, and measure the noise."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..alignment.compatibility import refuse_different_inputs, refuse_different_outputs
from ..alignment.divergence import Divergence, diverge
from ..arrays import Array
from ..attack import AttackMethod
from ..errors import ComparisonError, CrosslensError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress, shows_progress, silent
from ..image.batch import image_batch
from ..introspection.default_layer import classes
from ..model.base import Model
from ..plugins.models import MethodsLike, ModelsLike, named_methods, named_models
from ..robustness.attack_words import full_word
from ..robustness.transfer import transfer_of
from ..robustness.transfer_matrix import Transfer
from .comparison import Comparison
from .layer_translation import LayerTranslation
from .predictions import Prediction, predict
from .result_figures import refuse_incomparable_results
from .rounding_noise import Noise, rounding_noise
from .runs import Runs

__all__ = ["Comparison", "compare"]

_DIVERGENCE_IMAGES = 2
"""How many of the images the layers are compared on."""


@stop_on_signals()
@shows_progress
def compare(
    models: ModelsLike,
    methods: MethodsLike,
    images: Any = None,
    target: Any = None,
    *,
    titles: Sequence[str] = (),
    layers: bool = False,
    transfer: bool = False,
    progress: Progress = silent,
) -> Comparison:
    """Run one or more methods on two or more models with the same images and the same target.

    Args:
        models: `Model`s, or whatever `crosslens.wrap` takes, in a list or by a name to show; a pair holds the options
            of one of them: ["a.onnx", (net, {"preprocess": "tf"})].
        methods: names, what `crosslens.method` gives, or classes; one, several in a list, or by a label to show. A
            `layer=` may be named in any of the models.
        images: as for a method: (N, C, H, W) float32 in the models' bounds, or what `image_batch` converts.
        target: as for a method; None means the class that the first model predicts, for all of them (the positive
            class of one sigmoid, the number of a regression).
        titles: a name for each image, for the report.
        layers: compare the first model with each other one layer by layer as well, see `crosslens.diverge`.
        transfer: of an attack, show the matrix of its pictures of each model tried on each other one.
        progress: called with (results of pictures done, all of them, what); a bar in a notebook if not given.

    A method that cannot run on one of the models is left out there, with its reason in `Comparison.skipped`; a picture
    on which any method fails is left out of all. After ctrl-C the comparison is of the results so far, and
    `skipped` names what was not done.

    Raises:
        ComparisonError: fewer than two models, or models that take different images or have different classes; no
            method, or one twice without labels, or one whose results have no values.
        ModelError, PluginError: what is not a model, or not a method.
        CrosslensError: no method runs on two of the models.
        KeyboardInterrupt: interrupted before one method had run on two of the models.
    """
    named, chosen = named_models(models), named_methods(methods)
    _refuse_incomparable(named, target)
    refuse_incomparable_results(chosen)
    images = None if images is None else image_batch(images, next(iter(named.values())))
    predictions = _predictions(named, images)
    leader = next(iter(named.values())).output
    if target is None and predictions and not leader.binary and leader.has_probabilities:
        target = list(predictions[0].classes)
    translation = LayerTranslation(named, images)
    runs = Runs(named, chosen, images, translation.targets(target))
    runs.run_all(translation, progress)
    skipped = runs.skipped(titles)
    if any(each.image is not None for each in skipped):
        kept = runs.keep_common()
        images, predictions = runs.images, tuple(each.of_images(kept) for each in predictions)
        titles = [titles[n] if n < len(titles) else f"picture {n + 1}" for n in kept]
    transfers = _transfers(runs, titles)
    if transfer and not transfers:
        raise ComparisonError(
            "transfer= is about the pictures of attacks, and none of the methods is one; leave it out"
        )
    noise = {} if runs.interrupted else _noise(runs, progress)
    divergences = _divergences(named, images) if layers and images is not None and not runs.interrupted else ()
    left = tuple(label for label in chosen if runs.models_of(label))
    return Comparison(
        tuple(named), left, runs.results, predictions, tuple(titles), noise, divergences, transfers, transfer, skipped
    )


def _noise(runs: Runs, progress: Progress) -> dict[str, Noise]:
    """Each method's rounding noise on the model that took least time; none where it cannot be measured."""
    noise: dict[str, Noise] = {}
    left = [label for label, method in runs.methods.items() if method.needs_images and runs.models_of(label)]
    left = [label for label in left if not isinstance(runs.methods[label], AttackMethod)]
    for label in left:
        progress(runs.total, runs.total, f"rounding noise of {label}")
        name = min(runs.models_of(label), key=lambda each: runs.results[label, each].provenance["seconds"])
        run, target = runs.translated[label, name].method, runs.target(label, name)
        with suppress(CrosslensError):  # a picture at its bounds, say; the comparison stands without it
            noise[label] = rounding_noise(run, name, runs.models[name], runs.results[label, name], target)
    return noise


def _transfers(runs: Runs, titles: Sequence[str]) -> dict[str, Transfer]:
    """Each attack's pictures of each model, tried on each; forward passes alone."""
    found = {}
    for label, method in runs.methods.items():
        names = runs.models_of(label)
        if isinstance(method, AttackMethod) and names:
            results: dict[str, Any] = {name: runs.results[label, name] for name in names}
            found[label] = transfer_of(
                {name: runs.models[name] for name in names}, results, attack=full_word(method), names=titles
            )
    return found


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
