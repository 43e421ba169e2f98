"""Small things: a function fits on a screen, a file holds one idea. The ceilings stand in one place, here."""

import ast
from statistics import median

from .tree import FOLDERS, ROOT, modules, parsed

FUNCTION = 50
FILES = {"core": 300, "backends": 350, "methods": 160}
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}


def functions():
    for path in modules(*FOLDERS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.lineno} {node.name}", node


def lines(node):
    """Lines of a function, decorators and docstring not counted."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return body[-1].end_lineno - body[0].lineno + 1


def test_no_function_is_longer_than_a_screen():
    assert not [f"{name}: {lines(node)}" for name, node in functions() if lines(node) > FUNCTION]


def test_the_median_function_is_short():
    assert median(lines(node) for _, node in functions()) <= 6


def test_no_file_outgrows_its_ceiling():
    long = []
    for path in modules(*FOLDERS):
        count = len((ROOT / path).read_text().splitlines())
        if count > FILES[path.parts[0]]:
            long.append(f"{path}: {count}")
    assert not long


def test_rules_are_one_operator_each():
    rules = [path for path in modules("backends") if path.parts[1:4] == ("onnx", "autodiff", "rules")]
    assert not [str(path) for path in rules if len((ROOT / path).read_text().splitlines()) > 120]


def test_no_module_is_a_drawer():
    assert not [str(path) for path in modules(*FOLDERS, "tests", "benchmarks") if path.stem in VAGUE]


def test_nothing_swallows_every_exception():
    """`except Exception` or a bare `except` must raise again."""
    swallowed = []
    for path in modules(*FOLDERS):
        for node in ast.walk(parsed(path)):
            broad = isinstance(node, ast.ExceptHandler) and (
                node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"}
            )
            if broad and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                swallowed.append(f"{path}:{node.lineno}")
    assert not swallowed


ROOMY = {"objective", "operators", "rules", "contrib", "cli", "methods"}
"""Folders of one kind of thing, a file each; method families count as "methods"."""


def test_no_folder_is_a_drawer():
    folders = {path.parent for path in modules(*FOLDERS)}
    large = {folder: len(list((ROOT / folder).glob("*.py"))) for folder in folders if not ROOMY & set(folder.parts)}
    assert not {str(folder): count for folder, count in large.items() if count > 18}


def test_a_public_function_with_four_parameters_describes_them():
    """Methods of classes may inherit their documentation."""
    bare = []
    for path in modules(*FOLDERS):
        for node in parsed(path).body:
            if (
                not isinstance(node, ast.FunctionDef)
                or node.name.startswith("_")
                or path.parts[-2] in {"rules", "contrib"}
            ):
                continue
            count = len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs])
            text = ast.get_docstring(node) or ""
            if count >= 4 and "Args:" not in text and not text.startswith("As `"):
                bare.append(f"{path}:{node.lineno} {node.name}")
    assert not bare
