"""layers, methods, plugins and doctor."""

import json
from importlib.metadata import version

import crosslens
import pytest
from crosslens.cli import methods as methods_command
from crosslens.cli import plugins as plugins_command
from crosslens.cli._options.parameters import parameter_options
from crosslens.cli._text.tables import table
from crosslens.errors import PluginError
from crosslens.plugins import Plugin
from crosslens.plugins.registry import method_class


def test_layers_are_listed_in_execution_order_with_kind_and_shape(command, tiny):
    lines = command("layers", tiny).stdout.splitlines()
    assert lines[0].split() == ["name", "kind", "shape", "aliases"]
    assert [line.split()[0] for line in lines[1:]] == [
        *("<input>", "conv1", "act1", "conv2", "act2", "pool", "fc", "<output>")
    ]
    assert lines[2].split() == ["conv1", "Conv", "4", "x", "8", "x", "8"]
    assert [line.split()[0] for line in lines if line.endswith("default")] == ["act2"]


def test_layers_as_json(command, tiny):
    found = {layer["name"]: layer for layer in json.loads(command("layers", tiny, "--json").stdout)}
    assert found["conv2"] == {
        "name": "conv2",
        "kind": "Conv",
        "shape": [None, 6, 8, 8],
        "aliases": [],
        "has_maps": True,
        "default": False,
    }
    assert [name for name, layer in found.items() if layer["default"]] == ["act2"]
    assert not found["fc"]["has_maps"]


def test_methods_are_listed_by_family_with_a_line_each(command):
    *families, marks = command("methods").stdout.split("\n\n")
    lines = [line for family in families for line in family.splitlines()[1:]]
    assert sorted(line[2:].split()[0] for line in lines) == sorted(crosslens.methods())
    assert all(len(line[2:].split()) > 3 and len(line) <= 80 for line in lines)
    titles = {family.splitlines()[0]: family for family in families}
    assert "grad_cam " in titles["Class activation maps"]
    assert "rise " in titles["Perturbation"]
    assert "* maco " in titles["Pictures of units and classes"]
    assert marks.splitlines() == ["* needs no picture", "+ runs over a data set, such as a folder of pictures"]


def test_methods_as_json_name_their_family(command):
    records = json.loads(command("methods", "--json").stdout)
    assert [record["name"] for record in records] == sorted(crosslens.methods())
    families = {record["name"]: record["family"] for record in records}
    assert families["lime"] == families["occlusion"] == "Perturbation"
    assert json.loads(command("methods", "lime", "--json").stdout)["family"] == "Perturbation"


def test_one_method_is_shown_with_its_parameters(command):
    said = command("methods", "grad_cam").stdout
    assert "Equations 1 and 2" in said
    assert "Source: Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)." in said
    assert "--layer" in said
    assert "crosslens run grad_cam MODEL IMAGE -o grad_cam.png" in said


@pytest.mark.parametrize("name", crosslens.methods())
def test_a_methods_options_are_shown_as_the_shell_takes_them(command, name):
    """Flags with their other spelling and nothing behind; what does take a value says which."""
    options = parameter_options(method_class(name))
    taken = {"/".join([*o.opts, *o.secondary_opts]): o.is_flag for o in options if o.name.startswith("parameter_")}
    shown = [line.split() for line in command("methods", name).stdout.splitlines() if line.startswith("--")]
    assert {flags: takes == "-" for flags, takes, *_ in shown if flags != "--preset"} == taken


def test_a_methods_parameters_as_json(command):
    said = json.loads(command("methods", "occlusion", "--json").stdout)
    window = {p["name"]: p for p in said["parameters"]}["window"]
    assert (window["type"], window["default"]) == ("integer or integer,...", None)


def test_a_method_that_does_not_load_is_named_and_the_others_go_on(command, monkeypatch):
    real = methods_command.method_class

    def failing(name):
        if name == "cam":
            raise PluginError("plugin 'cam' of acme 1.0 cannot be imported: no module 'acme'")
        return real(name)

    monkeypatch.setattr(methods_command, "method_class", failing)
    done = command("methods")
    assert "Note: plugin 'cam' of acme 1.0 cannot be imported" in done.stderr
    assert "grad_cam" in done.stdout


