"""`crosslens doctor`: what is installed, what does not work, and what can be done with a model."""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import click
import numpy as np

from ..arrays import namespace
from ..errors import CrosslensError
from ..introspection.default_layer import default_layer
from ..introspection.diagnostics import Finding, diagnose
from ..model.base import INPUT, OUTPUT, Model
from ..plugins.registry import METHODS
from ._models import MODEL_OPTIONS, opened, quiet
from ._spelling import spelled
from ._tables import JSON, echo_json, table
from .plugins import states

__all__ = ["command"]

_PACKAGES = {
    "numpy": "crosslens",
    "torch": "crosslens[torch]",
    "tensorflow": "crosslens[tensorflow]",
    "keras": "crosslens[tensorflow]",
    "onnx": "crosslens[onnx]",
    "onnxruntime": "crosslens[onnx]",
    "matplotlib": "crosslens[plot]",
    "scikit-image": "crosslens[demo]",
}
"""Each package with what to install to have it."""


def _doctor(model: str | None, as_json: bool, **options: Any) -> None:
    """Say what is installed and what does not work; with a MODEL, what can be done with it.

    Without a model no framework is imported: `crosslens plugins` tries those.
    """
    with quiet():
        checks = [*_installed(), *_plugins(METHODS)]
        if model:
            checks += _examined(model, options)
    if as_json:
        echo_json([check._asdict() for check in checks])
    else:
        click.echo(table(["what", "", "found"], [(c.name, _mark(c.ok), c.detail) for c in checks]))
    if any(check.ok is False for check in checks):
        click.get_current_context().exit(1)


def _mark(ok: bool | None) -> str:
    return "" if ok is None else "ok" if ok else "FAILS"


def _installed() -> Iterator[Finding]:
    yield Finding("python", None, platform.python_version())
    yield Finding("crosslens", None, version("crosslens"))
    for package, wanted in _PACKAGES.items():
        try:
            yield Finding(package, None, version(package))
        except PackageNotFoundError:
            yield Finding(package, None, f"not installed: pip install '{wanted}'")


def _plugins(group: str) -> list[Finding]:
    found = states(group)
    failing = [Finding(f"plugin {state['name']}", False, state["error"]) for state in found if state["error"]]
    return failing or [Finding(group.rpartition(".")[2], True, f"all {len(found)} plugins load")]


def _examined(spec: str, options: dict[str, Any]) -> Iterator[Finding]:
    """What a model is, and whether it runs forward and backward."""
    start = perf_counter()
    try:
        model = opened(spec, options)
    except CrosslensError as error:
        yield Finding("model", False, spelled(str(error), click.get_current_context()))
        return
    yield Finding("model", True, f"{model.backend} {dict(model.versions)}, loaded in {perf_counter() - start:.2f} s")
    yield Finding("input", None, f"{model.input.shape}, preprocessed by {model.preprocess}")
    context = click.get_current_context()
    yield Finding("output", None, spelled(f"{model.layers[OUTPUT].shape}, {model.output}", context))
    yield from (found._replace(detail=spelled(found.detail, context)) for found in diagnose(model))
    image = model.input.from_unit(np.full((1, *model.input.example_shape), 0.5, np.float32))
    yield _default_layer(model)
    yield _tried("forward", lambda: _timed(lambda: model.forward(image)))
    yield _tried("gradient", lambda: _timed(lambda: _gradient(model, image)))
    yield _rectifiers(model)


def _gradient(model: Model, image: Any) -> None:
    with model.linearize(image, [OUTPUT], wrt=[INPUT]) as at:
        output = at.activations[OUTPUT]
        at.vjp({OUTPUT: namespace(output).ones_like(output)})


def _tried(name: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, work())
    except CrosslensError as error:
        return Finding(name, False, spelled(str(error), click.get_current_context()))


def _timed(work: Callable[[], Any]) -> str:
    """The first call (which may trace or compile) and the second."""
    times = []
    for _ in range(2):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return f"{1000 * times[1]:.1f} ms; {1000 * times[0]:.1f} ms the first time"


def _default_layer(model: Model) -> Finding:
    """Having none, as a transformer has, is a property of the network, no failure."""
    found = _tried("default layer", lambda: default_layer(model))
    return found if found.ok else found._replace(ok=None)


def _rectifiers(model: Model) -> Finding:
    """Having none is a property of the network, no failure."""
    try:
        model.modified(relu="guided")
    except CrosslensError as error:
        return Finding("guided backpropagation", None, str(error))
    return Finding("guided backpropagation", True, "the rectifiers' backward rule can be changed")


command = click.Command(
    "doctor",
    callback=_doctor,
    params=[click.Argument(["model"], required=False), *MODEL_OPTIONS, JSON],
    help=_doctor.__doc__,
)
