"""Exported programs as networks, and `.pt2` files, opened only where nothing in them could run code."""

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from torch.export import ExportedProgram

from .network import LOCK, ModuleNetwork, deprecations_of_torch

__all__ = ["load_program", "program_network"]

_TRUST = "; if you trust the file, open it yourself: wrap(torch.export.load(path))"
_MEMBERS = re.compile(
    r"(data/(weights|constants)/(?!.*custom_obj)[\w.]+|data/sample_inputs/model\.pt|models/model\.json|extra/.*"
    r"|archive_format|archive_version|version|byteorder|\.data/\w+|\.format_version|\.storage_alignment)"
)
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prim|prims|higher_order|torchvision|quantized|quantized_decomposed)\.\w+(\.\w+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(sum|max|min|int|float|not|sqrt|ite)|math\.(ceil|floor|trunc|sqrt)"
)
_SYMPY = {"Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "true", "false"}
_SYMPY |= {"Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "StrictGreaterThan"}
_SYMPY |= {
    "LessThan",
    "GreaterThan",
    "And",
    "Or",
    "Not",
    "FloorDiv",
    "CleanDiv",
    "CeilDiv",
    "PythonMod",
    "ModularIndexing",
}
_SYMPY |= {"IntTrueDiv", "FloatTrueDiv", "CeilToInt", "FloorToInt", "TruncToInt", "ToFloat", "Where", "PowByNatural"}


def load_program(path: Path) -> ExportedProgram:
    """The program in a `.pt2` file.

    `torch.export.load` unpickles, evaluates strings and resolves any name below `torch`. So the archive is read first,
    and refused if it holds more than plain tensors, known operators and arithmetic on sizes.

    Raises:
        ModelError: the file is no such archive, cannot be read, or could run code.
    """
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check(archive, path)
        return torch.export.load(io.BytesIO(content))
    except ModelError:
        raise
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"'{path}' is no .pt2 archive, or is cut off: {error}. torch.export.save writes one"
        ) from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"'{path}' cannot be opened by torch {torch.__version__}: {reason}") from error


def _check(archive: zipfile.ZipFile, path: Path) -> None:
    members = {_inner(name): name for name in archive.namelist()}
    if "models/model.json" not in members:
        old = "serialized_exported_program.json" in archive.namelist()
        what = "comes from an older torch, whose files are pickles" if old else "holds no exported program"
        raise ModelError(f"'{path}' {what}; save it again with torch.export.save" + _TRUST * old)
    for inner in members:
        if not _MEMBERS.fullmatch(inner):
            raise ModelError(f"'{path}' holds '{inner}', which could run code{_TRUST}")
    for kind in ("weights", "constants"):
        name = members.get(f"data/{kind}/model_{kind}_config.json")
        config = json.loads(archive.read(name))["config"] if name else {}
        pickled = [key for key, entry in config.items() if entry["use_pickle"] or "custom_obj" in entry["path_name"]]
        if pickled:
            raise ModelError(f"'{path}' holds {pickled[0]!r} as a pickle, which could run code{_TRUST}")
    if "data/sample_inputs/model.pt" in members:
        _check_pickle(archive.read(members["data/sample_inputs/model.pt"]), path)
    for key, text in _texts(json.loads(archive.read(members["models/model.json"]))):
        if not _harmless(key, text):
            raise ModelError(f"'{path}' holds the {key} {text[:60]!r}, which could run code{_TRUST}")


def _inner(member: str) -> str:
    """The member's path below the archive's own folder."""
    return member.partition("/")[2]


def _check_pickle(content: bytes, path: Path) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise ModelError(
            f"'{path}' holds example inputs that are more than tensors, which could run code{_TRUST}"
        ) from error


def _texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each string in a JSON document, with the key it stands under."""
    if isinstance(node, Mapping):
        for inner, value in node.items():
            yield from _texts(value, inner)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, key)
    elif isinstance(node, str):
        yield key, node


def _harmless(key: str, text: str) -> bool:
    if key in {"target", "as_operator"}:
        return bool(_OPERATORS.fullmatch(text)) and "__init" not in text
    if key == "expr_str":
        return _is_arithmetic(text)
    return "__enum__" not in text


def _is_arithmetic(text: str) -> bool:
    """Whether sympy evaluates sizes only: calls of known functions, numbers, strings as names of symbols."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return all(_is_plain(node) for node in ast.walk(tree))


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        named = isinstance(node.func, ast.Name) and node.func.id in _SYMPY
        symbol = named and node.func.id == "Symbol"  # type: ignore[attr-defined]
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return named and all(re.fullmatch(r"\w+" if symbol else r"-?[\d.]+(e[+-]?\d+)?", text) for text in texts)
    if isinstance(node, ast.Name):
        return node.id in _SYMPY or bool(re.fullmatch(r"[a-z]{1,3}\d+", node.id))
    numbers = ast.Expression | ast.Constant | ast.keyword | ast.BinOp | ast.UnaryOp | ast.Compare | ast.BoolOp
    return isinstance(node, numbers | ast.operator | ast.unaryop | ast.cmpop | ast.boolop | ast.expr_context)


def program_network(program: ExportedProgram, given: InputSpec | None) -> ModuleNetwork:
    """A program as a tree of modules under their original names.

    Raises:
        ModelError: several inputs, or it was exported in train mode.
    """
    _refuse_training(program)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    inputs = [name for name in program.graph_signature.user_inputs if isinstance(values.get(str(name)), torch.Tensor)]
    if len(inputs) != 1:
        raise ModelError(f"the program takes {len(inputs)} tensors, {inputs}; export a network that takes one image")
    batch, *shape = (n if isinstance(n, int) else None for n in values[str(inputs[0])].shape)
    spec = InputSpec(tuple(shape)) if len(shape) == 3 else InputSpec.latent(tuple(n or 1 for n in shape))
    with LOCK, deprecations_of_torch():
        net = torch.export.unflatten(program)
    for module in net.modules():
        module.training = False
    return ModuleNetwork(net, given or spec, kinds=_kinds(program), batch=batch)


def _refuse_training(program: ExportedProgram) -> None:
    flags = {"batch_norm": 5, "dropout": 2, "dropout_": 2}
    for node in program.graph.nodes:
        position = flags.get(getattr(node.target, "_opname", ""))
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ModelError("the program was exported in train mode; call net.eval() and export it again")


def _kinds(program: ExportedProgram) -> dict[str, str]:
    """The class that each module had, by its dotted name."""
    found = {}
    for node in program.graph.nodes:
        for path, kind in node.meta.get("nn_module_stack", {}).values():
            found[path] = str(kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]
    return found
