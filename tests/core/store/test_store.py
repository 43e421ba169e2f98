"""Stores: states that survive a kill at any moment, in any order of arrival, in a bounded number of files."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crosslens import testing
from crosslens.data import ArraySource, run_shard, shard, shards
from crosslens.errors import ParameterError
from crosslens.execution.executor import Local
from crosslens.methods.dataset.mean_activation import ActivationSum
from crosslens.store import stored_round
from crosslens.store.lock import locked
from crosslens.store.state_file import StoredStates, read_states, write_states
from crosslens.store.statistic_key import statistic_key

from tests.core.store import example

MOMENTS = sorted(random.Random(16).sample(range(1, 500), 3))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(shard, "SHARD", example.SHARD)
    monkeypatch.setattr(stored_round, "FOLD", example.FOLD)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a sweep that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD", example.SHARD)
        patch.setattr(stored_round, "FOLD", example.FOLD)
        folder = tmp_path_factory.mktemp("whole") / "survey"
        example.sweep(folder)
    return example.files(folder)


class Shuffled(Local):
    """Gives shards back in a random order."""

    def __init__(self, seed):
        self.seed = seed

    def run(self, job, items):
        several = list(items)
        yield from super().run(job, random.Random(self.seed).sample(several, len(several)))


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_kill_before_any_call_on_the_files_loses_nothing_and_counts_nothing_twice(tmp_path):
    """Moments of which `all` tries each, by hand: python -m tests.core.store.example FOLDER all."""
    command = [sys.executable, "-m", "tests.core.store.example", tmp_path, ",".join(map(str, MOMENTS))]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_the_same_whatever_the_order_in_which_shards_arrive(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("crosslens.execution.workers.Local", lambda: Shuffled(3))
    example.sweep(tmp_path)
    assert example.files(tmp_path) == whole


def test_files_are_the_same_wherever_states_are_folded(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(stored_round, "FOLD", 1000)
    example.sweep(tmp_path)
    assert example.files(tmp_path) == whole


def test_no_more_files_of_shards_lie_there_than_are_folded(tmp_path, monkeypatch):
    counts = []
    add = stored_round.StoredRound.add

    def counted(this, result):
        add(this, result)
        counts.append(len(list(this.folder.glob("*.npz"))))

    monkeypatch.setattr(stored_round.StoredRound, "add", counted)
    example.sweep(tmp_path)
    assert max(counts) <= example.FOLD
    assert len(list(tmp_path.glob("states/round-*/*.npz"))) == 2
    assert not list(tmp_path.glob("states/*.parquet"))


def test_states_are_those_of_all_shards_merged_from_the_first_to_the_last(whole, tmp_path):
    """The oracle merges in a loop, in memory."""
    model, statistic = testing.TinyModel(), ActivationSum("conv1")
    model.batch_size = 2
    source, state = ArraySource(example.IMAGES), statistic.empty()
    for each in shards(example.COUNT, example.SHARD):
        state = statistic.merge(state, run_shard(model, source, [statistic], each).states[statistic])
    path = tmp_path / "states.npz"
    path.write_bytes(whole["states/round-001/before-00013.npz"])
    stored = next(each for each in read_states(path).states.values() if "sum" in each)
    assert {name: np.asarray(value).tobytes() for name, value in stored.items()} == {
        name: np.asarray(value).tobytes() for name, value in state.items()
    }


def test_states_come_back_with_their_types(tmp_path):
    state = {"a": np.arange(3, dtype=np.int16), "b": np.float64(0.1), "c": np.zeros(()), "d": 3, "e": np.array(["x"])}
    write_states(tmp_path / "a.npz", StoredStates({0: state, 2: {}}, 7))
    stored = read_states(tmp_path / "a.npz")
    assert (stored.images, stored.failures, set(stored.states)) == (7, (), {0, 2})
    for name, value in state.items():
        assert type(stored.states[0][name]) is type(value)
        np.testing.assert_array_equal(stored.states[0][name], value)
    with pytest.raises(ParameterError, match="the state 'a' of a statistic is object; give arrays and numbers"):
        write_states(tmp_path / "b.npz", StoredStates({0: {"a": object()}}))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-30])
    with pytest.raises(ParameterError, match=r"is damaged .*: begin anew with again=True"):
        read_states(tmp_path / "a.npz")


def test_equal_statistics_have_the_same_text_and_others_another():
    assert statistic_key(ActivationSum("a")) == statistic_key(ActivationSum("a"))
    assert statistic_key(ActivationSum("a")).endswith("mean_activation.ActivationSum(layer='a')")
    several = [example.Above("a", 1.0), example.Above("a", 2.0), example.Above("b", 1.0), example.Answers("a")]
    assert len({statistic_key(each) for each in several}) == 4
    assert statistic_key(example.Above("a", np.float64(1))) == statistic_key(several[0])
    long = [ActivationSum("x" * 400 + end) for end in "ab"]
    assert len({statistic_key(each) for each in long}) == 2
    assert max(len(statistic_key(each)) for each in long) < 400
    with pytest.raises(ParameterError, match=r"a store cannot keep what holds a .*object"):
        statistic_key(ActivationSum(object()))


def test_a_folder_is_locked_for_others_as_long_as_its_process_lives(tmp_path):
    code = f"from crosslens.store.lock import locked\nfrom pathlib import Path\nwith locked(Path({str(tmp_path)!r})): "
    with locked(tmp_path):
        done = subprocess.run([sys.executable, "-c", f"{code}pass"], capture_output=True, text=True, check=False)
        assert "another process is writing" in done.stderr
    killed = subprocess.run(
        [sys.executable, "-c", f"{code}import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], check=False
    )
    assert killed.returncode != 0
    with locked(tmp_path):
        pass
