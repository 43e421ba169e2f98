"""Going on from a saved run: the optimiser's state in the result's `.npz`, and the check that it is the same run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array, as_numpy
from .errors import ParameterError
from .optimise import State

__all__ = ["resumed", "saved_state"]

FREE = {"steps", "every", "resume"}
"""Parameters that may differ from the saved run's."""


def saved_state(state: State) -> Mapping[str, Array]:
    """A state as the arrays that `Synthesis.state` holds."""
    moments = {f"moment{n}": moment for n, moment in enumerate(state.moments)}
    return {"parameters": state.parameters, "step": np.asarray(state.step), **moments}


def resumed(
    path: Any, method: str, parameters: Mapping[str, Any], objective: str, digest: str
) -> tuple[State, np.ndarray[Any, Any]]:
    """The state and the losses (steps, N) of a run saved as `.npz`.

    Args:
        path: the file.
        method, parameters, objective, digest: of the run that shall go on; the saved one must be the same but for the
            number of steps and what is kept of them.

    Raises:
        ParameterError: no such file, no state in it, or it is another run: the message says in what.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise ParameterError(f"cannot go on from '{path}': {error}; give the .npz of an earlier run") from error
    if "state_parameters" not in arrays:
        raise ParameterError(f"cannot go on from '{path}': it holds no optimiser's state; save the run as .npz")
    record = json.loads(str(arrays["record"]))
    was = {"method": record["method"], "objective": record["provenance"]["objective"]}
    was |= {"model": record["provenance"]["model"], **record["parameters"]}
    now = {"method": method, "objective": objective, "model": digest, **parameters}
    apart = [f"{name} {was.get(name)!r}, not {value!r}" for name, value in now.items() if was.get(name) != value]
    apart = [text for text in apart if text.split()[0] not in FREE]
    if apart:
        raise ParameterError(f"'{path}' is another run: it had {'; '.join(apart)}")
    moments = tuple(arrays[f"state_moment{n}"] for n in range(2))
    return State(arrays["state_parameters"], moments, int(arrays["state_step"])), -as_numpy(arrays["history"])
