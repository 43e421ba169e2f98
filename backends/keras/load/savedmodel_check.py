"""What a SavedModel would run, read without TensorFlow: refused where an operator does more than compute."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from .allowed_operators import ALLOWED, SAVING

__all__ = ["disallowed_operators", "refuse_unsafe"]

_CONSENT = "if you trust where it comes from, open it all the same: wrap(path, trust=True)"


def refuse_unsafe(path: Path) -> None:
    """Refuse a SavedModel folder that holds an operator off the list of those that compute, or files of its own.

    Raises:
        ModelError: with the operator and the node; or the file is damaged.
    """
    try:
        saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except (DecodeError, OSError) as error:
        raise ModelError(
            f"TensorFlow cannot load the SavedModel '{path}': saved_model.pb is damaged ({error}); export it again"
        ) from error
    for graph in saved.meta_graphs:
        for where, node in disallowed_operators(graph):
            raise ModelError(
                f"the SavedModel '{path}' holds the operator {node.op} (node {node.name!r} of {where}), which is none "
                f"of those that only compute: it may read or write files or run other code; {_CONSENT}"
            )
        if graph.asset_file_def:
            name = graph.asset_file_def[0].filename
            raise ModelError(
                f"the SavedModel '{path}' reads the file {name!r} of its own when it is loaded; {_CONSENT}"
            )


def disallowed_operators(graph: Any) -> Iterator[tuple[str, Any]]:
    """(where, node) of each operator off the list."""
    functions = {each.signature.name: each.node_def for each in graph.graph_def.library.function}
    savers, saving = _savers(graph, functions)
    for node in graph.graph_def.node:
        if not (_is_allowed(node, functions) or (node.name in saving and node.op in SAVING)):
            yield "the main graph", node
    for name, nodes in functions.items():
        for node in nodes:
            if not (_is_allowed(node, functions) or (name in savers and node.op in SAVING)):
                yield f"the function {name!r}", node


def _is_allowed(node: Any, functions: Mapping[str, Any]) -> bool:
    return node.op in ALLOWED or node.op in functions


def _savers(graph: Any, functions: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The functions and the nodes of the main graph that save and restore variables, and do nothing else.

    What anything else leads to as well is none of them.
    """
    nodes = {node.name: node for node in graph.graph_def.node}
    definition = graph.saver_def
    ends = [definition.save_tensor_name, definition.restore_op_name, definition.filename_tensor_name]
    saving = _upstream(nodes, (end.partition(":")[0] for end in ends))
    others = _upstream(nodes, _answers(graph))
    rest = [node for name, node in nodes.items() if name not in saving or name in others]
    called = _called_functions((nodes[name] for name in saving if name in nodes and name not in others), functions)
    elsewhere = _called_functions(rest, functions)
    roots = [node for name, own in functions.items() if name not in called for node in own]
    return called - elsewhere - _called_functions(roots, functions), saving - others


def _answers(graph: Any) -> Iterator[str]:
    """The nodes that a signature gives, and those that run when the file is loaded."""
    for signature in graph.signature_def.values():
        for tensor in signature.outputs.values():
            yield tensor.name.partition(":")[0]
    for name, collection in graph.collection_def.items():
        if "init" in name or "main_op" in name:
            yield from (value.partition(":")[0] for value in collection.node_list.value)


def _upstream(nodes: Mapping[str, Any], ends: Iterable[str]) -> set[str]:
    visited, ahead = set[str](), [end for end in ends if end in nodes]
    while ahead:
        name = ahead.pop()
        if name not in visited and name in nodes:
            visited.add(name)
            ahead += [edge.lstrip("^").partition(":")[0] for edge in nodes[name].input]
    return visited


def _called_functions(nodes: Iterable[Any], functions: Mapping[str, Any]) -> set[str]:
    """The functions that these nodes run, and those that they run in turn."""
    called, ahead = set[str](), list(nodes)
    while ahead:
        node = ahead.pop()
        for name in _function_names(node):
            if name in functions and name not in called:
                called.add(name)
                ahead += functions[name]
    return called


def _function_names(node: Any) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (each.name for each in value.list.func)
