"""The options that say who does the work of a command: --workers, --threads, --ray."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from ...execution.threads import threads_at_start
from ...execution.workers import Workers

__all__ = ["WORKER_OPTIONS", "workers_of"]

WORKER_OPTIONS = [
    click.Option(
        ["--workers"],
        type=int,
        metavar="N",
        help="Processes that share the work, on this machine or on Ray; the same results whatever their number.",
    ),
    click.Option(
        ["--threads"],
        type=int,
        metavar="N",
        help="Threads of each worker, on which the last bits depend; one where --workers or --ray is given.",
    ),
    click.Option(
        ["--ray"],
        is_flag=False,
        flag_value="yes",
        metavar="[ADDRESS]",
        help="Workers on Ray: on this machine, or on the cluster at ADDRESS (auto, host:6379), which is trusted code: "
        "it can run programs as you, here and there.",
    ),
]
"""Names of their values: workers, threads, ray."""


@contextmanager
def workers_of(options: Mapping[str, Any], threads: int | None = None) -> Iterator[Workers]:
    """The workers that the values of `WORKER_OPTIONS` say; to be entered before a model is opened.

    Frameworks that cannot change their threads once they run start with the right number in this block.

    Args:
        options: of the command.
        threads: of each worker if none are given; None lets `Workers` decide.

    Raises:
        ParameterError: a number that nobody can have, or what is no address.
    """
    ray, given = options["ray"], options["threads"]
    workers = Workers.of(options["workers"], threads if given is None else given, True if ray == "yes" else ray)
    if workers.here and workers.threads is not None:
        with threads_at_start(workers.threads):
            yield workers
    else:
        yield workers
