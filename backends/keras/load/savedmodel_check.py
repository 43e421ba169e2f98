"""What a SavedModel would run, read before TensorFlow loads it: refused where an operator does more than compute."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import op_def_registry

from .allowed_operators import ALLOWED, RESTORING, SAVING
from .savedmodel_sizes import check_sizes

__all__ = ["disallowed_operators", "refuse_unsafe"]

_CONSENT = "if you trust where it comes from, open it all the same: wrap(path, trust=True)"


def refuse_unsafe(path: Path) -> None:
    """Refuse a SavedModel folder that holds an operator off the list of those that compute, or files of its own.

    Raises:
        ModelError: with the operator and the node; or the file is damaged, or something in the folder is no file.
        MemoryLimitError: its constants would take more memory than the limit.
    """
    for folder, _, names in os.walk(path):
        for name in names:
            if not stat.S_ISREG(os.stat(os.path.join(folder, name)).st_mode):
                raise ModelError(f"the SavedModel '{path}' holds {name!r}, which is not a regular file; remove it")
    try:
        program = path / "saved_model.pb"
        check_memory(4 * program.stat().st_size, f"opening '{program}'", "open it on a machine with more memory")
        saved = SavedModel.FromString(program.read_bytes())
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
        check_sizes(graph.graph_def, path)


def disallowed_operators(graph: Any) -> Iterator[tuple[str, Any]]:
    """(where, node) of each operator off the list."""
    functions = {each.signature.name: each.node_def for each in graph.graph_def.library.function}
    savers = _savers(graph, functions)
    for node in graph.graph_def.node:
        if not (_is_allowed(node, functions) or any(node.op in ops and node.name in own for ops, own, _ in savers)):
            yield "the main graph", node
    for name, nodes in functions.items():
        for node in nodes:
            if not (_is_allowed(node, functions) or any(node.op in ops and name in own for ops, _, own in savers)):
                yield f"the function {name!r}", node


def _is_allowed(node: Any, functions: Mapping[str, Any]) -> bool:
    """Whether an operator computes, or is a function of the graph, not one that has the name of an operator."""
    return node.op in ALLOWED or (node.op in functions and op_def_registry.get(node.op) is None)


def _savers(graph: Any, functions: Mapping[str, Any]) -> list[tuple[frozenset[str], set[str], set[str]]]:
    """(operators, nodes of the main graph, functions): where variables are saved, which is never run, and restored.

    What anything else leads to as well, signatures, initialisers or objects, is neither.
    """
    nodes = {node.name: node for node in graph.graph_def.node}
    definition = graph.saver_def
    save = [definition.save_tensor_name]
    restore = [definition.restore_op_name, definition.filename_tensor_name]
    answers = list(_answers(graph))
    objects = [node for name in _object_functions(graph) for node in functions.get(name, ())]

    def own_part(ends: list[str], others: list[str]) -> tuple[set[str], set[str]]:
        own = _upstream(nodes, ends) - _upstream(nodes, others)
        called = _called_functions((nodes[name] for name in own), functions) - set(_object_functions(graph))
        elsewhere = _called_functions([node for name, node in nodes.items() if name not in own], functions)
        roots = [node for name, each in functions.items() if name not in called for node in each]
        return own, called - elsewhere - _called_functions([*roots, *objects], functions)

    return [(SAVING, *own_part(save, [*restore, *answers])), (RESTORING, *own_part(restore, answers))]


def _object_functions(graph: Any) -> Iterator[str]:
    """The functions that the objects of a SavedModel run: their methods, initialisers and the like."""
    for node in graph.object_graph_def.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _answers(graph: Any) -> Iterator[str]:
    """The nodes that a signature gives, and those that run when the file is loaded."""
    for signature in graph.signature_def.values():
        for tensor in signature.outputs.values():
            yield tensor.name
    for collection in graph.collection_def.values():
        yield from collection.node_list.value
        for value in collection.bytes_list.value:
            with suppress(DecodeError):
                variable = VariableDef.FromString(value)
                yield from (variable.initializer_name, variable.snapshot_name, variable.initial_value_name)


def _upstream(nodes: Mapping[str, Any], ends: Iterable[str]) -> set[str]:
    visited, ahead = set[str](), [end.lstrip("^").partition(":")[0] for end in ends]
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
