"""The loader, on distributions made up here: a dist-info and a module in a folder, on the path of a new process."""

import json
import re
import subprocess
import sys
from textwrap import dedent

import crosslens
import pytest
from crosslens.errors import ParameterError, PluginError
from crosslens.plugins import BACKENDS, METHODS, plugins

METHOD = """
from dataclasses import dataclass
import crosslens

@dataclass(frozen=True, kw_only=True)
class Mine(crosslens.Method):
    "A method."
    name = "{name}"

    def run(self, model, images, objective, progress):
        return crosslens.Attribution(images)

@crosslens.hookimpl
def crosslens_methods():
    return [Mine]
"""


@pytest.fixture
def site(tmp_path):
    """Make distributions in a folder, and run code that sees them: a fresh process with that folder on its path."""

    class Site:
        def add(self, distribution, module, text, name, group=METHODS, version="1.0"):
            info = tmp_path / f"{distribution}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
            (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
            (tmp_path / f"{module}.py").write_text(text)

        def run(self, code):
            command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + dedent(code)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert not done.returncode, done.stderr
            return json.loads(done.stdout)

        def error(self, call):
            """The text of the error of crosslens that a call raises."""
            return self.run(f"""
                import json, crosslens
                from crosslens.errors import CrosslensError
                try:
                    {call}
                except CrosslensError as error:
                    print(json.dumps(str(error)))
            """)

    return Site()


def test_an_outside_method_is_listed_and_runs_by_its_name(site):
    site.add("glass", "glass_mine", METHOD.format(name="mine"), "mine")
    found = site.run("""
        import json, crosslens, numpy as np
        from crosslens.testing import TinyModel
        x = np.full((1, 3, 8, 8), 0.5, np.float32)
        result = crosslens.method("mine")(TinyModel(), x)
        print(json.dumps(["mine" in crosslens.methods(), result.method, result.values.shape]))
    """)
    assert found == [True, "mine", [1, 3, 8, 8]]


def test_twins_are_refused_and_both_owners_named(site):
    site.add("glass", "glass_a", METHOD.format(name="mine"), "mine", version="1.0")
    site.add("crystal", "crystal_b", METHOD.format(name="mine"), "mine", version="2.0")
    message = site.error('crosslens.method("mine")')
    assert message == "'mine' is claimed by crystal 2.0 (crystal_b) and glass 1.0 (glass_a); uninstall one of them"


def test_a_twin_of_a_built_in_is_refused_too(site):
    site.add("glass", "glass_a", METHOD.format(name="grad_cam"), "grad_cam")
    message = site.error('crosslens.method("grad_cam")')
    assert "'grad_cam' is claimed by crosslens" in message
    assert "and glass 1.0 (glass_a); uninstall one of them" in message


def test_a_failing_import_names_the_distribution_and_the_others_go_on(site):
    site.add("glass", "glass_bad", "import a_module_that_is_missing", "bad")
    assert site.error('crosslens.method("bad")') == (
        "plugin 'bad' of glass 1.0 cannot be imported: No module named 'a_module_that_is_missing'"
    )
    assert site.run('import json, crosslens; print(json.dumps(crosslens.method("grad_cam").name))') == "grad_cam"


def test_an_import_that_raises_something_else_is_named_broken(site):
    site.add("glass", "glass_bad", "1 / 0", "bad")
    message = site.error('crosslens.method("bad")')
    assert message == "plugin 'bad' of glass 1.0 is broken: ZeroDivisionError: division by zero"


def test_a_misspelled_hook_is_refused(site):
    text = METHOD.format(name="bad").replace("def crosslens_methods", "def crosslens_method")
    site.add("glass", "glass_bad", text, "bad")
    message = site.error('crosslens.method("bad")')
    assert message.startswith(
        "plugin 'bad' of glass 1.0 has no hook 'crosslens_method' to implement. Did you mean 'crosslens_methods'"
    )


def test_a_hook_with_a_wrong_argument_is_refused(site):
    text = METHOD.format(name="bad").replace("def crosslens_methods()", "def crosslens_methods(models)")
    site.add("glass", "glass_bad", text, "bad")
    message = site.error('crosslens.method("bad")')
    assert message.startswith("plugin 'bad' of glass 1.0 is broken: PluginValidationError: ")
    assert "{'models'}" in message


def test_a_module_without_hooks_is_refused(site):
    site.add("glass", "glass_bad", "x = 1", "bad")
    message = site.error('crosslens.method("bad")')
    assert message.startswith("plugin 'bad' of glass 1.0 implements no hook; mark one of ['crosslens_attach', ")
    assert message.endswith("with @crosslens.hookimpl")


def test_an_entry_point_of_another_name_than_its_method_is_refused(site):
    site.add("glass", "glass_mine", METHOD.format(name="mine"), "yours")
    message = site.error('crosslens.method("yours")')
    assert (
        message
        == "plugin 'yours' of glass 1.0 brings the methods ['mine'], none called 'yours' as its entry point says"
    )


def test_listing_imports_no_plugin(site):
    site.add("glass", "glass_loud", "raise SystemExit('imported')", "loud")
    listed = site.run("import json, crosslens; print(json.dumps([crosslens.methods(), crosslens.backends()]))")
    assert "loud" in listed[0]


def test_asking_for_one_method_imports_only_its_module(site):
    site.add("glass", "glass_loud", "raise SystemExit('imported')", "loud")
    loaded = site.run("""
        import json, sys, crosslens
        crosslens.method("gradient")
        print(json.dumps(sorted(name for name in sys.modules if name.startswith("crosslens.methods."))))
    """)
    assert loaded == ["crosslens.methods.gradient", "crosslens.methods.gradient.gradient"]


def test_a_failing_backend_does_not_touch_methods_and_models_of_others(site):
    site.add("glass", "glass_backend", "import a_module_that_is_missing", "glass_nets", group=BACKENDS)
    assert (
        site.run("""
        import json, crosslens, numpy as np
        from crosslens.testing import TinyModel
        x = np.full((1, 3, 8, 8), 0.5, np.float32)
        print(json.dumps(crosslens.method("gradient")(crosslens.wrap(TinyModel()), x, 1).method))
    """)
        == "gradient"
    )


def test_no_method_of_that_name():
    with pytest.raises(PluginError) as caught:
        crosslens.method("ocklusion")
    assert str(caught.value) == (
        "no plugin named 'ocklusion' among the methods. Did you mean 'occlusion'? `crosslens methods` lists them."
    )


def test_no_parameter_of_that_name():
    with pytest.raises(ParameterError) as caught:
        crosslens.method("occlusion", windows=3)
    assert str(caught.value) == (
        "occlusion has no parameter 'windows'; it has window, stride, fill, border, overlap, show, layer, seed."
        " Did you mean 'window'?"
    )


def test_a_parameter_without_a_default_must_be_given(site):
    declared = 'name = "mine"\n    layer: str = crosslens.param(doc="layer with maps")'
    text = METHOD.format(name="mine").replace('name = "mine"', declared)
    site.add("glass", "glass_mine", text, "mine")
    assert site.error('crosslens.method("mine")') == "mine needs layer=: it has no default"
    assert site.run('import crosslens; print(f\'"{crosslens.method("mine", layer="conv").layer}"\')') == "conv"


def test_built_ins_come_first_and_by_the_same_lines():
    found = plugins(METHODS)
    assert found[0].distribution == "crosslens"
    assert {"gradient", "cam", "grad_cam", "occlusion"} <= {p.name for p in found}
    ours = [p for p in found if p.distribution == "crosslens"]
    assert all(re.fullmatch(rf"crosslens\.methods\.[a-z]+\.{p.name}", p.module) for p in ours)


@pytest.mark.parametrize("given", [None, 3, crosslens.method("gradient"), type(crosslens.method("gradient"))])
def test_what_is_no_name_of_a_method_is_refused_in_one_line(given):
    with pytest.raises(ParameterError, match=r"its name, 'grad_cam' for example|already, gradient: call it"):
        crosslens.method(given)
