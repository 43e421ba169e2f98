"""Names of the modules that a node was exported from, as each exporter records them.

torch (dynamo) records a list of scopes in the node's metadata; torch (legacy) and tf2onnx a path in the node's name.
"""

import ast
import re
from collections.abc import Iterable, Mapping

from onnx import NodeProto

__all__ = ["module_aliases", "module_scopes"]

_DYNAMO = "pkg.torch.onnx.name_scopes"
_FUSED = "onnx::Conv_"
"""The legacy exporter gives a kernel such a name when it has folded a normalisation into it."""
_GEMM = "fused "
"""onnxruntime writes this before the name of a Gemm that it has fused with the node after it."""


def module_scopes(node: NodeProto) -> tuple[str, ...]:
    """Names of the modules around a node, outermost first; empty if the exporter recorded none.

    torch's are dotted ("layer4.1.relu"), those of TensorFlow are paths ("model/block1_conv1").
    """
    for entry in node.metadata_props:
        if entry.key == _DYNAMO:
            return tuple(name for name in ast.literal_eval(entry.value)[:-1] if name)
    name = node.name.removeprefix(_GEMM)
    if not name.startswith("/"):
        parts = [p for p in name.split("/")[:-1] if p != "StatefulPartitionedCall"]
        return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))
    paths = tuple(_dotted_paths(name.split("/")[1:-1]))
    fused = node.op_type.removeprefix("Fused").startswith("Conv") and any(i.startswith(_FUSED) for i in node.input[1:2])
    return paths[:-1] if fused else paths


def _dotted_paths(parts: Iterable[str]) -> Iterable[str]:
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
    aliases: dict[str, str] = {}
    runs: dict[str, int] = {}
    current: dict[str, str] = {}
    before: tuple[str, ...] = ()
    for around, layer in nodes:
        for scope in around:
            if scope not in before:
                current[scope] = _next_run(scope, runs)
            aliases[current[scope]] = layer
        before = around
    return aliases


def _next_run(scope: str, runs: dict[str, int]) -> str:
    """The name of one more call of a module; the legacy exporter names the second call of `relu` `relu_1`."""
    again = re.fullmatch(r"(.+)_(\d+)", scope)
    name = again[1] if again and runs.get(again[1]) == int(again[2]) else scope
    runs[name] = runs.get(name, 0) + 1
    return name if runs[name] == 1 else f"{name}#{runs[name]}"
