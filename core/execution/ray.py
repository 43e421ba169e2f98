"""Ray: workers on this machine, or on all machines of a cluster (https://docs.ray.io).

A Ray address is trusted code: whoever can reach it can run programs as the user who started it, and what comes back
from it is unpickled here. Give addresses of your own clusters only, on a network of your own.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ParameterError, WorkerError
from .executor import Executor, Item, Job, Made, check_workers
from .threads import thread_environment
from .worker import Actor, answer_of, packed

__all__ = ["OnRay"]


class OnRay(Executor[Item, Made]):
    """Actors on Ray, each of which holds the opened job. An address is trusted code, see above.

    Without an address, and where nobody has called `ray.init`, Ray runs on this machine for as long as `run` does. On a
    cluster each machine has crosslens, the model's framework, and the files and data under the same paths.
    """

    def __init__(self, address: str | None = None, workers: int | None = None, threads: int = 1) -> None:
        """`workers`: None for as many as there are processors."""
        check_workers(1 if workers is None else workers, threads)
        self.address, self.workers, self.threads = address, workers, threads

    def run(self, job: Job[Item, Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
        ray, content, actors = _import_ray(), packed(job), list[Any]()
        started = not ray.is_initialized()
        try:
            if started:
                os.environ.update(
                    {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"} | os.environ
                )
                here = {"num_cpus": (self.workers or os.cpu_count() or 1) * self.threads, "include_dashboard": False}
                given = {"address": self.address} if self.address else {"address": "local", **here}
                ray.init(**given, log_to_driver=False, logging_level="error")
            room = int(ray.cluster_resources().get("CPU", 0)) // self.threads
            if room < (self.workers or 1):
                raise ParameterError(f"Ray has room for {room} workers, {self.workers or 1} were asked for")
            environment = {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"), **thread_environment(self.threads)}
            kind = ray.remote(Actor).options(num_cpus=self.threads, runtime_env={"env_vars": environment})
            job_there = ray.put(content)
            actors += [kind.remote(job_there, os.getcwd(), sys.path) for _ in range(self.workers or room)]
            yield from _answers(ray, actors, iter(items))
        except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
            text = " ".join(str(error).split())[:300]
            raise WorkerError(f"Ray lost a worker: {text}; use fewer if memory ran out") from error
        finally:
            for each in actors:
                ray.kill(each)
            if started:
                ray.shutdown()


def _answers(ray: Any, actors: list[Any], left: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Items and what was made of them; an actor has its first item as soon as it runs, however late that is."""
    end = object()
    busy, following = {each.answer.remote(): (each, end) for each in actors}, next(left, end)
    while following is not end or any(item is not end for _, item in busy.values()):
        (done,), _ = ray.wait(list(busy), num_returns=1)
        (actor, item), answer = busy.pop(done), ray.get(done)
        if following is not end:
            busy[actor.answer.remote(following)], following = (actor, following), next(left, end)
        if item is not end:
            yield item, answer_of(answer)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ParameterError("Ray is not installed here: pip install 'crosslens[ray]'") from error
    return ray