@pytest.fixture
def two_plugins(monkeypatch):
    """One method that loads, and one of two distributions' claiming one name, and one whose module is missing."""
    good = Plugin("crosslens.methods", "gradient", "crosslens.methods.gradient.gradient", "crosslens", "0.1.0")
    bad = Plugin("crosslens.methods", "shiny", "acme_shiny", "acme", "2.0")
    monkeypatch.setattr(plugins_command, "plugins", lambda group: (good, bad) if group == "crosslens.methods" else ())
    known = {"gradient": good, "shiny": bad}
    monkeypatch.setattr(plugins_command, "plugin", lambda group, name: known[name])


def test_plugins_say_who_brings_them_and_whether_they_load(command, two_plugins):
    done = command("plugins")
    assert done.exit_code == 0
    good, bad = done.stdout.splitlines()[1:]
    assert good.split() == ["methods", "gradient", "crosslens.methods.gradient.gradient", "crosslens", "0.1.0", "loads"]
    assert bad.startswith("methods  shiny     acme_shiny")
    assert "plugin 'shiny' of acme 2.0 cannot be imported: No module named 'acme_shiny'" in bad


def test_plugins_as_json(command, two_plugins):
    good, bad = json.loads(command("plugins", "--json").stdout)
    assert good["error"] is None
    assert "acme_shiny" in bad["error"]


def test_twins_are_named(command, monkeypatch):
    from crosslens.plugins import registry as real

    twins = tuple(
        Plugin("crosslens.methods", "gradient", "crosslens.methods.gradient.gradient", who, "1") for who in ("a", "b")
    )
    monkeypatch.setattr(real, "plugins", lambda group: twins if group == "crosslens.methods" else ())
    monkeypatch.setattr(plugins_command, "plugins", real.plugins)
    said = json.loads(command("plugins", "--json").stdout)
    assert len(said) == 2
    assert all("'gradient' is claimed by a 1" in each["error"] and "b 1" in each["error"] for each in said)


@pytest.mark.parametrize("package", ["crosslens", "numpy", "torch", "tensorflow", "onnxruntime"])
def test_doctor_names_the_versions(command, package):
    found = {check["name"]: check["detail"] for check in json.loads(command("doctor", "--json").stdout)}
    assert found[package] == version(package)


def test_doctor_says_how_to_install_what_is_missing(command, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from crosslens.cli import doctor

    def without_torch(package):
        if package == "torch":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(doctor, "version", without_torch)
    assert "not installed: pip install 'crosslens[torch]'" in command("doctor").stdout


def test_doctor_tries_a_model_forward_and_backward(command, tiny):
    done = command("doctor", tiny, "--json")
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert all(found[name]["ok"] for name in ("model", "default layer", "forward", "gradient"))
    assert found["default layer"]["detail"] == "act2"
    assert found["layers"]["detail"] == "8, 4 of them with maps; the last ones: act1, conv2, act2"
    assert "no rectifier" in found["guided backpropagation"]["detail"]


def test_doctor_fails_with_a_model_that_does(command, module):
    name = module(
        "from crosslens.testing import TinyModel\nfrom crosslens.errors import UnsupportedOperators\n"
        "class Half(TinyModel):\n"
        "    def _linearize(self, *a): raise UnsupportedOperators('no derivative rules for Erf, Mish')"
    )
    done = command("doctor", f"{name}:Half")
    assert done.exit_code == 1
    assert "FAILS" in done.stdout
    assert "no derivative rules for Erf, Mish" in done.stdout
    assert "forward" in done.stdout


def test_doctor_goes_no_further_with_a_model_that_does_not_load(command):
    done = command("doctor", "gone.onnx")
    assert done.exit_code == 1
    assert "no model at 'gone.onnx'" in done.stdout


def test_tables_are_never_cut():
    wide = "x" * 300
    assert wide in table(["a", "b"], [[wide, "1"]])
