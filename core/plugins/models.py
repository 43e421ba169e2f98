"""Models and methods as users give them: objects, paths and names, in a list or by a name to show."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import ComparisonError, ModelError, unknown_name
from ..method.base import Method
from ..model.base import Model
from .lookup import in_words
from .registry import image_method_class, with_parameters
from .wrap import wrap

__all__ = [
    "MethodsLike",
    "ModelLike",
    "ModelsLike",
    "as_method",
    "as_model",
    "is_one_model",
    "named_methods",
    "named_models",
]

ModelLike: TypeAlias = Any
"""A `Model`, whatever `crosslens.wrap` takes, or a pair of it and wrap's options: (net, {"preprocess": "tf"})."""
ModelsLike: TypeAlias = Sequence[ModelLike] | Mapping[str, ModelLike]
"""Several of them, in a list or by a name to show."""
MethodLike: TypeAlias = str | Method | type[Method]
"""A method's name, the method, or its class, which then has its defaults."""
MethodsLike: TypeAlias = MethodLike | Sequence[MethodLike] | Mapping[str, MethodLike]
"""One, or several in a list or by a label to show."""


def named_models(models: ModelsLike, names: Sequence[str] = ()) -> dict[str, Model]:
    """The models by name: paths and objects of a framework are wrapped, each with its own options where it has some.

    Without names given, a path is called by its file's name and another model by its backend's ("torch", "torch 2").

    Args:
        models: `Model`s and whatever `crosslens.wrap` takes, in a list or by name: [net, "net.onnx"],
            {"original": net, "exported": "net.onnx"}. A pair holds options of `crosslens.wrap` for one of them:
            [(net, {"preprocess": "tf"}), "net.onnx"].
        names: what to call them instead.

    Raises:
        ModelError: one model that is in no list; what cannot be wrapped; options that `wrap` does not have; names that
            repeat, or are not as many as the models.
    """
    if is_one_model(models):
        raise ModelError(
            f"models are given in a list, [a, b], or by name, {{'a': a, 'b': b}}; this is one: {_in_words(models)}"
        )
    given = list(models.values() if isinstance(models, Mapping) else models)
    wrapped = [as_model(each) for each in given]
    if names and len(set(names)) != len(given):
        raise ModelError(f"names are {', '.join(names)} for {len(given)} models; give each its own")
    for model in wrapped:
        model.follow_weights()
    chosen = names or (map(str, models) if isinstance(models, Mapping) else _names(given, wrapped))
    return dict(zip(chosen, wrapped, strict=True))


def is_one_model(models: Any) -> bool:
    """Whether this can be one model only, and not several in a list or by name."""
    return _is_pair(models) or isinstance(models, str | Path) or not isinstance(models, Sequence | Mapping | Iterator)


def as_model(network: ModelLike) -> Model:
    """One model: as it is, or wrapped, with the options that a pair (network, options) holds.

    Raises:
        ModelError: it cannot be wrapped, or options that `wrap` does not have.
    """
    network, options = network if _is_pair(network) else (network, {})
    known = list(signature(wrap).parameters)[1:]
    for name in options:
        if name not in known:
            raise ModelError(unknown_name("option", name, known, of="crosslens.wrap"))
    if isinstance(network, Mapping | Sequence) and not isinstance(network, str):
        raise ModelError(
            f"a model is a Model, a network, a path, or a pair (network, options) such as (net, {{'preprocess': "
            f"'tf'}}); this is {in_words(network)}"
        )
    return wrap(network, **options)


def _is_pair(network: Any) -> bool:
    return isinstance(network, tuple) and len(network) == 2 and isinstance(network[1], Mapping)


def _names(given: Sequence[ModelLike], wrapped: Sequence[Model]) -> tuple[str, ...]:
    """A file's name, or its path where two files share that; else the backend's name; numbered where they repeat."""
    networks = [each[0] if _is_pair(each) else each for each in given]
    files = [Path(each).name if isinstance(each, str | Path) else None for each in networks]
    of_files = Counter(files)
    names = [
        model.backend if file is None else file if of_files[file] == 1 else str(network)
        for file, network, model in zip(files, networks, wrapped, strict=True)
    ]
    counts = [names[: n + 1].count(name) for n, name in enumerate(names)]
    return tuple(name if count == 1 else f"{name} {count}" for name, count in zip(names, counts, strict=True))


def named_methods(methods: MethodsLike) -> dict[str, Method]:
    """The methods by name, or by the labels of a mapping, under which one method may stand several times.

    Args:
        methods: names, methods and classes of methods; one, or several in a list or by label: "grad_cam",
            ["grad_cam", crosslens.method("gradient")], {"10": method("integrated_gradients", steps=10), "50": ...}.

    Raises:
        ComparisonError: none of these, none at all, or one twice in a list.
        PluginError, ParameterError: no method of that name, or one with a parameter that has no default.
    """
    if isinstance(methods, Sequence | Mapping) and not methods:
        raise ComparisonError("no method to compare with; `crosslens methods` lists them")
    if isinstance(methods, Mapping):
        return {str(label): as_method(each, _ORDER) for label, each in methods.items()}
    several = list(methods) if isinstance(methods, Sequence | Iterator) and not isinstance(methods, str) else [methods]
    chosen = [as_method(each, _ORDER) for each in several]
    names = [each.name for each in chosen]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ComparisonError(f"{', '.join(twice)} is given twice; give each a label: {{'first': ..., 'second': ...}}")
    return dict(zip(names, chosen, strict=True))


_ORDER = ". The order is compare(models, methods, images)"


def as_method(given: Any, advice: str = "") -> Method:
    """One method on single images: as it is, or by its name or class with its defaults.

    Raises:
        ComparisonError: none of these; `advice` ends the message.
        PluginError, ParameterError: no method of that name, or one with a parameter that has no default.
    """
    if isinstance(given, Method):
        return given
    if isinstance(given, str):
        given = image_method_class(given)
    if isinstance(given, type) and issubclass(given, Method):
        return with_parameters(given, {})
    raise ComparisonError(
        f"a method is a name, 'grad_cam' for example, or what crosslens.method gives; this is "
        f"{_in_words(given)}{advice}"
    )


def _in_words(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return in_words(value) + (f" of shape {tuple(shape)}" if isinstance(shape, tuple) else "")
