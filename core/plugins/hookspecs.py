"""The hooks of a plugin: a module named by an entry point implements some of these with `crosslens.hookimpl`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from ..method.dataset import AnyMethod
from ..model.base import Model
from .demo_network import DemoNetwork

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("crosslens")
hookimpl = pluggy.HookimplMarker("crosslens")


@hookspec
def crosslens_methods() -> Sequence[type[AnyMethod]]:  # type: ignore[empty-body]
    """The methods that a module of group `crosslens.methods` brings."""


@hookspec
def crosslens_wrap(network: Any, options: Mapping[str, Any]) -> Model | None:
    """A `Model` around an object or a path, or None if this backend does not know it (group `crosslens.backends`).

    `options` holds what `crosslens.wrap` was given: preprocess (a `Preprocess`), labels, batch_size, input (an
    `InputSpec` or None), bounds (where no input is given: the backend finds an `InputSpec`, and takes it
    `.within(bounds)`), output, inputs, device, providers, trust. A backend raises a `ModelError` for one that it
    cannot obey; `wrap` itself refuses what was asked for and the backend never read.
    """


@hookspec
def crosslens_vjp_rules() -> Sequence[str]:  # type: ignore[empty-body]
    """Names of packages whose modules register derivative rules of ONNX operators (group `crosslens.backends`)."""


@hookspec
def crosslens_demo_networks() -> Sequence[DemoNetwork]:  # type: ignore[empty-body]
    """Networks for "demo:NAME"; naming them imports no framework (group `crosslens.demo_networks`)."""
