"""PyTorch: `nn.Module`s, exported programs, files of torch, Keras models on Keras' torch backend."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.metadata import Metadata
from crosslens.model import InputSpec, Model
from crosslens.plugins.hookspecs import hookimpl
from torch import nn
from torch.export import ExportedProgram

from .layers.module_network import ModuleNetwork, deep_copy
from .load.exported_program import program_network
from .load.files import SUFFIXES, load_file
from .load.held_inputs import Arguments, call_arguments, readings
from .model import TorchModel

__all__ = ["TorchModel", "crosslens_wrap"]


@hookimpl
def crosslens_wrap(network: Any, options: Mapping[str, Any]) -> Model | None:
    """A module, a program, or the path of a file that torch wrote.

    Raises:
        ModelError: an option that torch cannot obey, or a network that does not run; or it is not a network.
    """
    if isinstance(network, str | Path) and Path(network).suffix not in SUFFIXES:
        return None
    if options["providers"] is not None:
        raise ModelError("providers are onnxruntime's; torch computes where device= says")
    with torch.inference_mode(False):
        return _wrap(network, options)


@hookimpl
def crosslens_metadata(network: Any) -> Metadata | None:
    """The mean and deviation that a model of timm brings as `pretrained_cfg`."""
    config = getattr(network, "pretrained_cfg", None) if isinstance(network, nn.Module) else None
    if not isinstance(config, Mapping) or not {"mean", "std"} <= config.keys():
        return None
    return Metadata(preprocess={"mean": config["mean"], "std": config["std"]}, where="its pretrained_cfg (timm)")


def _wrap(network: Any, options: Mapping[str, Any]) -> TorchModel:
    if isinstance(network, str | Path):
        network = load_file(Path(network), options["trust"])
    if isinstance(network, ExportedProgram):
        return _first_that_runs(
            program_network(network, options["input"], options["bounds"], options["inputs"]), options
        )
    if isinstance(network, nn.Module):
        return _first_that_runs(_network(network, options), options)
    kind = f"{type(network).__module__}.{type(network).__name__}"
    raise ModelError(
        f"a {kind} is not a network; wrap an nn.Module, a torch.export.ExportedProgram or a file that torch wrote"
    )


def _first_that_runs(network: Any, options: Mapping[str, Any]) -> TorchModel:
    """The model with the first reading of its other inputs, and the first batch size, with which the network runs.

    Raises:
        ModelError: it runs with none of them; the reason is that of the likeliest.
    """
    first: ModelError | None = None
    for arguments, batch in _ways(network, options["batch_size"]):
        network.arguments, network.batch = arguments, batch
        try:
            return TorchModel(network, options)
        except ModelError as error:
            first = first or error
    assert first is not None
    raise first


def _ways(network: Any, batch_size: int | None) -> Iterator[tuple[Arguments | None, int | None]]:
    """(reading of the other inputs, images at once): any number of images first, then the user's number or one."""
    given, batch = getattr(network, "arguments", None), network.batch
    ways = [given] if given is None else list(readings(given, batch or 2))
    yield from ((way, batch) for way in ways)
    if batch is None and isinstance(network, ModuleNetwork):
        yield ways[0], batch_size or 1


def _network(net: nn.Module, options: Mapping[str, Any]) -> Any:
    net = getattr(net, "_orig_mod", net)
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(net, keras.Model):
        return _keras(net, options)
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.parameters()):
        raise ModelError("the network has lazy layers without weights; call it once on a batch of its images first")
    if any(p.is_meta for p in net.parameters()):
        raise ModelError("the network's weights are on the meta device and have no values; load them first")
    spec = options["input"] or _guess_input(net).within(options["bounds"])
    given = call_arguments(net, options["inputs"])
    network = ModuleNetwork(net, spec, arguments=given)
    if any(t.is_inference() for t in (*net.parameters(), *net.buffers())):
        network = network.with_module(deep_copy(net))  # torch.inference_mode made weights that autograd cannot save
    return _on_device(network, options["device"])


def _keras(net: Any, options: Mapping[str, Any]) -> Any:
    from .load.keras_network import KerasOnTorch

    if options["device"] is not None:
        raise ModelError("Keras decides where its models compute; leave device= out")
    return KerasOnTorch.of(net, options["input"], options["bounds"])


def _guess_input(net: nn.Module) -> InputSpec:
    """Images of any size, or volumes if the first convolution is three-dimensional, with the channels that it takes."""
    convolutions = (m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    first = next(convolutions, None)
    axes = 3 if isinstance(first, nn.Conv3d) else 2
    return InputSpec((first.in_channels if first else 3, *[None] * axes))


def _on_device(network: ModuleNetwork, device: Any) -> ModuleNetwork:
    """The network on a device; a copy where the module's own weights are elsewhere."""
    if device is None:
        return network
    try:
        wanted = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"torch has no device {device!r} here: {str(error).splitlines()[0]}") from error
    if all(t.device == wanted for t in (*network.net.parameters(), *network.net.buffers())):
        return network
    return network.with_module(deep_copy(network.net).to(wanted))
