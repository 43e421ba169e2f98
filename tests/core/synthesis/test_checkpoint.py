"""Saved runs: what the file holds comes back as it was, and a run that is not the same is refused with what differs."""

import json
from hashlib import blake2b

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.objective import logit
from crosslens.optim.base import State
from crosslens.optim.loop import Run
from crosslens.plugins.registry import method
from crosslens.synthesis.checkpoint import check_same, load_checkpoint, saved_state
from crosslens.testing import TinyModel

MODEL, EXAMPLE = TinyModel(size=8), np.zeros(1, np.float32)
IMAGES = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
RUNS = [
    Run(IMAGES, np.full((4 * n, 1), n, np.float32), State(IMAGES + n, (IMAGES * 2, IMAGES * 3), 4 * n))
    for n in (1, 2, 0)
]


def written(path, arrays=(), **changed):
    """A file as a run of five steps of maco writes it."""
    asked = method("maco", steps=5)
    parameters = {name: getattr(asked, name) for name in asked.__dataclass_fields__} | {"crop": [0.25, 0.6]}
    record = {"method": "maco", "parameters": parameters | {"resume": None} | changed}
    record["provenance"] = {"model": MODEL.digest, "objective": str(logit(1))}
    state = {f"state_{name}": array for name, array in saved_state(RUNS, IMAGES).items()}
    np.savez(path, record=json.dumps(record), **state, **dict(arrays))
    return path


def resumed(path, **settings):
    return load_checkpoint(method("maco", resume=path, **settings), MODEL, logit(1), EXAMPLE, IMAGES)


def test_nothing_is_loaded_where_nothing_is_resumed():
    empty = load_checkpoint(method("maco"), MODEL, logit(1), EXAMPLE)
    assert (empty.runs, empty.mask) == ((), None)


def test_runs_come_back_as_they_were_saved_without_those_that_have_not_begun(tmp_path):
    runs = resumed(written(tmp_path / "run.npz")).runs
    assert [state.step for state, _ in runs] == [4, 8]
    for (state, losses), run in zip(runs, RUNS, strict=False):
        np.testing.assert_array_equal(state.parameters, run.state.parameters)
        np.testing.assert_array_equal(state.moments, run.state.moments)
        np.testing.assert_array_equal(losses, run.history)


def test_the_mask_comes_back_too(tmp_path):
    mask = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    np.testing.assert_array_equal(resumed(written(tmp_path / "run.npz", {"mask": mask})).mask, mask)


def test_images_are_saved_as_their_digest_alone():
    digest = blake2b(IMAGES.tobytes(), digest_size=16).hexdigest()
    assert saved_state(RUNS, IMAGES)["images"] == digest
    assert "images" not in saved_state(RUNS)


def test_steps_and_snapshots_may_differ_and_other_parameters_may_not(tmp_path):
    path = written(tmp_path / "run.npz")
    assert resumed(path, steps=9, every=2).runs
    with pytest.raises(ParameterError, match=r"'.*run\.npz' is another run: it had seed 0, not 7; crops 4, not 2"):
        resumed(path, seed=7, crops=2)


def test_other_images_make_another_run(tmp_path):
    path = written(tmp_path / "run.npz")
    with pytest.raises(ParameterError, match="is another run: it was made from other images"):
        load_checkpoint(method("maco", resume=path), MODEL, logit(1), EXAMPLE, 1 - IMAGES)


def test_every_setting_that_differs_is_named():
    check_same("run", "a.npz", {"seed": 1, "size": 8, "more": 0}, {"seed": 1, "size": 8})
    with pytest.raises(ParameterError, match=r"'a\.npz' is another search: it had seed 1, not 2; size None, not 8"):
        check_same("search", "a.npz", {"seed": 1}, {"seed": 2, "size": 8})


def test_a_file_without_a_state_says_what_to_give(tmp_path):
    np.savez(tmp_path / "empty.npz", record="{}")
    with pytest.raises(ParameterError, match=r"it holds no optimiser's state; give a run that was saved as \.npz"):
        resumed(tmp_path / "empty.npz")
    with pytest.raises(ParameterError, match=r"give the \.npz of an earlier run"):
        resumed(tmp_path / "missing.npz")
