"""`crosslens.wrap`: a network as a `Model`. The backend is chosen by the object's root module or the file's suffix."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

from ..errors import ModelError, unknown_name
from ..metadata.origin import Origin
from ..metadata.recipe import recipe_of
from ..model.base import OUTPUT, InputSpec, Model
from ..model.preprocessing import Preprocess, preprocessing
from .carried import lasting_options, read_metadata, tell_origin, with_metadata
from .default_preprocessing import with_default_preprocessing
from .lookup import from_factory, in_words, known_backends, names_for_file, names_for_object
from .registry import BACKENDS, demo_network, load, plugin

__all__ = ["UNASKED", "check_options", "is_asked", "wrap", "wrap_native"]


class _Unasked(str):
    """The default of an option, to be told from the same value given by a user."""

    __slots__ = ()


UNASKED = _Unasked("imagenet")
"""The preprocessing where none is given."""


def wrap(
    network: Any,
    *,
    preprocess: str | Path | Preprocess | Mapping[str, Any] | None = UNASKED,
    labels: Sequence[str] | None = None,
    batch_size: int | None = None,
    input_shape: Sequence[int | None] | InputSpec | None = None,
    bounds: tuple[float, float] | None = None,
    output: int | str | None = None,
    output_kind: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    device: Any = None,
    providers: Sequence[Any] | None = None,
    trust: bool = False,
) -> Model:
    """A network as a `Model`.

    What a file says of its network (`crosslens.attach` writes it) counts where nothing is given here.

    Args:
        network: an object of a framework; a path (`.pt2`, `.pt`, `.keras`, `.h5`, a SavedModel folder, `.onnx`);
            "package.module:factory"; "demo:NAME", a network that a plugin brings with its own preprocessing, labels and
            shape, before which what is given here counts; or a `Model`, which is returned as it is.
        preprocess: what the network was trained on: a preset ("imagenet", "tf", "caffe", "unit", "raw255", "lite"),
            text ("mean=.485/.456/.406,std=.25,order=BGR"), a .json file (keywords, or Hugging Face's or timm's),
            keywords of `Preprocess`, or None for none. If not given: what the file says, else none where the output is
            a picture ("image" below) and "imagenet" for three channels, which the logger "crosslens" is told; with
            other channels it must be given. Latent vectors have none, inputs of integers the range of their type.
            Presets are defined for images in [0, 1]: with other bounds the image is mapped to [0, 1] first. A
            `Preprocess`, numbers and None act on the image's own values.
        labels: class names, in the order of the outputs; two, the negative class first, for one sigmoid or logit.
        batch_size: images at once; decided by memory if not given.
        input_shape: (C, H, W), None = any, where the network does not say, (C, D, H, W) for volumes;
            `InputSpec.latent(...)` for a generator.
        bounds: the least and the largest value of an image, (0, 255) for example; [0, 1] if not given.
        output: index or name of the output to explain, where there are several.
        output_kind: what the output is, where `Model.output` finds out something else: "logits", "probabilities",
            "log_probabilities", "independent" (a sigmoid for each class), "independent_logits", "score" (no class);
            of (N, K, H, W) "maps" of classes or an "image".
        inputs: what the network's other inputs hold, by name, with or without a batch axis of one; the one that is
            left out is explained. One called `style_weights` may be left out too: it holds equal shares.
        device: where torch computes, "cuda" for example; where the weights are if not given.
        providers: onnxruntime's execution providers.
        trust: open files that can run code when they are loaded, such as TorchScript and pickled modules.

    Raises:
        ModelError: no backend knows the object or file, or it cannot be loaded; the labels are not as many as its
            classes; the output is not of that kind; an option that the backend does not have for this network; or
            options are given for what is a `Model` already.
        PluginError: the backend cannot be imported.
    """
    options: dict[str, Any] = {
        "preprocess": preprocess, "labels": labels, "batch_size": batch_size, "input_shape": input_shape,
        "bounds": bounds, "output": output, "output_kind": output_kind, "inputs": inputs, "device": device,
        "providers": providers, "trust": trust,
    }  # fmt: skip
    asked = {name: value for name, value in check_options(options).items() if is_asked(name, value)}
    if isinstance(network, Model):
        _refuse_for_a_model("this is", asked)
        return network
    demo: Mapping[str, Any] = {}
    given = spec_or_path = network
    if isinstance(network, str) and ":" in network and not os.path.exists(network):
        spec = network
        if spec.startswith("demo:"):
            offered = demo_network(spec.removeprefix("demo:"))
            network, demo = _build_demo(spec, offered.build), offered.options()
        else:
            given = network = from_factory(spec)
        if isinstance(network, Model):
            model = _with_late_options(network, spec, asked)
            model.named = spec, asked
            return model
    merged, origin = with_metadata(None if demo else read_metadata(network), {**options, **demo, **asked}, asked)
    origin = replace(origin, preprocess="demo") if "preprocess" in demo and "preprocess" not in asked else origin
    model = with_default_preprocessing(lambda *said: wrap_native(network, *said), merged, origin)
    model.recipe = recipe_of(model, wrap, given, {**lasting_options(asked, merged, model.origin), "trust": trust})
    model.named = (os.fspath(spec_or_path), asked) if isinstance(spec_or_path, str | os.PathLike) else None
    tell_origin(model, network)
    return model


def check_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of `wrap`, those that are not given at their defaults.

    Raises:
        ModelError: `wrap` has no such option.
        ParameterError: the preprocessing is none.
    """
    usual = {name: each.default for name, each in signature(wrap).parameters.items() if name != "network"}
    if unknown := sorted(options.keys() - usual.keys()):
        raise ModelError(unknown_name("option", unknown[0], usual, of="wrap"))
    preprocessing(options.get("preprocess"), None)
    return {**usual, **options}


