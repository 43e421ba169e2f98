"""Who does the work, as users say it: how many workers, how many threads each, on this machine or on Ray."""

from dataclasses import dataclass
from typing import Any

from ..errors import ParameterError
from .executor import Executor, Local, check_workers

__all__ = ["Workers"]


@dataclass(frozen=True)
class Workers:
    """How many, with how many threads each, and where."""

    workers: int | None = None
    """None: this process; on Ray as many as there is room for."""
    threads: int | None = None
    """Of each worker; None: one, and for this process, where no number of workers is given either, all it likes."""
    ray: bool | str | None = None
    """True: Ray on this machine, or as it is initialised; the address of a cluster, which is trusted code."""

    @classmethod
    def of(cls, workers: int | None = None, threads: int | None = None, ray: bool | str | None = None) -> "Workers":
        """The same, checked.

        Raises:
            ParameterError: a number that nobody can have, or what is no address.
        """
        check_workers(1 if workers is None else workers, 1 if threads is None else threads)
        if ray is not None and not isinstance(ray, bool | str):
            raise ParameterError(f"ray is {ray!r}; give True, or the address of a cluster, 'auto' or 'host:6379'")
        if isinstance(ray, str) and ray not in {"auto", "local"} and ":" not in ray:
            raise ParameterError(
                f"'{ray}' is not the address of a Ray cluster, such as 'auto', 'host:6379' or 'ray://host:10001'; an "
                "option --ray without an address is written last, or before another option"
            )
        if threads is None and (workers is not None or ray):
            threads = 1
        return cls(workers, threads, ray or None)

    @property
    def here(self) -> bool:
        """Whether it is this process alone."""
        return self.ray is None and self.workers in {None, 1}

    @property
    def elsewhere(self) -> bool:
        """Whether workers may run on other machines than this one."""
        return self.ray is not None

    def executor(self) -> Executor[Any, Any]:
        """What runs them."""
        if self.ray is not None:
            from .ray import OnRay

            return OnRay(self.ray if isinstance(self.ray, str) else None, self.workers, self.threads or 1)
        if self.workers is None or self.workers == 1:
            return Local()
        from .processes import Processes

        return Processes(self.workers, self.threads or 1)

    def __str__(self) -> str:
        if self.ray is not None:
            where = f"Ray {self.ray}" if isinstance(self.ray, str) else "Ray"
        else:
            where = "this process" if self.here else f"{self.workers} processes"
        return f"{where}, {self.threads} thread{'s' * (self.threads > 1)} each" if self.threads else where
