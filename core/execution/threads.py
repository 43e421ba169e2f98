"""Numbers of threads: of libraries that start, of a model, of NumPy. The last bits of sums depend on them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..model.base import Model

__all__ = ["computes_with", "thread_environment", "threads_at_start"]

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables by which libraries start with this number of threads."""
    return dict.fromkeys(_VARIABLES, str(threads))


@contextmanager
def threads_at_start(threads: int) -> Iterator[None]:
    """Libraries and processes that start within the block start with this number of threads."""
    before = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    os.environ.update(thread_environment(threads))
    try:
        yield
    finally:
        for name in _VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(before)


@contextmanager
def computes_with(model: Model, threads: int | None) -> Iterator[int | None]:
    """Compute with this number of threads within the block; None leaves it as it is.

    Gives the number of threads that the model computes with in fact, which is another where its framework has started
    already and cannot change it; None where nobody can tell.
    """
    if threads is None:
        yield None
        return
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(threads), model.threads(threads) as actual:
        yield actual
