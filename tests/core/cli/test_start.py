"""How the command starts: what it imports, how it finds its subcommands, how it fails."""

import json
import os
import re
import subprocess
import sys
import time
from importlib import import_module

import click
import crosslens.cli
import pytest
from crosslens.errors import LayerError

HEAVY = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "scipy", "matplotlib", "skimage", "rich"}


def loaded_after(*args):
    """Top-level modules in a fresh process after `crosslens ARGS`."""
    code = (
        "import json, sys\nfrom crosslens.cli import cli\n"
        f"try: cli({list(args)!r}, prog_name='crosslens')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "args",
    [["--help"], ["run", "--help"], ["run", "grad_cam", "--help"], ["methods"], ["doctor"], ["layers", "--help"]],
    ids=" ".join,
)
def test_help_and_listings_load_no_framework_and_nothing_heavy(args):
    assert not loaded_after(*args) & HEAVY


def test_help_imports_no_subcommand_and_says_what_each_does():
    code = (
        "import sys\nfrom crosslens.cli import cli\n"
        "try: cli(['--help'], prog_name='crosslens')\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('crosslens.cli.', 'crosslens.comparison.compare'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = [
        "_options",
        "_options.memory",
        "_options.repeats",
        "_text",
        "_text.echo",
        "_text.spelling",
        "_text.streams",
    ]
    assert done.stdout.splitlines()[-1] == str([f"crosslens.cli.{name}" for name in imported])
    for name in crosslens.cli.cli.list_commands(None):
        assert re.search(rf"^  {name} +[A-Z].{{20,}}\.$", done.stdout, re.MULTILINE), name


def test_running_on_a_network_in_plain_arrays_loads_no_framework(picture, tiny):
    assert not loaded_after("run", "grad_cam", tiny, str(picture)) & HEAVY


def test_every_module_of_the_package_is_a_subcommand_with_a_line_of_help():
    group = crosslens.cli.cli
    context = click.Context(group)
    assert set(group.list_commands(context)) >= {"run", "compare", "layers", "methods", "plugins", "doctor", "demo"}
    for name in group.list_commands(context):
        assert group.get_command(context, name).name == name
        assert group.get_command(context, name).get_short_help_str(), name


def test_an_unknown_subcommand_is_wrong_usage(command):
    done = command("rum")
    assert done.exit_code == 2
    assert "No such command 'rum'" in done.stderr


def test_a_foreseen_error_is_one_line_and_exit_code_1(command, module):
    name = module("from crosslens.errors import ModelError\ndef broken(): raise ModelError('the weights are gone')")
    done = command("layers", f"{name}:broken")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "Error: the weights are gone\n")


def test_an_unforeseen_error_keeps_its_traceback_where_it_is_asked_for(command, module, monkeypatch):
    def broken(model):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(import_module("crosslens.cli.doctor"), "default_layer", broken)
    monkeypatch.setenv("CROSSLENS_TRACEBACK", "1")
    assert isinstance(command("doctor", "crosslens.testing:TinyModel").exception, ZeroDivisionError)


def test_doctor_does_not_fail_a_network_for_having_no_default_layer(command, tiny, monkeypatch):
    def none(model):
        raise LayerError("name the layer to explain, layer=")

    monkeypatch.setattr(import_module("crosslens.cli.doctor"), "default_layer", none)
    done = command("doctor", tiny, "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert (found["default layer"]["ok"], found["default layer"]["detail"]) == (
        None,
        "name the layer to explain, layer=",
    )
    assert done.exit_code == 0, done.output


def test_a_full_disk_is_one_line(command, module):
    name = module("import errno\ndef full(): raise OSError(errno.ENOSPC, 'No space left on device')")
    done = command("layers", f"{name}:full")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: cannot write what was asked for: No space left on device\n"


def test_an_interrupt_says_so_and_ends_with_130(command, module):
    name = module("def slow(): raise KeyboardInterrupt")
    done = command("layers", f"{name}:slow")
    assert (done.exit_code, done.stderr.strip()) == (130, "Interrupted")


def test_what_a_framework_prints_stays_off_stdout(command, module):
    name = module(
        "from crosslens.testing import TinyModel\ndef chatty():\n    print('I built it')\n    return TinyModel()"
    )
    done = command("layers", f"{name}:chatty", "--json")
    assert json.loads(done.stdout)[0]["name"] == "<input>"
    assert "I built it" in done.stderr


def test_a_run_whose_terminal_is_closed_still_saves_its_result(tmp_path):
    """The progress bar has nowhere to draw when SIGHUP arrives."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\n"
        "from crosslens.testing import TinyModel\n"
        "class Slow(TinyModel):\n"
        "    calls = 0\n"
        "    def _linearize(self, *given):\n"
        "        Slow.calls += 1\n"
        "        if Slow.calls == 4:\n"
        "            print('drawn', flush=True, file=open('drawn', 'w'))\n"
        "            input()\n"
        "            os.kill(os.getpid(), signal.SIGHUP)\n"
        "        return super()._linearize(*given)\n"
    )
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); from crosslens.cli import main; main()"
    words = ["run", "activation_maximisation", "slow:Slow", "--target", "1", "-o", "a.png"]
    terminal, stderr = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr,
    ) as started:  # fmt: skip
        os.close(stderr)
        while not (tmp_path / "drawn").exists():
            time.sleep(0.05)
            assert started.poll() is None
        os.close(terminal)
        started.communicate(b"\n")
    assert (tmp_path / "a.png").exists()
