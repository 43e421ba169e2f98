"""The types of `crosslens.method("NAME")` for editors: a stub with one signature for each method of this distribution.

`python -m tests.meta.method_stub` writes it anew from the entry points, `--check` says whether it is up to date.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING, Field
from inspect import getmodule
from types import EllipsisType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from crosslens.method.parameter import parameters
from crosslens.method.provenance import names_layers
from crosslens.plugins import method_class
from crosslens.plugins.familiar_names import declared

from .tree import ROOT, project

PATH = ROOT / "core" / "plugins" / "method_by_name.pyi"
COMMAND = "python -m tests.meta.method_stub"
HEAD = f'''"""What `crosslens.method` gives for each name. Written by `{COMMAND}`; not to be edited."""

from collections.abc import Sequence
from typing import Any, Literal, overload

from crosslens.model.layer import LayerLike
'''
PLAIN = {int: "int", float: "float", str: "str", bool: "bool", NoneType: "None", EllipsisType: "..."}


def stub() -> str:
    """The file's text, as ruff formats it."""
    names = sorted(project()["project"]["entry-points"]["crosslens.methods"])
    kinds = [method_class(name) for name in names]
    imports = sorted(f"from {getmodule(kind).__name__} import {kind.__name__}" for kind in kinds)
    anything = "@overload\ndef method(name: str, *, preset: str | None = None, **values: Any) -> Any: ..."
    text = "\n".join([HEAD, *imports, "", *map(signature, kinds), anything, ""])
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(PATH), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def signature(kind: type) -> str:
    """The signature for one method's name and aliases, with its presets and parameters."""
    names = ", ".join(map(repr, [kind.name, *declared(kind, "aliases")])).replace("'", '"')
    presets = ", ".join(f'"{name}"' for name in getattr(kind, "presets", {}))
    preset = f"Literal[{presets}] | None" if presets else "None"
    values = [f"{p.name}: {annotation(p.name, p.type)}{' = ...' * has_default(p)}" for p in parameters(kind)]
    arguments = ", ".join([f"name: Literal[{names}]", "*", f"preset: {preset} = None", *values])
    return f"@overload\ndef method({arguments}) -> {kind.__name__}: ..."


def has_default(parameter: Field[Any]) -> bool:
    """Whether a parameter may be left out."""
    return parameter.default is not MISSING or parameter.default_factory is not MISSING


def annotation(name: str, kind: Any) -> str:
    """A parameter's type as source; layers may be objects, and what is given as several numbers any sequence."""
    text = source(kind)
    if not names_layers(name):
        return text
    layers = "LayerLike | Sequence[LayerLike]" if "Sequence" in text else "LayerLike"
    return layers + " | None" * text.endswith("None")


def source(kind: Any) -> str:
    """A type as source, "Any" for what is not made of plain ones."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) in {Union, UnionType}:
        members = [source(member) for member in get_args(kind)]
        return "Any" if "Any" in members else " | ".join(members)
    if get_origin(kind) is tuple:
        items = dict.fromkeys(source(item) for item in get_args(kind) if item is not ...)
        return f"Sequence[{' | '.join(items)}]"
    return "Any"


def main(arguments: Sequence[str]) -> int:
    """Write the stub, or check it."""
    text = stub()
    if "--check" in arguments:
        if not PATH.exists() or PATH.read_text() != text:
            print(f"{PATH.relative_to(ROOT)} is not what the methods say: run `{COMMAND}`", file=sys.stderr)  # noqa: T201
            return 1
        return 0
    PATH.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
