"""`crosslens search`, and the history of a run as a plot."""

import json

import numpy as np
import pytest


def test_a_search_writes_a_sheet_and_says_each_trials_settings_and_figures(command, tiny, tmp_path):
    done = command(
        *("search", "activation_maximisation", tiny, "--target", "1", "--steps", "3", "--trials", "3"),
        *("--vary", "zoom=0.1..0.3", "--vary", "rules=decay:0.01..0.1,blur:0.5:4", "-o", tmp_path / "sheet.png"),
    )
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["trial 1", "trial 2", "trial 3", "written"]
    assert all("zoom 0." in line and "last " in line for line in lines[:3])
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_search_as_json_holds_what_repeats_each_trial(command, tiny):
    given = ("search", "activation_maximisation", tiny, "--target", "1", "--steps", "3", "--trials", "2")
    found = json.loads(command(*given, "--json").stdout)
    assert found["parameters"]["steps"] == 3
    assert set(found["trials"][0]["settings"]) == {"learning_rate", "shift", "zoom", "rules"}
    assert set(found["trials"][0]["figures"]) == {"first", "last", "roughness"}
    again, other = (json.loads(command(*given, "--search-seed", seed, "--json").stdout) for seed in (0, 5))
    assert again["trials"] == found["trials"]
    assert other["trials"] != found["trials"]


def test_a_search_goes_on_from_its_file_with_more_trials(command, tiny, tmp_path):
    given = ("search", "activation_maximisation", tiny, "--target", "1", "--steps", "3")
    command(*given, "--trials", "1", "-o", tmp_path / "one.npz")
    more = command(*given, "--trials", "2", "--resume", tmp_path / "one.npz")
    assert more.exit_code == 0, more.output
    assert more.stdout == command(*given, "--trials", "2").stdout
    other = command(
        *given, "--trials", "3", "--zoom", "0.2", "--vary", "shift=0.1..0.2", "--resume", tmp_path / "one.npz"
    )
    assert other.exit_code == 1
    assert "is another search: it had " in other.stderr


def test_what_to_vary_must_be_spelled_out(command, tiny):
    done = command("search", "activation_maximisation", tiny, "--target", "1", "--vary", "zoom")
    assert done.exit_code == 1
    assert "--vary 'zoom' is not of the form NAME=VALUES, with a range such as 0.01..0.1 for VALUES" in done.stderr


def test_the_history_of_a_run_is_plotted_where_it_is_asked_for(command, tiny, tmp_path):
    pytest.importorskip("matplotlib")
    given = ("run", "activation_maximisation", tiny, "--target", "1", "--steps", "3")
    done = command(*given, "--history", tmp_path / "history.svg", "-o", tmp_path / "a.npz")
    assert done.exit_code == 0, done.output
    assert "<svg" in (tmp_path / "history.svg").read_text()
    assert "no such option" in command("run", "gradient", tiny, "x.png", "--history", "a.svg").output.lower()


def test_a_run_goes_on_from_its_file_with_snapshots_beside_it(command, tiny, tmp_path):
    given = ("run", "activation_maximisation", tiny, "--target", "1")
    assert command(*given, "--steps", "3", "-o", tmp_path / "half.npz").exit_code == 0
    rest = command(*given, "--steps", "6", "--resume", tmp_path / "half.npz", "-o", tmp_path / "rest.npz")
    assert rest.exit_code == 0, rest.output
    whole = command(*given, "--steps", "6", "--every", "3", "-o", tmp_path / "whole.npz")
    assert whole.exit_code == 0, whole.output
    with np.load(tmp_path / "rest.npz") as a, np.load(tmp_path / "whole.npz") as b:
        np.testing.assert_array_equal(a["images"], b["images"])
        np.testing.assert_array_equal(a["history"], b["history"])
        assert {"snapshot_3", "snapshot_6"} <= set(b.files)
