"""What -h, --help and --version print, of every command."""

import subprocess
import sys
from importlib.metadata import version

import click
import crosslens
import pytest
from crosslens.cli import cli
from crosslens.plugins import families
from crosslens.plugins.registry import Plugin

COMMANDS = cli.list_commands(click.Context(cli))
PAGES = [[], *([name] for name in COMMANDS), ["run", "grad_cam"], ["compare", "grad_cam"], ["search", "maco"]]


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_h_is_help(command, page):
    short, long = command(*page, "-h"), command(*page, "--help")
    assert (short.exit_code, short.stderr) == (0, "")
    assert short.stdout == long.stdout
    assert short.stdout.startswith("Usage: crosslens")


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_help_fits_eighty_columns(command, page):
    assert [line for line in command(*page, "-h").stdout.splitlines() if len(line) > 80] == []


def test_the_list_of_commands_is_not_cut_short(command):
    said = command("-h").stdout.partition("Commands:")[2]
    assert "..." not in said
    assert all(f"\n  {name} " in said for name in COMMANDS)


@pytest.mark.parametrize("group", ["run", "compare", "search"])
def test_options_stand_before_the_methods_which_stand_by_family(command, group):
    said = command(group, "-h").stdout
    places = [said.index(text) for text in ("--preprocess", "--json", "Pictures of units and classes:", "  maco ")]
    assert places == sorted(places)
    assert "..." not in said.partition("Methods,")[2]


def test_run_lists_every_method_and_compare_those_on_pictures(command):
    run, compare = command("run", "-h").stdout, command("compare", "-h").stdout
    assert all(f"\n  {name} " in run for name in crosslens.methods())
    assert "mean_activation" not in compare
    assert "Data sets" not in compare


def test_methods_of_a_plugin_have_a_group_of_their_own(command, monkeypatch):
    theirs = Plugin("crosslens.methods", "shiny", "acme_shiny", "acme-maps", "2.0")
    real = families.plugins
    monkeypatch.setattr(families, "plugins", lambda group: (*real(group), theirs))
    theirs = command("run", "-h").stdout.partition("\nFrom acme-maps:\n")[2]
    assert theirs.split()[:4] == ["shiny", "does", "not", "load:"]
    assert "grad_cam" not in theirs


def test_the_version_is_the_distributions():
    words = [sys.executable, "-m", "crosslens", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"crosslens {version('crosslens')}\n"


def test_python_m_names_itself_in_its_usage():
    done = subprocess.run([sys.executable, "-m", "crosslens", "rum"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: python -m crosslens ")


def test_h_is_help_where_the_command_was_first_read_without_the_group_options(command):
    with click.Context(cli) as bare:  # as documentation tools make one; click remembers the help option from then on
        cli.get_command(bare, "layers").make_context("layers", ["net.onnx"], parent=bare)
    assert command("layers", "-h").exit_code == 0