def is_asked(name: str, value: Any) -> bool:
    """Whether a user gave an option, so that it is obeyed or refused; trust= asks for nothing."""
    return not isinstance(value, _Unasked) if name == "preprocess" else value is not None and name != "trust"


def wrap_native(network: Any, options: Mapping[str, Any], origin: Origin) -> Model:
    """An object or a file as a `Model`, with all options of `wrap` and where they come from."""
    wished, bounds = _input_spec_and_bounds(options["input_shape"], options["bounds"])
    within = bounds if wished is None else wished.bounds
    inputs = dict(options["inputs"] or {})
    preprocess = preprocessing(options["preprocess"], within)
    if not isinstance(options["preprocess"], Preprocess):
        preprocess.refuse_another_range(within or (0.0, 1.0))
    checked: dict[str, Any] = {
        "preprocess": preprocess,
        "labels": options["labels"],
        "batch_size": _check_batch_size(options["batch_size"]),
        "input": wished,
        "bounds": bounds if wished is None else None,
        "inputs": inputs,
        **{name: options[name] for name in ("output", "device", "providers", "trust")},
    }
    names = names_for_file(Path(network)) if isinstance(network, str | Path) else names_for_object(network)
    for name in names:
        read = _ReadOptions(checked, within)
        model = load(plugin(BACKENDS, name)).hook.crosslens_wrap(network=network, options=read)
        if model:
            _refuse_unread(read, name)
            model[0].fixed_inputs, model[0].origin = inputs, origin
            return _with_output_kind(model[0], options["output_kind"])
    raise ModelError(f"no backend could wrap {in_words(network)}; backends know {', '.join(known_backends())}")


def _input_spec_and_bounds(
    shape: Sequence[int | None] | InputSpec | None, bounds: tuple[float, float] | None
) -> tuple[InputSpec | None, tuple[float, float] | None]:
    """The input asked for, the bounds in it, and the bounds asked for.

    Raises:
        ModelError: bounds are given twice, or for an input that is not an image.
        ParameterError: bounds that are not two numbers, the lower one first.
    """
    if bounds is not None:
        low, high = (float(b) for b in bounds) if isinstance(bounds, Sequence) and len(bounds) == 2 else (1.0, 0.0)
        bounds = InputSpec(bounds=(low, high)).bounds
    if shape is None:
        return None, bounds
    if not isinstance(shape, InputSpec):
        return InputSpec(tuple(shape)).within(bounds), bounds
    if bounds is not None and shape.bounds not in {None, (0.0, 1.0), bounds}:
        raise ModelError(f"bounds are {bounds}, but the InputSpec says {shape.bounds}; leave one of the two out")
    return shape.within(bounds), bounds


