"""The hooks of a plugin: a module named by an entry point implements some of these with `crosslens.hookimpl`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from ..metadata.metadata import Metadata
from ..method.dataset import AnyMethod
from ..model.base import Model
from ..style_network.spec import StyleSpec
from ..style_network.trainable import BuildTrainable
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
    cannot obey; `wrap` itself refuses what was asked for and the backend never read. What it lets other inputs hold by
    default it adds to inputs (`crosslens.model.other_inputs.hold_style_weights`).
    """


@hookspec
def crosslens_metadata(network: Any) -> Metadata | None:
    """What a file, or an object, itself says of the network in it; None if nothing (group `crosslens.backends`).

    For formats that have a place for it; a side file does for others, and needs no hook. Nothing but data is read.

    Raises:
        ModelError: what it says is damaged. A file that is no model at all is `crosslens_wrap`'s to refuse.
    """


@hookspec
def crosslens_attach(path: Path, metadata: Metadata | None) -> bool | None:
    """Write metadata into the file of a model in place of what it said before, whole or not at all; None removes it.

    Returns:
        True if it is done; else the side file is written (group `crosslens.backends`).
    """


@hookspec
def crosslens_vjp_rules() -> Sequence[str]:  # type: ignore[empty-body]
    """Names of packages whose modules register derivative rules of ONNX operators (group `crosslens.backends`)."""


@hookspec
def crosslens_demo_networks() -> Sequence[DemoNetwork]:  # type: ignore[empty-body]
    """Networks for "demo:NAME"; naming them imports no framework (group `crosslens.demo_networks`)."""


@hookspec
def crosslens_style_trainer() -> BuildTrainable | None:
    """Style networks as functions of their parameters, for `crosslens train-style` (group `crosslens.style_trainers`).

    A function from a `StyleSpec` and a seed to a `crosslens.style_network.trainable.Trainable`.
    """


@hookspec
def crosslens_save_style_network(spec: StyleSpec, weights: Mapping[str, Any], path: Path) -> bool | None:
    """Write a style network into a file, whole or not at all (group `crosslens.style_files`, by the file's ending).

    `weights` are NumPy arrays by the names that PyTorch's state_dict gives them: they were checked. What
    `crosslens.wrap` must know of the file is written afterwards.

    Returns:
        True if it is done; None where the path's ending is another plugin's.
    """
