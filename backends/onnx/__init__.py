"""The ONNX backend: wraps an .onnx file or a ModelProto; it runs, gradients included, on plain onnxruntime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError, did_you_mean
from crosslens.metadata import Metadata
from crosslens.model import INPUT, OUTPUT
from crosslens.plugins.hookspecs import hookimpl
from onnx import ModelProto
from onnxruntime import get_available_providers

from .autodiff.gradient_check import check_rule
from .autodiff.registry import stops, vjp
from .boundary import readable_failures
from .ir.graph import Graph
from .ir.prune import prune
from .load.attention_heads import unfold_heads
from .load.fixed_inputs import fix_inputs, repeat_fixed_inputs
from .load.image_input import graph_input_of, prepend_preprocessing
from .load.integer_images import preprocessing_for
from .load.load import graph_of, read_model, refuse_training
from .load.metadata import read_metadata, write_metadata
from .load.reserved_names import loaded_name
from .model import OnnxModel
from .shapes.batch_axis import move_batch_to_front
from .shapes.constant_folding import fold
from .shapes.free_batch import free_batch, keep_batch_in_reshapes

__all__ = ["OnnxModel", "check_rule", "stops", "vjp"]


@hookimpl
@readable_failures("read the network")
def crosslens_wrap(network: Any, options: Mapping[str, Any]) -> OnnxModel | None:
    """An `OnnxModel` of an .onnx file or an onnx.ModelProto."""
    if not isinstance(network, ModelProto | str | Path):
        return None
    if options.get("device") is not None:
        raise ModelError(
            f"device is {options['device']!r}; onnxruntime computes where providers= says: leave device= out"
        )
    _check_providers(options.get("providers") or ())
    graph = graph_of(*read_model(network))
    _choose_output(graph, options.get("output"))
    network_tensors = frozenset(o for node in graph.nodes for o in node.outputs) - {OUTPUT}
    fixed = fix_inputs(graph, options.get("inputs"))
    graph_input = graph_input_of(graph, options.get("input"), options.get("bounds"))
    preprocess = preprocessing_for(
        graph_input.tensor, graph.inputs[graph_input.tensor].elem, graph_input.spec, options["preprocess"]
    )
    prepend_preprocessing(graph, graph_input, preprocess)
    repeat_fixed_inputs(graph, fixed)
    fold(graph)
    refuse_training(graph)
    if graph_input.batch is None:
        keep_batch_in_reshapes(graph)
    else:
        graph, graph_input = free_batch(graph, graph_input)
    graph_input = move_batch_to_front(graph, graph_input, options.get("providers"))
    unfold_heads(graph)
    settings = {key: options.get(key) for key in ("labels", "batch_size", "providers")}
    return OnnxModel(graph, graph_input, preprocess, network_tensors, **settings)


@hookimpl
@readable_failures("read what the file says of its network")
def crosslens_metadata(network: Any) -> Metadata | None:
    """What stands in the file's `metadata_props`."""
    return read_metadata(network) if isinstance(network, ModelProto | str | Path) else None


@hookimpl
@readable_failures("write into the file")
def crosslens_attach(path: Path, metadata: Metadata | None) -> bool:
    """Into the file's `metadata_props`; files of weights beside it stay what they are."""
    write_metadata(path, metadata)
    return True


def _check_providers(providers: Sequence[Any]) -> None:
    """Refuse providers that this onnxruntime does not have: it would only warn, and use the processor."""
    known = get_available_providers()
    names = [each if isinstance(each, str) else each[0] for each in providers]
    if unknown := [name for name in names if name not in known]:
        raise ModelError(f"onnxruntime has no provider {', '.join(map(repr, unknown))} here; it has {', '.join(known)}")


def _choose_output(graph: Graph, output: int | str | None) -> None:
    """Make one output, or another tensor, the graph's only output `OUTPUT`, in place; other outputs stay as layers."""
    names, inside = graph.outputs, [o for node in graph.nodes for o in node.outputs if o]
    output = loaded_name(output, graph.taken) if isinstance(output, str) else output
    if output is None and len(names) > 1:
        raise ModelError(f"the network has {len(names)} outputs: {', '.join(names)}; choose one with output=")
    if isinstance(output, str) and output not in {*names, *inside}:
        raise ModelError(
            f"the network has no output {output!r}; it has {', '.join(names)}, and tensors inside can be named too."
            f"{did_you_mean(output, [*names, *inside])}"
        )
    if isinstance(output, int) and not -len(names) <= output < len(names):
        raise ModelError(f"output is {output}; the network has {len(names)}: {', '.join(names)}")
    chosen = output if isinstance(output, str) else names[output or 0]
    graph.nodes.append(graph.node("Identity", chosen, outputs=[OUTPUT]))
    if chosen in graph.types:
        graph.types[OUTPUT] = graph.types[chosen]
    graph.outputs = [OUTPUT, *names]
    prune(graph)
    graph.outputs = [OUTPUT]
    graph.taken |= {INPUT, OUTPUT}
