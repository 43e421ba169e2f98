"""The archive of an exported program, read without torch's loader: refused where something in it could run code."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.limits.archive import open_archive, read_member
from crosslens.limits.memory import check_memory

from .size_expressions import is_size_expression

__all__ = ["checked_archive"]

_TRUST = "; if you trust the file, open it with wrap(path, trust=True)"
_AGAIN = "; save it again with torch.export.save"
_GRAPH = "models/model.json"
_EXAMPLE = "data/sample_inputs/model.pt"
_MEMBERS = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json|extra/[\w./-]+"
    r"|archive_format|archive_version|version|byteorder|\.data/\w+|\.format_version|\.storage_alignment"
)
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|torchvision|quantized|quantized_decomposed)"
    r"\.(?!from_file|_print|_test_)((?!__)\w+|__i?(and|or|xor|lshift|rshift)__)(\.(?!_)\w+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(sum|max|min|int|float|not|sqrt|ite)|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.ops\.higher_order\.(_export_tracepoint|associative_scan|cond|flex_attention|hints_wrapper|invoke_subgraph"
    r"|map_impl|out_dtype|scan|strict_mode|tag_activation_checkpoint|while_loop|wrap|wrap_activation_checkpoint"
    r"|wrap_with_autocast|wrap_with_set_grad_enabled)"
)
_ITEM_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2, 28: 2}
"""Bytes of one number, by the number of its type in torch's schema of exported programs."""


def checked_archive(path: Path) -> io.BytesIO:
    """A new archive of what was checked in the old one, in which another reader may see other contents.

    Raises:
        ModelError: the file is not such an archive, is damaged, or could run code.
        MemoryLimitError: what it holds would take more memory than the limit.
    """
    content = io.BytesIO()
    with open_archive(path, ModelError, "a .pt2 archive") as archive:
        names = {member.filename.partition("/")[2]: member.filename for member in archive.infolist()}
        sizes = {inner: archive.getinfo(name).file_size for inner, name in names.items()}
        _check_names(sizes, path)
        check_memory(3 * sum(sizes.values()), f"opening '{path}'", "open it on a machine with more memory")

        def read(inner: str) -> bytes:
            return read_member(archive, names.get(inner, inner), path, ModelError)

        for kind in ("weights", "constants"):
            _check_tensors(_document(read, f"data/{kind}/model_{kind}_config.json", path), kind, sizes, path)
        _check_graph(_document(read, _GRAPH, path), path)
        with zipfile.ZipFile(content, "w") as new:
            for inner in names:
                new.writestr(f"checked/{inner}", b"" if inner == _EXAMPLE else read(inner))
    content.seek(0)
    return content


def _check_names(members: Mapping[str, int], path: Path) -> None:
    if _GRAPH not in members:
        raise ModelError(
            f"'{path}' holds no exported program as torch 2.8 and later save it with torch.export.save. "
            f"Older files are pickles{_TRUST}"
        )
    for name in members:
        if not _MEMBERS.fullmatch(name):
            raise ModelError(f"'{path}' holds {name[:80]!r}, which could run code{_TRUST}")


def _document(read: Any, name: str, path: Path) -> Any:
    try:
        return json.loads(read(name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"'{path}' is damaged: {name} is not JSON ({str(error)[:100]}){_AGAIN}") from error


def _check_tensors(document: Any, kind: str, members: Mapping[str, int], path: Path) -> None:
    """Refuse pickles, tensors that reach beyond their file, and sizes that are larger than the memory."""
    try:
        total = 0
        for name, entry in document["config"].items():
            member = f"data/{kind}/{entry['path_name']}"
            if entry["use_pickle"] or not _MEMBERS.fullmatch(member):
                raise ModelError(f"'{path}' holds {name[:80]!r} as a pickle, which could run code{_TRUST}")
            numbers, reach, size = _extent(entry["tensor_meta"])
            if members.get(member, 0) < reach:
                raise ModelError(
                    f"'{path}' is truncated: it holds {members.get(member, 0)} of the {reach} bytes of {name[:80]!r}"
                )
            total += numbers * size
    except (LookupError, TypeError, AttributeError, OverflowError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"'{path}' is damaged: its {kind} are not described as torch does{_AGAIN}") from error
    check_memory(total, f"the {kind} of '{path}'", "open it on a machine with more memory")


def _extent(meta: Mapping[str, Any]) -> tuple[int, int, int]:
    """Numbers in a tensor, how many bytes it reaches into its file, and bytes of a number.

    torch reads zeros where the file is empty.

    Raises:
        ValueError: a size, a step or an offset is negative or not whole.
    """
    sizes, steps = ([_natural(n["as_int"]) for n in meta[axis]] for axis in ("sizes", "strides"))
    offset, item = _natural(meta["storage_offset"]["as_int"]), _ITEM_SIZES.get(meta["dtype"], 1)
    numbers = 1
    for n in sizes:
        numbers *= n
    last = offset + sum((n - 1) * step for n, step in zip(sizes, steps, strict=True))
    return numbers, (last + 1) * item if numbers else 0, item


def _natural(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 2**63:
        raise ValueError(f"{number!r} is not a size")
    return number


def _check_graph(document: Any, path: Path) -> None:
    for key, text in _texts(document):
        if not _harmless(key, text):
            raise ModelError(f"'{path}' holds the {key} {text[:60]!r}, which could run code{_TRUST}")
    missing = sorted({text for key, text in _texts(document) if key == "target" and not _is_registered(text)})
    if missing:
        named = ", ".join(text.removeprefix("torch.ops.") for text in missing[:5])
        raise ModelError(
            f"'{path}' runs operators that are not registered here: {named}; import the package that brings them "
            "(torchvision, for example) first, or run it with the torch that saved it"
        )


def _texts(document: Any) -> Iterator[tuple[str, str]]:
    """Each string in a JSON document, with the key it stands under."""
    ahead: list[tuple[str, Any]] = [("", document)]
    while ahead:
        key, node = ahead.pop()
        if isinstance(node, dict):
            ahead += node.items()
        elif isinstance(node, list):
            ahead += [(key, value) for value in node]
        elif isinstance(node, str):
            yield key, node


def _harmless(key: str, text: str) -> bool:
    if key in {"target", "as_operator"}:
        return bool(_OPERATORS.fullmatch(text))
    return is_size_expression(text) if key == "expr_str" else "__enum__" not in text


def _is_registered(target: str) -> bool:
    """Whether torch's dispatcher knows an operator: those of TorchScript alone, which it does not, may write files."""
    if not target.startswith("torch.ops.") or target.startswith("torch.ops.higher_order."):
        return True
    _, _, space, name, *overload = target.split(".")
    named = f"{space}::{name}" + (f".{overload[0]}" if overload and overload[0] != "default" else "")
    return bool(torch._C._dispatch_has_kernel(named))
