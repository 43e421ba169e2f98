"""Who does the work, as users say it in Python and in the shell."""

import os

import click
import pytest
from click.testing import CliRunner
from crosslens.cli._options.executors import WORKER_OPTIONS, workers_of
from crosslens.errors import CrosslensError, ParameterError
from crosslens.execution.executor import Local
from crosslens.execution.processes import Processes
from crosslens.execution.ray import OnRay
from crosslens.execution.workers import Workers


def said(*words):
    """What a command with these options does: its workers, and OMP_NUM_THREADS while it runs."""
    seen = []

    def call(**options):
        with workers_of(options) as workers:
            seen.extend([workers, os.environ.get("OMP_NUM_THREADS")])

    places = click.Argument(["places"], nargs=-1)
    command = click.Command("x", callback=lambda places, **options: call(**options), params=[places, *WORKER_OPTIONS])
    result = CliRunner().invoke(command, list(words), catch_exceptions=True)
    if isinstance(result.exception, CrosslensError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return seen


def test_the_options_say_where_and_with_how_many_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert said("photos") == [Workers(), None]
    assert said("photos", "--workers", "1") == [Workers(1, 1), "1"]
    assert said("--threads", "3", "photos") == [Workers(None, 3), "3"]
    assert said("photos", "--workers", "4", "--threads", "2") == [Workers(4, 2), None]
    assert said("photos", "--ray") == [Workers(None, 1, True), None]
    assert said("photos", "--ray", "--workers", "2") == [Workers(2, 1, True), None]
    assert said("--ray", "head:6379", "photos") == [Workers(None, 1, "head:6379"), None]
    assert "OMP_NUM_THREADS" not in os.environ


def test_what_is_no_address_and_no_number_is_refused():
    with pytest.raises(ParameterError, match="'photos' is not the address of a Ray cluster"):
        said("--ray", "photos")
    with pytest.raises(ParameterError, match="workers is 0; give a whole number from 1 on"):
        said("--workers", "0")
    with pytest.raises(ParameterError, match="threads is -1"):
        Workers.of(threads=-1)
    with pytest.raises(ParameterError, match="ray is 3; give True"):
        Workers.of(ray=3)


def test_one_worker_is_this_process_and_several_are_processes_or_actors():
    assert isinstance(Workers.of().executor(), Local)
    assert isinstance(Workers.of(1).executor(), Local)
    several, ray = Workers.of(3, 2).executor(), Workers.of(3, 2, "auto").executor()
    assert isinstance(several, Processes)
    assert isinstance(ray, OnRay)
    assert (several.workers, several.threads) == (3, 2)
    assert (ray.workers, ray.threads, ray.address) == (3, 2, "auto")
    assert str(Workers.of(3, 2)) == "3 processes, 2 threads each"
    assert str(Workers.of(2, ray="auto")) == "Ray auto, 1 thread each"
    assert str(Workers.of()) == "this process"
