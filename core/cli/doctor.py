"""`crosslens doctor`: report what is installed, and what works with a model."""

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
from ._options.models import MODEL_OPTIONS, open_model, quiet
from ._text.echo import echo
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json, table
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
    """Report what is installed, and what works with a model.

    With a MODEL: what it is, and whether it runs forward and backward.

    Without a MODEL no framework is imported; `crosslens plugins` imports them.
    """
    with quiet():
        checks = [*_versions(), *_plugins(METHODS)]
        if model:
            checks += _checks_of_model(model, options)
    if as_json:
        echo_json([check._asdict() for check in checks])
    else:
        echo(table(["what", "", "detail"], [(c.name, _state(c.ok), c.detail) for c in checks]))
    if any(check.ok is False for check in checks):
        click.get_current_context().exit(1)


def _state(ok: bool | None) -> str:
    return "" if ok is None else "ok" if ok else "FAILS"


def _versions() -> Iterator[Finding]:
    yield Finding("python", None, platform.python_version())
    yield Finding("crosslens", None, version("crosslens"))
    for package, wanted in _PACKAGES.items():
        try:
            yield Finding(package, None, version(package))
        except PackageNotFoundError:
            yield Finding(package, None, f"not installed: pip install '{wanted}'")


def _plugins(group: str) -> list[Finding]:
    plugins = states(group)
    failing = [Finding(f"plugin {state['name']}", False, state["error"]) for state in plugins if state["error"]]
    return failing or [Finding(group.rpartition(".")[2], True, f"all {len(plugins)} plugins load")]


def _checks_of_model(spec: str, options: dict[str, Any]) -> Iterator[Finding]:
    """What a model is, and whether it runs forward and backward."""
    start = perf_counter()
    try:
        model = open_model(spec, options)
    except CrosslensError as error:
        yield Finding("model", False, replace_keywords(str(error), click.get_current_context()))
        return
    yield Finding("model", True, f"{model.backend} {dict(model.versions)}, loaded in {perf_counter() - start:.2f} s")
    yield Finding("input", None, f"{model.input.shape}, preprocessed by {model.preprocess}")
    context = click.get_current_context()
    yield Finding("output", None, replace_keywords(f"{model.layers[OUTPUT].shape}, {model.output}", context))
    yield from (finding._replace(detail=replace_keywords(finding.detail, context)) for finding in diagnose(model))
    image = model.input.from_unit(np.full((1, *model.input.example_shape), 0.5, np.float32))
    yield _default_layer(model)
    yield _run_check("forward", lambda: _times(lambda: model.forward(image)))
    yield _run_check("gradient", lambda: _times(lambda: _gradient(model, image)))
    yield _rectifiers(model)


def _gradient(model: Model, image: Any) -> None:
    with model.linearize(image, [OUTPUT], wrt=[INPUT]) as at:
        output = at.activations[OUTPUT]
        at.vjp({OUTPUT: namespace(output).ones_like(output)})


def _run_check(name: str, work: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, work())
    except CrosslensError as error:
        return Finding(name, False, replace_keywords(str(error), click.get_current_context()))


def _times(work: Callable[[], Any]) -> str:
    """The first call (which may trace or compile) and the second."""
    times = []
    for _ in range(2):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return f"{1000 * times[1]:.1f} ms; {1000 * times[0]:.1f} ms the first time"


def _default_layer(model: Model) -> Finding:
    """Having none, as a transformer has, is a property of the network, not a failure."""
    finding = _run_check("default layer", lambda: default_layer(model))
    return finding if finding.ok else finding._replace(ok=None)


def _rectifiers(model: Model) -> Finding:
    """Having none is a property of the network, not a failure."""
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
