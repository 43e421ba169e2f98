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

from ..layers.module_network import ModuleNetwork
from .program_module import program_arguments, program_module

__all__ = ["load_program", "program_network"]

_TRUST = "; if you trust the file, open it with wrap(path, trust=True)"
_GRAPH = "models/model.json"
_EXAMPLE = "data/sample_inputs/model.pt"
_MEMBERS = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json|extra/[\w./-]+"
    r"|archive_format|archive_version|version|byteorder|\.data/\w+|\.format_version|\.storage_alignment"
)
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prim|prims|higher_order|torchvision|quantized|quantized_decomposed)"
    r"\.(?!from_file)((?!__)\w+|__i?(and|or|xor|lshift|rshift)__)(\.(?!_)\w+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(sum|max|min|int|float|not|sqrt|ite)|math\.(ceil|floor|trunc|sqrt)"
)
_SYMPY = {
    *("Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "And", "Or", "Not", "true", "false"),
    *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "StrictLessThan", "StrictGreaterThan"),
    *("LessThan", "GreaterThan", "FloorDiv", "CleanDiv", "CeilDiv", "PythonMod", "ModularIndexing", "IntTrueDiv"),
    *("FloatTrueDiv", "CeilToInt", "FloorToInt", "TruncToInt", "ToFloat", "Where", "PowByNatural"),
}
_ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp)
_SIGNS = (ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


def load_program(path: Path) -> ExportedProgram:
    """The program in a `.pt2` file.

    `torch.export.load` unpickles, evaluates strings and resolves any name below `torch`. So the archive is read first,
    refused if it holds more than plain tensors, known operators and arithmetic on sizes, and what was read is loaded.

    Raises:
        ModelError: the file is not such an archive, cannot be read, or could run code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        _check(members, path)
        return torch.export.load(_archive(members))
    except ModelError:
        raise
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelError(
            f"'{path}' is not a .pt2 archive, or is truncated: {error}. torch.export.save writes one"
        ) from error
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"'{path}' cannot be opened by torch {torch.__version__}: {reason}") from error


def _archive(members: Mapping[str, bytes]) -> io.BytesIO:
    """A new archive of what was checked: another reader may see other contents in the old one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"checked/{name}", data)
    content.seek(0)
    return content


def _check(members: Mapping[str, bytes], path: Path) -> None:
    if _GRAPH not in members:
        raise ModelError(
            f"'{path}' holds no exported program as torch 2.8 and later save it with torch.export.save. "
            f"Older files are pickles{_TRUST}"
        )
    for name in members:
        if not _MEMBERS.fullmatch(name):
            raise ModelError(f"'{path}' holds '{name}', which could run code{_TRUST}")
    for kind in ("weights", "constants"):
        config = json.loads(members[f"data/{kind}/model_{kind}_config.json"])["config"]
        for name, entry in config.items():
            if entry["use_pickle"] or not _MEMBERS.fullmatch(f"data/{kind}/{entry['path_name']}"):
                raise ModelError(f"'{path}' holds {name!r} as a pickle, which could run code{_TRUST}")
            size, expected = len(members[f"data/{kind}/{entry['path_name']}"]), _bytes(entry["tensor_meta"])
            if size < expected:
                raise ModelError(f"'{path}' is truncated: it holds {size} of the {expected} bytes of {name!r}")
    if _EXAMPLE in members:
        _check_pickle(members[_EXAMPLE], path)
    for key, text in _texts(json.loads(members[_GRAPH])):
        if not _harmless(key, text):
            raise ModelError(f"'{path}' holds the {key} {text[:60]!r}, which could run code{_TRUST}")


_ITEM_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2, 28: 2}
"""Bytes of one number, by the number of its type in torch's schema of exported programs."""


def _bytes(meta: Mapping[str, Any]) -> int:
    """How far a tensor reaches into its file; torch reads zeros where the file is shorter."""
    sizes, strides = ([int(n["as_int"]) for n in meta[axis]] for axis in ("sizes", "strides"))
    if 0 in sizes:
        return 0
    last = int(meta["storage_offset"]["as_int"]) + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    return (last + 1) * _ITEM_SIZES.get(int(meta["dtype"]), 1)


def _check_pickle(content: bytes, path: Path) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise ModelError(f"'{path}' holds example inputs other than tensors, which could run code{_TRUST}") from error


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
        return bool(_OPERATORS.fullmatch(text))
    return _is_arithmetic(text) if key == "expr_str" else "__enum__" not in text


def _is_arithmetic(text: str) -> bool:
    """Whether a text is arithmetic on sizes for sympy: known functions, numbers, and names of symbols only."""
    try:
        return _is_plain(ast.parse(text, mode="eval"))
    except SyntaxError:
        return False


def _is_plain(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=bool() | int() | float()) | ast.expr_context():
            return True
        case ast.Name(id=name):
            return name in _SYMPY or bool(re.fullmatch(r"[a-z]{1,3}\d+", name))
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=keywords):
            return bool(re.fullmatch(r"\w+", name)) and all(_is_plain(k.value) for k in keywords)
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(number))], keywords=keywords):
            return bool(re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", number)) and all(_is_plain(k.value) for k in keywords)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return name in _SYMPY and all(_is_plain(a) for a in (*args, *(k.value for k in keywords)))
    return isinstance(node, _SIGNS) or (
        isinstance(node, _ARITHMETIC) and all(_is_plain(child) for child in ast.iter_child_nodes(node))
    )


def program_network(
    program: ExportedProgram,
    given: InputSpec | None,
    bounds: tuple[float, float] | None = None,
    held: dict[str, Any] | None = None,
) -> ModuleNetwork:
    """A program as a tree of modules under their original names.

    Args:
        program: of one input, or of several of which all others are held.
        given: the input asked for, None for the program's own.
        bounds: the least and the largest value of an image.
        held: what the other inputs hold, by name.

    Raises:
        ModelError: it was exported in train mode, or for another size than the one given; or inputs are not held.
    """
    _refuse_training(program)
    image, arguments = program_arguments(program, held)
    batch, *shape = (n if isinstance(n, int) else None for n in image.shape)
    spec = InputSpec(tuple(shape)) if len(shape) in {3, 4} else InputSpec.latent(tuple(n or 1 for n in shape))
    _refuse_other_size(given, tuple(shape))
    spec = given or spec.within(bounds)
    return ModuleNetwork(program_module(program), spec, kinds=_kinds(program), batch=batch, arguments=arguments)


def _refuse_other_size(given: InputSpec | None, own: tuple[int | None, ...]) -> None:
    if given is None:
        return
    same = len(given.shape) == len(own)
    if not same or any(None not in {a, b} and a != b for a, b in zip(given.shape, own, strict=True)):
        raise ModelError(
            f"input_shape is {given.shape}, but the program was exported for {own} (None = any); its constants hold "
            "for that size only: export it again, with dynamic_shapes for other sizes"
        )


def _refuse_training(program: ExportedProgram) -> None:
    flags = {"batch_norm": 5, "dropout": 2, "dropout_": 2}
    for node in program.graph.nodes:
        position = flags.get(getattr(node.target, "_opname", ""))
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ModelError("the program was exported in train mode; call net.eval() and export it again")


def _kinds(program: ExportedProgram) -> dict[str, str]:
    """The class that each module had, with the module that defines it, by its dotted name."""
    kinds = {}
    for node in program.graph.nodes:
        for path, kind in node.meta.get("nn_module_stack", {}).values():
            kinds[path] = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return kinds
