"""From a `Graph` back to ONNX, and on to onnxruntime, which reads weights where they lie."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import CDLL
from hashlib import blake2b
from typing import Any
from weakref import finalize

import numpy as np
import onnxruntime as ort
from crosslens.errors import ModelError
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from .graph import SMALL, Graph, Node, Type

__all__ = ["explained", "model_proto", "open_session", "prune", "run_constants"]

_IR_VERSION = 10
_TRIM = getattr(CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
"""glibc's way to give back what has been freed; by itself it keeps 90 MiB when a gradient of ResNet-50 is opened."""
_FAILURES = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.NotImplemented,
    state.RuntimeException,
    state.EPFail,
)


def prune(graph: Graph) -> None:
    """Keep only what the outputs need, in place."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if any(o in needed for o in node.outputs):
            kept.append(node)
            needed.update(node.reads)
    graph.nodes = kept[::-1]
    graph.constants = {name: value for name, value in graph.constants.items() if name in needed}
    graph.inputs = {name: kind for name, kind in graph.inputs.items() if name in needed}


def model_proto(
    graph: Graph, *, large_as_inputs: bool = False, external: bool = False, noted: Iterable[str] = ()
) -> ModelProto:
    """The graph as a model.

    Args:
        large_as_inputs: large constants become inputs, for shape inference.
        external: large constants become references to what `open_session` lends.
        noted: tensors whose types are written down.
    """
    inputs = [_info(name, kind) for name, kind in graph.inputs.items()]
    tensors = []
    lent = _lent(graph) if external else {}
    for name, value in graph.constants.items():
        if name in lent:
            tensors.append(_reference(name, value))
        elif value.nbytes <= SMALL or not large_as_inputs:
            tensors.append(numpy_helper.from_array(value, name))
        else:
            inputs.append(_info(name, _type(value)))
    outputs = [_info(name, graph.types.get(name)) for name in graph.outputs]
    made = helper.make_graph([node.proto() for node in graph.nodes], "crosslens", inputs, outputs, tensors)
    made.value_info.extend(_info(name, graph.types[name]) for name in noted)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _opsets(graph).items()]
    return helper.make_model(made, opset_imports=opsets, ir_version=_ir_version(graph))


def _opsets(graph: Graph) -> dict[str, int]:
    return {**{node.domain: 1 for node in graph.nodes}, **graph.opsets}


def _ir_version(graph: Graph) -> int:
    needed = helper.find_min_ir_version_for([helper.make_opsetid("", graph.opsets.get("", 18))], ignore_unknown=True)
    return max(_IR_VERSION, int(needed))


def _type(value: np.ndarray[Any, Any]) -> Type:
    return Type(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def _info(name: str, kind: Type | None) -> ValueInfoProto:
    if kind is None or kind.elem == TensorProto.UNDEFINED:
        return ValueInfoProto(name=name)
    return helper.make_tensor_value_info(name, kind.elem, kind.dims)


def _reference(name: str, value: np.ndarray[Any, Any]) -> TensorProto:
    kind = _type(value)
    tensor = TensorProto(name=name, data_type=kind.elem, dims=value.shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=_file(name))
    tensor.external_data.add(key="length", value=str(value.nbytes))
    return tensor


def _file(name: str) -> str:
    """A name that any file could have."""
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _lent(graph: Graph) -> dict[str, np.ndarray[Any, Any]]:
    """The constants that onnxruntime reads where they lie: large ones whose elements lie as in a file."""
    return {n: v for n, v in graph.constants.items() if v.nbytes > SMALL and v.dtype.kind in "biuf"}


def _lend(options: ort.SessionOptions, values: dict[str, np.ndarray[Any, Any]]) -> None:
    """Hand constants over without a copy; an onnxruntime that knows no such way (before 1.24) copies them."""
    if not hasattr(options, "add_external_initializers_from_files_in_memory"):
        options.add_external_initializers(list(values), [ort.OrtValue.ortvalue_from_numpy(v) for v in values.values()])
        return
    buffers = [value.data.cast("B") for value in values.values()]
    options.add_external_initializers_from_files_in_memory(
        [_file(name) for name in values], buffers, [buffer.nbytes for buffer in buffers]
    )
    options.add_session_config_entry("session.use_external_initializer_file_buffers_directly", "1")


def open_session(
    graph: Graph,
    providers: Sequence[Any] | None = None,
    *,
    optimise: bool = True,
    noted: Iterable[str] = (),
    threads: int = 0,
) -> ort.InferenceSession:
    """A session that computes `graph.outputs`; the graph's constants live as long as it does, and must not change.

    The types of `noted` tensors are written down, for what onnxruntime cannot infer by itself. It runs on so many
    threads, 0 for what OMP_NUM_THREADS says or onnxruntime takes by itself.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or int(os.environ.get("OMP_NUM_THREADS", "0"))
    options.add_session_config_entry("session.force_spinning_stop", "1")  # or its threads slow down whoever is next
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if lent := _lent(graph):
        _lend(options, lent)
    content = model_proto(graph, external=True, noted=noted).SerializeToString()
    with explained("open the network"):
        session = ort.InferenceSession(content, options, providers=list(providers or ["CPUExecutionProvider"]))
    finalize(session, lent.clear).atexit = False
    if lent and _TRIM:
        _TRIM(0)
    return session


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn onnxruntime's own failures into one line.

    Raises:
        ModelError: what onnxruntime could not do and what it says about it.
    """
    try:
        yield
    except _FAILURES as error:
        raise ModelError(f"onnxruntime cannot {doing}: {_in_short(str(error))}") from error


def _in_short(said: str) -> str:
    """What onnxruntime says, without its codes and the places in its own source."""
    first = said.strip().partition("\n")[0]
    node = re.search(r"running (\w+) node\. Name:'([^']*)'", first)
    reason = re.split(r"Status Message: |^\[ONNXRuntimeError\] : \d+ : \w+ : ", first)[-1]
    reason = re.sub(r"\S*/onnxruntime/\S+:\d+ .*?\) ?|\S*/onnxruntime/\S+ ", "", reason)
    where = f"it stops at {node[1]} {node[2]!r}: " if node else ""
    return where + reason.removeprefix("Exception during initialization: ").strip()


def run_constants(graph: Graph, nodes: Iterable[Node], wanted: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The values of tensors that depend on constants only."""
    part = Graph(list(nodes), graph.constants, {}, list(wanted), graph.opsets)
    part.nodes = [node for node in part.nodes if node.op not in {"Shape", "Size"}]
    prune(part)
    if not part.nodes:
        return {}
    part.outputs = [o for node in part.nodes for o in node.outputs if o in set(wanted)]
    with explained("compute the network's constants"):
        values = open_session(part, optimise=False).run(None, {})
    return dict(zip(part.outputs, values, strict=True))
