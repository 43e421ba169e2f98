"""Names of the modules and functions that a node was exported from, as each exporter records them.

torch (dynamo) records a list of scopes in the node's metadata; torch (legacy) and tf2onnx a path in the node's name.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnx import NodeProto

__all__ = ["Origin", "module_aliases", "module_calls", "origin_of"]

_SCOPES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_FX = "pkg.torch.onnx.fx_node"
_GLOBAL_POOL = re.compile(r"\[(-1(?:, -\d)*)\], True\)")
"""The arguments of the mean that `adaptive_avg_pool2d` becomes."""
_FUSED = "onnx::Conv_"
"""The legacy exporter gives a kernel such a name when it has folded a normalisation into it."""
_GEMM = "fused "
"""onnxruntime writes this before the name of a Gemm that it has fused with the node after it."""


@dataclass(frozen=True)
class Origin:
    """Where in the exported program a node comes from, as far as the exporter recorded it."""

    scopes: tuple[str, ...] = ()
    """The names of the modules around the node, outermost first."""
    function: str = ""
    """The function of the innermost module that the node belongs to: aten's word for it, or the ONNX operator's."""
    call: str = ""
    """What tells one call of that function from another."""
    is_aten: bool = False
    """Whether `function` is aten's word."""
    in_library: bool = False
    """Whether the innermost module is known to be one of torch's own."""

    @property
    def is_path(self) -> bool:
        """Whether the scopes are paths of TensorFlow ("model/conv"), which name layers of Keras."""
        return any("/" in scope for scope in self.scopes)


def origin_of(node: NodeProto) -> Origin:
    """The modules and the function around a node; empty if the exporter recorded none.

    torch's modules are dotted ("layer4.1.relu"), those of TensorFlow are paths ("model/block1_conv1").
    """
    recorded = {entry.key: entry.value for entry in node.metadata_props}
    if _SCOPES in recorded:
        *names, call = ast.literal_eval(recorded[_SCOPES])
        *classes, target = ast.literal_eval(recorded.get(_CLASSES, "['']"))
        library = bool(classes) and classes[-1].startswith(("torch.nn.", "torch.ao.nn."))
        function = target.removeprefix("aten.").partition(".")[0]
        pools = function == "mean" and _GLOBAL_POOL.search(recorded.get(_FX, ""))
        function = f"adaptive_avg_pool{pools[1].count('-')}d" if pools else function
        return Origin(tuple(filter(None, names)), function, call, True, library)
    name = node.name.removeprefix(_GEMM)
    if not name.startswith("/"):
        parts = [p for p in name.split("/")[:-1] if p != "StatefulPartitionedCall"]
        return Origin(tuple("/".join(parts[: n + 1]) for n in range(len(parts))))
    paths = tuple(_dotted_paths(name.split("/")[1:-1]))
    fused = node.op_type.removeprefix("Fused").startswith("Conv") and any(i.startswith(_FUSED) for i in node.input[1:2])
    return Origin(paths[:-1]) if fused else Origin(paths, node.op_type, name)


def _dotted_paths(parts: Iterable[str]) -> Iterator[str]:
    """layer4, layer4.1, relu -> layer4, layer4.1, layer4.1.relu: a list repeats its own name, an attribute does not."""
    path, last = "", ""
    for part in parts:
        if last and part.startswith(f"{last}."):
            path = path[: len(path) - len(last)] + part
        else:
            path = f"{path}.{part}" if path else part
        last = part
        yield path


def module_aliases(nodes: Iterable[tuple[tuple[str, ...], str]]) -> Mapping[str, str]:
    """Layer by module name: the last layer of a call of the module; its later calls are `name#2`, `name#3`.

    Args:
        nodes: (scopes, layer) of each node in execution order.
    """
    given = list(nodes)
    calls = module_calls([scopes for scopes, _ in given])
    return {call: layer for around, (_, layer) in zip(calls, given, strict=True) for call in around}


def module_calls(nodes: Iterable[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """For each node the calls of modules that it belongs to: of its scopes, with `#2` from the second call on.

    Args:
        nodes: the scopes of each node in execution order.
    """
    calls = _Calls()
    for around in nodes:
        yield calls.around(around)


class _Calls:
    """The calls of modules so far. To the legacy exporter the second call of `relu` is `relu_1`.

    It names a node of a container's second call `block_1` too, and `block` again while that calls a child.
    """

    def __init__(self) -> None:
        self._runs: dict[str, int] = {}
        self._current: dict[str, str] = {}
        self._containers: set[str] = set()
        self._before: set[str] = set()

    def around(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """The calls that the next node belongs to, outermost first."""
        modules = [self._enter(scope) for scope in scopes]
        self._containers.update(modules[:-1])
        self._before = {*modules, *scopes}
        return tuple(self._current[module] for module in modules)

    def _enter(self, scope: str) -> str:
        """The module that a scope is a call of, entered anew or gone on with."""
        again = re.fullmatch(r"(.+)_(\d+)", scope)
        base, turn = (again[1], int(again[2])) if again else (scope, 0)
        runs = self._runs.get(base, 0) if again else 0
        if again and runs == turn + 1 and (scope in self._before or base in self._containers):
            return base
        module = base if again and runs == turn else scope
        if module != scope or module not in self._before:
            runs = self._runs[module] = self._runs.get(module, 0) + 1
            self._current[module] = module if runs == 1 else f"{module}#{runs}"
        return module