class _ReadOptions(Mapping[str, Any]):
    """The options of `wrap`, and which of them a backend has looked at."""

    def __init__(self, options: Mapping[str, Any], bounds: tuple[float, float] | None) -> None:
        self._options = options
        self.unread = {name for name, value in options.items() if not _is_default(name, value, bounds)}

    def __getitem__(self, name: str) -> Any:
        self.unread.discard(name)
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)


def _refuse_unread(options: _ReadOptions, backend: str) -> None:
    """Refuse options that a backend never looked at: it cannot have obeyed them.

    Raises:
        ModelError: with their names.
    """
    if options.unread:
        names = ", ".join(f"{_KEYWORDS.get(name, name)}=" for name in sorted(options.unread))
        raise ModelError(f"the backend of {backend!r} has no option {names} for this network; leave it out")


def _is_default(name: str, value: Any, bounds: tuple[float, float] | None) -> bool:
    usual = [preprocessing(name, bounds) for name in ("imagenet", None)]
    if name == "inputs":
        return not value
    return name == "trust" or value is _DEFAULTS.get(name) or (name == "preprocess" and value in usual)


_DEFAULTS: Mapping[str, Any] = {"trust": False}
"""Options whose default is not None; that of preprocess= may be left unread, and so may none at all.

trust= may always be: it asks for nothing, it allows something.
"""


def _with_output_kind(model: Model, output_kind: str | None) -> Model:
    """The model with what the user says of its output, if it has as many labels as classes, or none.

    Raises:
        ModelError: with both numbers; or the output is not of that kind.
    """
    if output_kind is not None:
        model.output_kind = output_kind
        vars(model).pop("output", None)
        model.output  # noqa: B018 - computed now, so that a contradiction is refused here
    shape = model.layers[OUTPUT].shape
    classes = shape[1] if len(shape) > 1 and set(shape[2:]) <= {1} else None
    if model.labels is not None and classes is not None and len(model.labels) not in _numbers_of_labels(classes):
        raise ModelError(
            f"{len(model.labels)} labels for a model of {classes} classes; give one label per class"
            + ", or two for one number, the negative class first" * (classes == 1)
        )
    return model


def _numbers_of_labels(classes: int) -> set[int]:
    return {1, 2} if classes == 1 else {classes}


def _with_late_options(model: Model, spec: str, asked: Mapping[str, Any]) -> Model:
    """A model that a factory has wrapped, with the labels, the batch size and the kind of output that the user gives.

    Raises:
        ModelError: an option is given that was settled when the factory wrapped it.
    """
    late = {"labels", "batch_size", "output_kind"}
    _refuse_for_a_model(f"'{spec}' gives", {name: value for name, value in asked.items() if name not in late})
    model.labels = asked.get("labels", model.labels)
    model.batch_size = _check_batch_size(asked.get("batch_size", model.batch_size))
    return _with_output_kind(model, asked.get("output_kind"))


def _refuse_for_a_model(what: str, asked: Mapping[str, Any]) -> None:
    """Refuse options for what is wrapped already.

    Raises:
        ModelError: with their names.
    """
    if asked:
        names = ", ".join(f"{name}=" for name in asked)
        raise ModelError(
            f"{what} a model that is wrapped already, so that {names} would have no effect; leave it out, or give it "
            "where the model is wrapped"
        )


def _build_demo(spec: str, build: Callable[[], Any]) -> Any:
    """The object of a demo network.

    Raises:
        ModelError: the framework that it needs is not installed.
    """
    try:
        return build()
    except ImportError as error:
        raise ModelError(
            f"'{spec}' cannot be built: {error}; pip install 'crosslens[demo]' brings what it needs"
        ) from error


_KEYWORDS = {"input": "input_shape"}
"""Options by the name that a user types."""


def _check_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and batch_size < 1:
        raise ModelError(f"batch_size is {batch_size}; it must be at least 1, or None")
    return batch_size
