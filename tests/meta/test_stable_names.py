"""The import paths that plugins.md declares as stable exist, and former addresses still work."""

import re
from importlib import import_module

import pytest

from .tree import ROOT

PAGE = (ROOT / "plugins.md").read_text()
SECTION = PAGE.partition("## Import paths that stay")[2].partition("\n## ")[0]
ROW = re.compile(r"^\| `(crosslens[\w.]*)` \| (.+) \|$", re.M)
STABLE = {path: re.findall(r"`([^`]+)`", names) for path, names in ROW.findall(SECTION)}
PACKAGES = (
    "arrays attack data errors introspection metadata method model "
    "objective occlusion operators plugins result synthesis testing backends.onnx "
    "backends.torch.training backends.keras.training"
)


def test_the_page_declares_every_stable_path():
    assert set(STABLE) == {"crosslens", *(f"crosslens.{name}" for name in PACKAGES.split())}
    assert all(STABLE.values())


@pytest.mark.parametrize("path", STABLE)
def test_each_name_that_the_page_declares_can_be_imported(path):
    module = import_module(path)
    missing = [name for name in STABLE[path] if not hasattr(module, name)]
    assert not missing
    assert set(STABLE[path]) <= set(module.__all__), "declared, but not exported"


def test_what_the_page_itself_imports_is_declared():
    used = re.findall(r"^from (crosslens(?:\.[\w.]+)?) import (.+)$", PAGE, re.M)
    assert used
    for path, names in used:
        modules = [name for name in names.split(", ") if f"{path}.{name}" in STABLE]
        assert set(names.split(", ")) - set(modules) <= set(STABLE[path]), path


def test_a_former_address_still_works_and_warns():
    from crosslens.introspection import default_layer

    with pytest.warns(DeprecationWarning, match=r"use crosslens\.introspection\.default_layer"):
        from crosslens.anatomy import default_layer as former
    assert former is default_layer
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        import_module("crosslens.anatomy").nothing  # noqa: B018
