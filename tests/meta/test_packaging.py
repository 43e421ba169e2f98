"""The folder mapping: what works in the checkout must be in the wheel, under the same names."""

import importlib
import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from importlib.metadata import distribution

import pytest
from crosslens.plugins import method_class

from .tree import FOLDERS, ROOT, modules, project, real_name, tracked

ENTRY_POINTS = project()["project"]["entry-points"]


def test_the_packages_list_is_the_tree():
    """A sub-package missing from the list works in the checkout and is absent from the wheel."""
    found = {real_name(path) for path in modules(*FOLDERS) if path.name == "__init__.py"}
    assert set(project()["tool"]["setuptools"]["packages"]) == found


def test_every_folder_with_code_is_a_package():
    bare = [path for path in modules(*FOLDERS) if not (ROOT / path.parent / "__init__.py").exists()]
    assert not bare


@pytest.mark.parametrize("group", ENTRY_POINTS)
def test_every_entry_point_has_its_module(group):
    missing = []
    for name, module in ENTRY_POINTS[group].items():
        path = ROOT / module.removeprefix("crosslens.").replace(".", "/")
        if not (path.with_suffix(".py").exists() or (path / "__init__.py").exists()):
            missing.append(f"{name} = {module}")
    assert not missing


def test_every_module_with_methods_has_its_entry_point():
    hook = re.compile(r"^@hookimpl\ndef crosslens_methods", re.MULTILINE)
    files = {real_name(path) for path in modules("methods") if hook.search((ROOT / path).read_text())}
    assert set(ENTRY_POINTS["crosslens.methods"].values()) == files


@pytest.mark.parametrize("name", ENTRY_POINTS["crosslens.methods"])
def test_module_name_entry_point_and_class_agree(name):
    assert re.fullmatch(rf"crosslens\.methods\.[a-z]+\.{name}", ENTRY_POINTS["crosslens.methods"][name])
    assert method_class(name).name == name


def test_the_installed_entry_points_are_those_of_pyproject():
    """After a change of pyproject.toml, install again: `pip install -e .`."""
    points = distribution("crosslens").entry_points
    installed = {(p.group, p.name, p.value) for p in points if p.group.startswith("crosslens.")}
    assert installed == {(group, n, module) for group, lines in ENTRY_POINTS.items() for n, module in lines.items()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of what git has, so that nothing of an earlier build slips in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tracked():
        if path.parts[0] in {*FOLDERS, "pyproject.toml", "README.md"}:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes((ROOT / path).read_bytes())
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_the_tree(wheel):
    data = project()["tool"]["setuptools"]["package-data"]["crosslens"]
    expected = set()
    for path in tracked():
        if path.parts[0] in FOLDERS:
            inner = "/".join(path.parts[1:])
            if path.suffix == ".py" or (path.parts[0] == "core" and any(fnmatch(inner, each) for each in data)):
                expected.add("/".join([*FOLDERS[path.parts[0]].split("."), inner]))
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert "crosslens/py.typed" in held


def test_nothing_of_the_tree_is_left_out():
    """Each file under core/, backends/ and methods/ is code, declared data, or a source of the explorer's bundle."""
    data = project()["tool"]["setuptools"]["package-data"]["crosslens"]
    left = [
        str(path)
        for path in tracked()
        if path.parts[0] in FOLDERS
        and path.suffix != ".py"
        and path.parts[:3] != ("core", "explorer", "web")
        and not any(fnmatch("/".join(path.parts[1:]), each) for each in data)
    ]
    assert not left


def test_the_wheel_holds_the_explorers_pages_with_their_licences_and_stays_small(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist() if name.startswith("crosslens/explorer/web/")}
    assert names == {"LICENSES.txt", "explorer.css", "explorer.js", "page.html"}
    assert wheel.stat().st_size < 5_000_000


def test_the_wheel_imports_from_anywhere(wheel, tmp_path):
    target = tmp_path / "site"
    options = ["--no-deps", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True, capture_output=True)
    code = f"""
import sys
sys.path.insert(0, {str(target)!r})
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import numpy as np, crosslens, crosslens.testing.promises.method
assert crosslens.__file__.startswith({str(target)!r}), crosslens.__file__
model = crosslens.testing.TinyModel()
x = np.full((1, 3, 8, 8), 0.5, np.float32)
print(crosslens.method("grad_cam")(model, x, target=1).values.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 8, 8)\n", done.stderr


def test_every_name_of_the_front_door_is_there_and_documented():
    crosslens = importlib.import_module("crosslens")
    assert len(set(crosslens.__all__)) == len(crosslens.__all__)
    for name in crosslens.__all__:
        thing = getattr(crosslens, name)
        assert not callable(thing) or (thing.__doc__ or "").strip(), f"crosslens.{name} has no docstring"
