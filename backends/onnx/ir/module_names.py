"""Names of the modules and functions that a node was exported from, as each exporter records them.

torch (dynamo) records a list of scopes in the node's metadata; torch (legacy) and tf2onnx a path in the node's name.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto

__all__ = ["Origin", "module_aliases", "module_calls", "origin_of", "without_folded"]

_SCOPES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_FX = "pkg.torch.onnx.fx_node"
_LONGEST = 1 << 16
"""Characters up to which a list of names is read."""
_GLOBAL_POOL = re.compile(r"\[(-1(?:, -\d)*)\], True\)")
"""The arguments of the mean that `adaptive_avg_pool2d` becomes."""
_FUSED = "onnx::Conv_"
"""The legacy exporter gives a kernel such a name when it has folded a normalisation into it."""
_VALUE = re.compile(r"_output_\d+$")
"""How the legacy exporter ends the name of a value after that of its node."""
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
    folded: str = ""
    """The module around the node that a normalisation was folded into: its own value is nowhere."""
    own_names: frozenset[str] = frozenset()
    """Scopes that are known to be names of modules as they stand: `conv_1` is no second call of `conv`."""

    @property
    def is_recorded(self) -> bool:
        """Whether anything is known of where the node comes from."""
        return bool(self.scopes or self.function or self.folded)

    @property
    def is_path(self) -> bool:
        """Whether the scopes are paths of TensorFlow ("model/conv"), which name layers of Keras."""
        return any("/" in scope for scope in self.scopes)


def origin_of(node: NodeProto) -> Origin:
    """The modules and the function around a node; empty if the exporter recorded none.

    torch's modules are dotted ("layer4.1.relu"), those of TensorFlow are paths ("model/block1_conv1").
    """
    recorded = {entry.key: entry.value for entry in node.metadata_props}
    if scopes := _names_in(recorded.get(_SCOPES)):
        *names, call = scopes
        *classes, target = _names_in(recorded.get(_CLASSES)) or [""]
        library = bool(classes) and classes[-1].startswith(("torch.nn.", "torch.ao.nn."))
        function = target.removeprefix("aten.").partition(".")[0]
        pools = function == "mean" and _GLOBAL_POOL.search(str(recorded.get(_FX, ""))[:_LONGEST])
        function = f"adaptive_avg_pool{pools[1].count('-')}d" if pools else function
        return Origin(tuple(filter(None, names)), function, call, True, library, own_names=frozenset(names))
    name = _recorded_name(node)
    if not name.startswith("/"):
        parts = [p for p in name.split("/")[:-1] if p != "StatefulPartitionedCall"]
        return Origin(tuple("/".join(parts[: n + 1]) for n in range(len(parts))))
    paths = tuple(_dotted_paths(name.split("/")[1:-1]))
    own = frozenset(path for path in paths if any(read.startswith(f"{path}.") for read in node.input))
    is_folded = "Conv" in node.op_type and any(read.startswith(_FUSED) for read in node.input)
    return Origin(paths, node.op_type, name, folded=paths[-1] if is_folded and paths else "", own_names=own)


def _names_in(text: Any) -> list[str]:
    """The names in a list that was written as text; none if it is anything else: names only decorate a network."""
    if not isinstance(text, str) or len(text) > _LONGEST:  # text that is not UTF-8 is bytes
        return []
    try:
        names = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def without_folded(origins: Iterable[Origin]) -> list[Origin]:
    """The origins without the modules that a normalisation was folded into, also of what a quantiser put there."""
    given = list(origins)
    folded = {origin.folded for origin in given if origin.folded}
    return [
        Origin(origin.scopes[:-1], folded=origin.scopes[-1], own_names=origin.own_names)
        if origin.scopes and origin.scopes[-1] in folded
        else origin
        for origin in given
    ]


def _recorded_name(node: NodeProto) -> str:
    """The node's name; where an optimiser has replaced that, the name that the legacy exporter gave to its value."""
    name = node.name.removeprefix(_GEMM)
    value = next((name for name in node.output if name.startswith("/")), "")
    return _VALUE.sub("", value) if _VALUE.search(value) and not name.startswith("/") else name


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
    calls = module_calls([Origin(scopes) for scopes, _ in given])
    return {call: layer for around, (_, layer) in zip(calls, given, strict=True) for call in around}


def module_calls(origins: Iterable[Origin]) -> Iterator[tuple[str, ...]]:
    """For each node the calls of modules that it belongs to: of its scopes, with `#2` from the second call on.

    A node of which nothing is recorded, such as an optimiser's, ends no call.

    Args:
        origins: of each node in execution order.
    """
    given = list(origins)
    calls = _Calls(frozenset().union(*(origin.own_names for origin in given)))
    for origin in given:
        yield calls.around(origin.scopes) if origin.is_recorded else ()


class _Calls:
    """The calls of modules so far. To the legacy exporter the second call of `relu` is `relu_1`.

    It names a node of a container's second call `block_1` too, and `block` again while that calls a child.
    """

    def __init__(self, own_names: Collection[str] = ()) -> None:
        self._own_names = own_names
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
        again = None if scope in self._own_names else re.fullmatch(r"(.+)_(\d+)", scope)
        base, turn = (again[1], int(again[2])) if again else (scope, 0)
        runs = self._runs.get(base, 0) if again else 0
        if again and runs == turn + 1 and (scope in self._before or base in self._containers):
            return base
        module = base if again and runs == turn else scope
        if module != scope or module not in self._before:
            runs = self._runs[module] = self._runs.get(module, 0) + 1
            self._current[module] = module if runs == 1 else f"{module}#{runs}"
        return module
