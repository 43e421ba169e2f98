"""`crosslens.wrap`: a network as a `Model`. The backend is chosen by the object's root module or the file's suffix."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ModelError, did_you_mean, unknown_name
from ..model.base import OUTPUT, InputSpec, Model
from ..model.preprocessing import PRESETS, Preprocess, preprocessing
from .registry import BACKENDS, demo_networks, load, plugin, plugins

__all__ = ["wrap"]


def wrap(
    network: Any,
    *,
    preprocess: str | Preprocess | Mapping[str, Any] | None = "imagenet",
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

    Args:
        network: an object of a framework; a path (`.pt2`, `.pt`, `.keras`, `.h5`, a SavedModel folder, `.onnx`);
            "package.module:factory"; "demo:NAME"; or a `Model`, which is returned as it is.
        preprocess: what the network was trained on: a preset ("imagenet", "tf", "caffe", "unit", "raw255", "lite"),
            keywords of `Preprocess`, or None for none. Presets are defined for images in [0, 1]: with other bounds
            the image is mapped to [0, 1] first. A `Preprocess`, keywords and None act on the image's own values.
        labels: class names, in the order of the outputs; two, the negative class first, for one sigmoid or logit.
        batch_size: images at once; decided by memory if not given.
        input_shape: (C, H, W), None = any, where the network does not say, (C, D, H, W) for volumes;
            `InputSpec.latent(...)` for a generator.
        bounds: the least and the largest value of an image, (0, 255) for example; [0, 1] if not given.
        output: index or name of the output to explain, where there are several.
        output_kind: what the output is, where `Model.output` finds out something else: "logits", "probabilities",
            "log_probabilities", "independent" (a sigmoid for each class), "independent_logits", "score" (no class).
        inputs: what the network's other inputs hold, by name, with or without a batch axis of one; the one that is
            left out is explained.
        device: where torch computes, "cuda" for example; where the weights are if not given.
        providers: onnxruntime's execution providers.
        trust: open files that can run code when they are loaded, such as TorchScript and pickled modules.

    Raises:
        ModelError: the object or file is none that a backend knows, or cannot be loaded; the labels are not as many as
            its classes; the output is not of that kind; an option that the backend does not have for this network; or
            a factory gives a `Model`, which would not hear the options.
        PluginError: the backend cannot be imported.
    """
    if isinstance(network, Model):
        return network
    wished, bounds = _input_spec_and_bounds(input_shape, bounds)
    within = bounds if wished is None else wished.bounds
    options: dict[str, Any] = {
        "preprocess": preprocessing(preprocess, within),
        "labels": labels,
        "batch_size": _check_batch_size(batch_size),
        "input": wished,
        "bounds": bounds if wished is None else None,
        "output": output,
        "inputs": dict(inputs) if inputs else None,
        "device": device,
        "providers": providers,
        "trust": trust,
    }
    if isinstance(network, str) and ":" in network and not Path(network).exists():
        spec, network = network, _network_of(network)
        if isinstance(network, Model):
            network.labels = options.pop("labels") or network.labels
            network.batch_size = options.pop("batch_size") or network.batch_size
            return _with_output_kind(_refuse_unused_options(network, spec, options, within), output_kind)
    names = _file_names(Path(network)) if isinstance(network, str | Path) else _object_names(network)
    for name in names:
        read = _ReadOptions(options, within)
        model = load(plugin(BACKENDS, name)).hook.crosslens_wrap(network=network, options=read)
        if model:
            _refuse_unread(read, name)
            model[0].fixed_inputs = options["inputs"] or {}
            return _with_output_kind(model[0], output_kind)
    raise ModelError(f"no backend could wrap {_describe(network)}; backends know {', '.join(_backend_names())}")


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


def _refuse_unused_options(
    model: Model, spec: str, options: Mapping[str, Any], within: tuple[float, float] | None = None
) -> Model:
    """A model that a factory has wrapped already, if nothing is asked for that was settled then.

    Raises:
        ModelError: an option that would not be heard.
    """
    usual = {**_DEFAULTS, "preprocess": PRESETS["imagenet"]}
    unheard = [
        f"{_KEYWORDS.get(name, name)}="
        for name, value in options.items()
        if name != "trust"
        and not (name == "preprocess" and _is_default(name, value, within))
        and value != usual.get(name)
    ]
    if unheard:
        raise ModelError(
            f"'{spec}' gives a model that is wrapped already, so that {', '.join(unheard)} would not be heard; leave "
            "it out, or write a factory that wraps with it"
        )
    return model


_KEYWORDS = {"input": "input_shape"}
"""Options by the name that a user types."""


def _check_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and batch_size < 1:
        raise ModelError(f"batch_size is {batch_size}; it must be at least 1, or None")
    return batch_size


def _backend_names() -> list[str]:
    return sorted({p.name for p in plugins(BACKENDS)})


def _describe(network: Any) -> str:
    return (
        f"'{network}'" if isinstance(network, str | Path) else f"a {type(network).__module__}.{type(network).__name__}"
    )


def _file_names(path: Path) -> list[str]:
    """The suffix under which a backend may be registered."""
    if not path.exists():
        raise ModelError(f"no model at '{path}': the file does not exist")
    suffix = ".pb" if path.is_dir() and (path / "saved_model.pb").exists() else path.suffix
    if suffix in _backend_names():
        return [suffix]
    suffixes = [name for name in _backend_names() if name.startswith(".")]
    if path.is_dir():
        raise ModelError(
            f"'{path}' is a folder without saved_model.pb, so no SavedModel; files end in {', '.join(suffixes)}"
        )
    raise ModelError(
        f"'{path}' ends in {suffix!r}; a model file ends in {', '.join(suffixes)}.{did_you_mean(suffix, suffixes)}"
    )


def _object_names(network: Any) -> list[str]:
    """Root modules of the object's classes, the framework underneath first (Keras on torch is torch's)."""
    roots = [kind.__module__.partition(".")[0] for kind in reversed(type(network).__mro__)]
    names = [root for root in dict.fromkeys(roots) if root in _backend_names()]
    if not names:
        raise ModelError(
            f"no backend wraps {_describe(network)}; backends know objects and files of {', '.join(_backend_names())}"
        )
    return names


def _network_of(spec: str) -> Any:
    """What "package.module:factory" returns; "demo:NAME" is a network that a plugin offers."""
    module, _, name = spec.partition(":")
    if module == "demo":
        networks = demo_networks()
        if name not in networks:
            raise ModelError(unknown_name("demo network", name, sorted(networks)))
        return networks[name].load()
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        factory = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ModelError(f"no model '{spec}': no file of that name, and no module {error.name!r} to import") from error
    except AttributeError as error:
        known = [n for n in dir(sys.modules[module]) if not n.startswith("_")]
        hint = did_you_mean(name, known) or f" It has {', '.join(known)}." * (len(known) < 20)
        raise ModelError(f"module {module!r} has no {name!r}.{hint}") from error
    if isinstance(factory, type) or (callable(factory) and not hasattr(factory, "forward")):
        return factory()
    return factory
