"""methods -> core <- backends: who may import whom, and what `import crosslens` costs."""

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from .tree import FOLDERS, FRAMEWORKS, ROOT, import_graph, imports, modules, parsed

OURS = modules(*FOLDERS)
ORDER = [
    "limits", "reading", "files", "style_network", "metadata", "input", "model", "execution", "image", "operators",
    "objective", "introspection",
    "receptive", "occlusion", "result", "layouts", "sheets", "concepts", "classes", "data", "dissection", "method",
    "plugins", "embedding", "optim", "alignment", "relevance", "synthesis", "attack", "evolution", "picture_run",
    "store", "survey", "robustness", "neighbours", "checkpoints", "comparison", "restyle", "style_training", "report",
    "explorer", "testing", "cli",
]  # fmt: skip
"""The folders of core, each of which may import itself, what stands before it, and the flat modules."""
FLAT = {"arrays", "errors", "html_table", "printable"}


def offenders(paths, wrong):
    every = ((path, *each) for path in paths for each in imports(path))
    return [f"{path}:{line} imports {name or '.'}" for path, line, name, level in every if wrong(path, name, level)]


def test_core_and_methods_import_no_framework():
    assert not offenders(modules("core", "methods"), lambda path, name, level: name.partition(".")[0] in FRAMEWORKS)


def test_methods_and_backends_do_not_import_each_other():
    def crosses(path, name, level):
        other = {"methods": "crosslens.backends", "backends": "crosslens.methods"}[path.parts[0]]
        return f"{name}.".startswith(f"{other}.")

    assert not offenders(modules("methods", "backends"), crosses)


def test_core_imports_neither_methods_nor_backends():
    """It finds them by their entry points."""
    wrong = ("crosslens.methods.", "crosslens.backends.")
    assert not offenders(modules("core"), lambda path, name, level: f"{name}.".startswith(wrong))


def test_core_names_no_module_of_methods_or_backends_in_a_string():
    """Nothing that could be imported by its name; the entry points' groups and docstrings are no such strings."""
    offending = []
    for path in modules("core"):
        for node in ast.walk(parsed(path)):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.search(r"\bcrosslens\.(backends|methods)\.\w", text) and text not in docstrings(path):
                offending.append(f"{path}:{node.lineno} {text!r}")
    assert not offending


def docstrings(path):
    """Texts that stand alone: docstrings, and those under an assignment."""
    return {
        node.value.value
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def circle(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return None


def test_no_module_imports_itself_by_way_of_others():
    """Imports inside functions and under TYPE_CHECKING count: a circle is one whenever it is followed."""
    assert not circle(import_graph())


def test_the_search_finds_a_circle_and_names_it():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in {"b imports c imports b", "c imports b imports c"}
    assert len(import_graph()) == len(OURS)
    assert "crosslens.model.backend" in import_graph()["crosslens.model.base"]
    assert "crosslens.cli.main" not in import_graph()["crosslens.model.base"]


def test_the_folders_of_core_import_one_way():
    folders = {path.parts[1] for path in modules("core") if len(path.parts) > 2}
    assert folders <= set(ORDER), "say in ORDER what the new folder imports"

    def folder(module):
        return f"{module}..".split(".")[1]

    wrong = [
        f"{importer} imports {module}"
        for importer, found in import_graph().items()
        for module in found
        if folder(importer) in ORDER and module.partition(".")[0] == "crosslens" and folder(module) not in FLAT
        if folder(module) not in ORDER or ORDER.index(folder(module)) > ORDER.index(folder(importer))
    ]
    assert not wrong


def test_the_flat_modules_of_core_stand_on_each_other_only():
    flat = {f"crosslens.{name}" for name in FLAT}
    assert not frozenset().union(*(import_graph()[module] for module in flat)) - flat


def test_the_folders_names_are_no_import_names():
    """From the repository's root `import core` would work in silence, and make every class twice."""
    everywhere = [*OURS, *modules("tests", "benchmarks")]
    assert not offenders(everywhere, lambda path, name, level: not level and name.partition(".")[0] in FOLDERS)


def test_inside_a_folder_imports_are_relative_and_across_by_the_real_name():
    def wrong(path, name, level):
        depth = len(path.parts) - 1
        if level:
            return level > depth  # climbs out of its top-level folder
        inside = FOLDERS[path.parts[0]]
        if path.parts[0] == "core":
            return name == inside or name.startswith("crosslens.")
        return f"{name}.".startswith(f"{inside}.")

    assert not offenders(OURS, wrong)


def test_nothing_walks_the_package_s_path():
    """`crosslens.__path__` is core/; walking it would import every module under two names."""
    walkers = {"walk_packages", "iter_modules"}
    found = []
    for path in OURS:
        text = (ROOT / path).read_text()
        if any(walker in text for walker in walkers) and "crosslens.__path__" in text:
            found.append(str(path))
    assert not found
    assert any("iter_modules" in (ROOT / path).read_text() for path in OURS), "the test looks for the wrong names"


def fresh(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import crosslens",
        "import crosslens; crosslens.methods(); crosslens.backends()",
        "import crosslens; [crosslens.plugins.method_class(name) for name in crosslens.methods()]",
        "import crosslens.testing",
        "import crosslens.cli",
    ],
)
def test_no_framework_is_loaded(code):
    loaded = fresh(f"{code}\nimport sys\nprint(*sys.modules)")
    assert not (FRAMEWORKS | {"matplotlib", "pandas", "sympy", "pytest"}).intersection(loaded)


def test_importing_crosslens_imports_no_method_and_no_backend():
    loaded = fresh("import crosslens, sys; print(*sys.modules)")
    assert not [name for name in loaded if name.startswith(("crosslens.methods.", "crosslens.backends"))]


def test_each_module_has_one_docstring_at_its_top():
    bare = [str(path) for path in OURS if parsed(path).body and not ast.get_docstring(parsed(path))]
    assert not bare
