"""Names of tensors that are crosslens' own: a file's tensors that are called so get other names when it is loaded."""

from collections.abc import Container, Iterator
from itertools import chain, count

from crosslens.model import ABSORBED, INPUT, OUTPUT
from onnx import GraphProto, ModelProto

from ..ir.graph import RESERVED
from ..ir.subgraph import subgraphs

__all__ = ["loaded_name", "without_reserved_names"]

_OWN = (INPUT, OUTPUT, ABSORBED)
_OF_FILE = "file:"


def loaded_name(name: str, taken: Container[str] = ()) -> str:
    """What a tensor of a file is called once it is loaded: otherwise if its name is crosslens' own and not in `taken`.

    >>> loaded_name("<output>"), loaded_name("conv1")
    ('file:<output>', 'conv1')
    """
    is_own = name in _OWN or name.startswith(RESERVED)
    return f"{_OF_FILE}{name}" if is_own and name not in taken else name


def without_reserved_names(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """The model, or a copy with other names for tensors whose names are crosslens' own, and these by the old ones.

    A name becomes the same one everywhere, inside subgraphs too, so that nothing else than the name changes.
    """
    names = {name for graph in subgraphs(model.graph) for name in _names(graph)}
    changed = {name: _free(loaded_name(name), names) for name in names if loaded_name(name) != name}
    if not changed:
        return model, {}
    copy = ModelProto()
    copy.CopyFrom(model)
    for graph in subgraphs(copy.graph):
        _rename(graph, changed)
    return copy, changed


def _free(wish: str, names: set[str]) -> str:
    tried = chain([wish], (f"{wish}:{number}" for number in count(1)))
    return next(name for name in tried if name not in names)


def _names(graph: GraphProto) -> Iterator[str]:
    yield from (each.name for each in (*graph.input, *graph.initializer))
    yield from (each.values.name for each in graph.sparse_initializer)
    yield from (name for node in graph.node for name in node.output)


def _rename(graph: GraphProto, names: dict[str, str]) -> None:
    sparse = [each.values for each in graph.sparse_initializer]
    for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info, *sparse):
        each.name = names.get(each.name, each.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
