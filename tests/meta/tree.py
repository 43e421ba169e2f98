"""The repository as data, for the guards in this folder."""

import ast
import subprocess
import tomllib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {"core": "crosslens", "backends": "crosslens.backends", "methods": "crosslens.methods"}
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "onnxscript", "tf2onnx", "jax", "torchvision"}


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules(*folders: str) -> list[Path]:
    """Every Python file of these top-level folders, relative to the root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def real_name(path: Path) -> str:
    """core/cli/run.py is crosslens.cli.run."""
    inner = path.with_suffix("").parts[1:]
    return ".".join([FOLDERS[path.parts[0]], *(part for part in inner if part != "__init__")])


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def imports(path: Path) -> list[tuple[int, str, int]]:
    """Every import in a file, also inside functions: (line, module, level), level > 0 for a relative one."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, node.module or "", node.level))
    return found


@cache
def import_graph() -> dict[str, frozenset[str]]:
    """By module of ours, the modules of ours that it imports: at the top, in functions, under TYPE_CHECKING."""
    paths = {real_name(path).removesuffix("."): path for path in modules(*FOLDERS)}
    return {name: frozenset(_imported(name, path, paths)) - {name} for name, path in paths.items()}


def _imported(name: str, path: Path, ours: dict[str, Path]) -> set[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (above, node.module) if part)
            found |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in ours else module for alias in node.names}
    return found & ours.keys()


def tracked() -> list[Path]:
    """The files of the repository: what git has, and what it would take (not what it ignores)."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(Path(name) for name in set(names) if (ROOT / name).is_file())
