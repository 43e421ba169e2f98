"""Ray on this machine, one session for all: what it gives is what this process gives, a lost actor is a clear line."""

import crosslens
import pytest
from crosslens.errors import ParameterError, WorkerError
from crosslens.execution.executor import Local
from crosslens.execution.ray import OnRay
from crosslens.testing import TinyModel

from tests.core.data.test_executed_sweeps import by, job_of, onnx_model, torch_model
from tests.core.execution.test_executors import Power, refuse_other_answers
from tests.core.picture_run.test_picture_workers import files, picture_folder, records


@pytest.fixture(scope="module", autouse=True)
def ray():
    module = pytest.importorskip("ray", reason="Ray is not installed")
    module.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield module
    module.shutdown()


def test_ray_gives_what_this_process_gives():
    refuse_other_answers(OnRay(workers=2))


@pytest.mark.parametrize("build", [torch_model, onnx_model], ids=["torch", "onnx"])
def test_states_of_a_sweep_are_the_same_bytes_with_one_and_two_actors(build):
    job = job_of(build())
    assert [by(OnRay(workers=count), job) for count in (1, 2)] == [by(Local(), job)] * 2


def test_pictures_and_their_index_are_the_same(tmp_path):
    photos, gradient = picture_folder(tmp_path / "photos"), crosslens.method("gradient")
    for name, workers in (("here", {"workers": 1}), ("ray", {"workers": 2, "ray": True})):
        crosslens.run_pictures(gradient, TinyModel(), photos, tmp_path / name, **workers)
    assert files(tmp_path / "here") == files(tmp_path / "ray") != {}
    assert records(tmp_path / "here") == records(tmp_path / "ray")


def test_an_actor_that_is_killed_is_a_clear_line():
    with pytest.raises(WorkerError, match="Ray lost a worker"):
        list(OnRay(workers=1).run(Power(3), ["killed", 1, 2]))


def test_more_workers_than_ray_has_room_for_are_refused():
    with pytest.raises(ParameterError, match="Ray has room for 1 workers, 2 were asked for"):
        list(OnRay(workers=2, threads=2).run(Power(3), [1]))


def test_workers_on_ray_have_their_threads_and_no_network_for_models(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert list(OnRay(workers=1, threads=2).run(Power(3), ["threads"])) == [("threads", ("2", "2", "2"))]
    assert list(OnRay(workers=1).run(Power(3), ["offline"])) == [("offline", "1")]
