"""Going on from a saved run: the optimiser's state in the result's `.npz`, and the check that it is the same run."""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like
from ..errors import ParameterError
from ..method.base import Method
from ..method.parameter import parameters
from ..method.provenance import described, named_layers, names_layers
from ..model.base import Model
from ..objective import Objective
from ..optim.loop import Run, State

__all__ = ["FREE", "Saved", "resumed", "resumed_mask", "saved_state"]

FREE = frozenset({"steps", "every", "resume"})
"""Parameters that may differ from the saved run's."""
Saved = tuple[State, Array]
"""A run's state, and its losses (steps, N)."""


def saved_state(runs: Sequence[Run], images: Array = None) -> Mapping[str, Any]:
    """Runs as the arrays that `Synthesis.state` holds, those of run 1 under "1_step" and so on.

    Args:
        runs: one, or several that were made one after the other.
        images: what they were made from, (N, C, H, W); None for nothing.
    """
    kept: dict[str, Any] = {} if images is None else {"images": np.asarray(_digest(images))}
    for n, run in enumerate(runs):
        moments = {f"{n}_moment{k}": moment for k, moment in enumerate(run.state.moments)}
        kept |= {f"{n}_parameters": run.state.parameters, f"{n}_step": np.asarray(run.state.step), **moments}
        kept[f"{n}_losses"] = run.history
    return kept


def resumed(
    method: Method, model: Model, objective: Objective, x: Array, images: Array = None, free: frozenset[str] = FREE
) -> list[Saved]:
    """The runs saved in the file that the method's `resume` names; none where it names none.

    Args:
        method, model, objective: of the run that shall go on; the saved one must be the same.
        x: the arrays that come back are of its namespace, type and device.
        images: what the run starts from.
        free: parameters that may differ.

    Raises:
        ParameterError: no such file, no state in it, or it is another run: the message says in what.
    """
    path = getattr(method, "resume", None)
    if path is None:
        return []
    arrays = _loaded(path)
    now = {"method": method.name, "objective": str(objective), "model": model.digest}
    now |= {f.name: described(getattr(method, f.name)) for f in parameters(method) if f.name not in free}
    _check_same(path, now, json.loads(str(arrays["record"])), list(named_layers(method)))
    if images is not None and str(arrays.get("state_images")) != _digest(images):
        raise ParameterError(f"'{path}' is another run: it was made from other images")
    return [run for run in _runs(arrays, x) if run[0].step]


def resumed_mask(path: Any, x: Array) -> Array:
    """The mask of a saved run, as an array like `x`; None for no run."""
    if path is None:
        return None
    arrays = _loaded(path)
    return like(arrays["mask"], x) if "mask" in arrays else None


def _loaded(path: Any) -> dict[str, np.ndarray[Any, Any]]:
    try:
        with np.load(Path(path), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise ParameterError(f"cannot go on from '{path}': {error}; give the .npz of an earlier run") from error
    if "state_0_parameters" not in arrays:
        raise ParameterError(f"cannot go on from '{path}': it holds no optimiser's state; save the run as .npz")
    return arrays


def _check_same(path: Any, now: dict[str, Any], record: Mapping[str, Any], layers: list[str]) -> None:
    was = {"method": record["method"], "objective": record["provenance"]["objective"]}
    was |= {"model": record["provenance"]["model"], **record["parameters"]}
    if left_open := [name for name in now if names_layers(name) and was.get(name) is None]:
        now = {name: value for name, value in now.items() if name not in left_open} | {"layers": layers}
        was["layers"] = record["provenance"].get("layers", layers)
    apart = [f"{name} {was.get(name)!r}, not {value!r}" for name, value in now.items() if was.get(name) != value]
    if apart:
        raise ParameterError(f"'{path}' is another run: it had {'; '.join(apart)}")


def _runs(arrays: Mapping[str, Any], x: Array) -> list[Saved]:
    """Every run in the file, in order."""
    found: list[Saved] = []
    while (own := f"state_{len(found)}_") + "parameters" in arrays:
        count = sum(name.startswith(f"{own}moment") for name in arrays)
        moments = tuple(like(arrays[f"{own}moment{k}"], x) for k in range(count))
        state = State(like(arrays[f"{own}parameters"], x), moments, int(arrays[f"{own}step"]))
        found.append((state, like(arrays[f"{own}losses"], x)))
    return found


def _digest(images: Array) -> str:
    return blake2b(np.ascontiguousarray(as_numpy(images)).tobytes(), digest_size=16).hexdigest()
