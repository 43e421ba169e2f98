"""ONNX networks on plain onnxruntime, gradients included: a file, or a ModelProto."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError, did_you_mean
from crosslens.model import INPUT, OUTPUT
from crosslens.plugins.hookspecs import hookimpl
from onnx import ModelProto
from onnxruntime import get_available_providers

from .autodiff.gradient_check import check_rule
from .autodiff.registry import stops, vjp
from .ir.graph import Graph
from .ir.prune import prune
from .load.attention_heads import unfold_heads
from .load.fixed_inputs import fix_inputs, repeat_fixed_inputs
from .load.image_input import graph_input_of, prepend_preprocessing
from .load.integer_images import pixels
from .load.load import graph_of, read_model, refuse_training
from .model import OnnxModel
from .shapes.batch_axis import move_batch_to_front
from .shapes.constant_folding import fold
from .shapes.free_batch import free_batch, keep_batch_in_reshapes

__all__ = ["OnnxModel", "check_rule", "stops", "vjp"]


@hookimpl
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
    own = frozenset(o for node in graph.nodes for o in node.outputs) - {OUTPUT}
    rows = fix_inputs(graph, options.get("inputs"))
    entry = graph_input_of(graph, options.get("input"), options.get("bounds"))
    preprocess = pixels(entry.tensor, graph.inputs[entry.tensor].elem, entry.spec, options["preprocess"])
    prepend_preprocessing(graph, entry, preprocess)
    repeat_fixed_inputs(graph, rows)
    fold(graph)
    refuse_training(graph)
    if entry.batch is None:
        keep_batch_in_reshapes(graph)
    else:
        graph, entry = free_batch(graph, entry)
    entry = move_batch_to_front(graph, entry, options.get("providers"))
    unfold_heads(graph)
    given = {key: options.get(key) for key in ("labels", "batch_size", "providers")}
    return OnnxModel(graph, entry, preprocess, own, **given)


def _check_providers(providers: Sequence[Any]) -> None:
    """Refuse what this onnxruntime does not have: it would warn, and compute on the processor."""
    known = get_available_providers()
    names = [each if isinstance(each, str) else each[0] for each in providers]
    if unknown := [name for name in names if name not in known]:
        raise ModelError(f"onnxruntime has no provider {', '.join(map(repr, unknown))} here; it has {', '.join(known)}")


def _choose_output(graph: Graph, wished: int | str | None) -> None:
    """Leave one output, or a tensor inside, under the name `OUTPUT`, in place; the others stay, as layers."""
    names, inside = graph.outputs, [o for node in graph.nodes for o in node.outputs if o]
    if wished is None and len(names) > 1:
        raise ModelError(f"the network has {len(names)} outputs: {', '.join(names)}; choose one with output=")
    if isinstance(wished, str) and wished not in {*names, *inside}:
        raise ModelError(
            f"the network has no output {wished!r}; it has {', '.join(names)}, and tensors inside can be named too."
            f"{did_you_mean(wished, [*names, *inside])}"
        )
    if isinstance(wished, int) and not -len(names) <= wished < len(names):
        raise ModelError(f"output is {wished}; the network has {len(names)}: {', '.join(names)}")
    chosen = wished if isinstance(wished, str) else names[wished or 0]
    graph.nodes.append(graph.node("Identity", chosen, outputs=[OUTPUT]))
    if chosen in graph.types:
        graph.types[OUTPUT] = graph.types[chosen]
    graph.outputs = [OUTPUT, *names]
    prune(graph)
    graph.outputs = [OUTPUT]
    graph.taken |= {INPUT, OUTPUT}
