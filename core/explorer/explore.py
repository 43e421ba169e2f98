"""`crosslens.explore`: a network opened like a book, as a site of static files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.concepts import HasConcepts
from ..data.source import Source
from ..data.sources import adapters
from ..errors import LayerError, ModelError, ParameterError
from ..execution.progress import Progress, shows_progress, silent
from ..execution.workers import Workers
from ..introspection.default_layer import default_layer
from ..introspection.unit_layers import unit_layers
from ..method.base import gives
from ..model.base import Model
from ..plugins.method_by_name import method
from ..plugins.models import ModelLike, as_model
from ..plugins.registry import image_method_class
from ..result import Attribution
from ..store.manifest import MANIFEST, read_manifest
from ..survey.given import open_model_again, open_source_again
from ..survey.survey import Survey, open_survey
from ..survey.sweep import sweep
from .book import Book, Shown
from .names import network_name
from .network.chapters import default_layers
from .site import Site

__all__ = ["book_methods", "explore", "is_store"]

MANY = 20_000
"""Images from which on one layer is laid out, not three: t-SNE of 60,000 takes minutes for each."""
LAYERS = 12
"""Layers with pages of units at most, where none are named."""
EXAMPLES = 9
"""Examples of a unit and kind that a survey for a site keeps."""


@shows_progress
def explore(
    what: Survey | ModelLike,
    data: Any = None,
    *,
    model: ModelLike = None,
    layers: Sequence[str] | str = (),
    store: str | Path | None = None,
    beside: ModelLike = None,
    checkpoints: Any = None,
    again: bool = False,
    workers: Workers | None = None,
    progress: Progress = silent,
    **shown: Any,
) -> Site:
    """Open a network like a book: `explore(survey).save("site/")` makes pages that open from disk, without a network.

    Args:
        what: a survey, or its folder; or a model, or what `crosslens.wrap` takes, of which a survey is made first.
        data: the images, as `crosslens.sweep` takes them. Of a survey those that it is of; not needed where the survey
            was made by this program, or from a path. Without images a model's site has no examples.
        model: the network of a survey, where that was not made from a file.
        layers: those whose units get pages, where a survey is made first: names, or "all" or "rectified"; 12 at most,
            the ends of the network's blocks, if not given.
        store: the folder in which that survey is kept; in memory if not given, and then the images have no thumbnails.
        beside: a second model to show side by side: aligned layers, matched units, where they part.
        checkpoints: what `crosslens.steady_embedding` gave, or its .npz: the points of all checkpoints in one layout.
        again: begin the survey anew, where its folder holds one of other images or another network.
        workers: who makes the survey, `crosslens.execution.workers.Workers`; this process with one thread if not given.
        progress: called with (done, all, what).
        shown: how much, see `crosslens.explorer.book.Shown`: units=8 of each layer with visualisations, or "all";
            pictures=48 with a page, or "all"; size=112 and steps=64 of visualisations; maps=(...), names of methods.

    >>> from crosslens.testing import TinyModel
    >>> explore(TinyModel())
    <Site of tiny: 3 layers, no images>

    Returns:
        A `Site`: `.save("site/")`, `.unit(layer, 11)`; in a notebook its pages.

    Raises:
        CrosslensError: what is wrong with the model, the data, a layer or an option.
    """
    chosen = Shown.of(shown)
    for name in chosen.maps:
        if not gives(image_method_class(name), Attribution):
            raise ParameterError(f"maps: {name} gives no map of a picture; grad_cam and gradient do, for example")
    if isinstance(what, Survey) or is_store(what):
        if layers or store is not None or again:
            name = "layers" if layers else "store" if store is not None else "again"
            raise ParameterError(
                f"{name}: of a survey that is made first; this one is made, sweep into it again for more"
            )
        survey = what if isinstance(what, Survey) else open_survey(what)
        network, source = _opened(survey, model, data)
        _refuse_volumes(network)
        return Site(Book(network, survey, source, chosen, network_name(network)), beside, checkpoints)
    if model is not None:
        raise ParameterError("model: the network of a survey; here the network itself is the first argument")
    network = as_model(what)
    _refuse_volumes(network)
    named = unit_layers(network, layers) if layers else default_layers(network, LAYERS)
    if data is None:
        return Site(Book(network, Survey({}, {}), None, chosen, network_name(network), named), beside, checkpoints)
    source = adapters.data(data)
    who = workers or Workers(threads=1)
    how: Any = {"workers": who.workers, "threads": who.threads or 1, "ray": who.ray, "again": again}
    survey = sweep(network, source, book_methods(network, source, named), store=store, progress=progress, **how)
    return Site(Book(network, survey, source, chosen, network_name(network)), beside, checkpoints)


def book_methods(model: Model, source: Source, layers: Sequence[str]) -> list[Any]:
    """What a survey for a site gathers: statistics, examples, points of three layers, concepts where data have labels.

    Args:
        model: the network.
        source: the images.
        layers: those whose units get pages.
    """
    chosen = [
        method("unit_statistics", layers=tuple(layers)),
        method("top_examples", layers=tuple(layers), count=EXAMPLES, shown=0),
    ]
    if isinstance(source, HasConcepts):
        chosen.append(method("dissect", layers=tuple(layers)))
    return [*chosen, *(method("embedding", layer=layer) for layer in _embedded(model, layers, len(source)))]


def _embedded(model: Model, layers: Sequence[str], images: int) -> list[str]:
    """The default layer; of data that are laid out in minutes, before it those at a third and two thirds of the way."""
    try:
        last = default_layer(model)
    except LayerError:  # a network of vectors: the last layer before the output
        last = list(layers)[-2:][0]
    if images > MANY:
        return [last]
    before = list(layers)[: list(layers).index(last)] if last in layers else list(layers)
    thirds = [before[len(before) * part // 3] for part in (1, 2)] if len(before) > 3 else []
    return list(dict.fromkeys([*thirds, last]))


def is_store(what: Any) -> bool:
    """Whether this is the folder of a survey; a SavedModel folder is none."""
    return isinstance(what, str | Path) and (Path(what) / MANIFEST).is_file()


def _same_images(source: Source, of_survey: Source | None) -> Source:
    if of_survey is None or of_survey.digest not in {source.digest, source.images_only().digest}:
        raise ParameterError(f"{source} does not hold the images of the survey, {of_survey}: give those, or none")
    return source


def _refuse_volumes(model: Model) -> None:
    if model.input.is_volume:
        raise ModelError(f"explore shows networks of pictures; this one takes volumes, {model.input.shape}")


def _opened(survey: Survey, model: ModelLike, data: Any) -> tuple[Model, Source | None]:
    if survey.folder is None:
        network = survey.model if model is None else as_model(model)
        assert network is not None
        assert survey.model is not None
        if network.digest != survey.model.digest:
            raise ModelError(f"model: {network} is not the network of the survey, {survey.model}")
        return network, survey.source if data is None else _same_images(adapters.data(data), survey.source)
    manifest: Mapping[str, Any] = read_manifest(survey.folder) or {}
    network = survey.model if survey.model is not None and model is None else open_model_again(manifest, model)
    source = survey.source if survey.source is not None and data is None else open_source_again(manifest, data)
    return network, source
