"""Resuming a saved run: the optimiser's state in a result's `.npz`, and the check that it is the same run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, array_digest, like, namespace
from ..errors import ParameterError
from ..method.parameter import parameters
from ..method.provenance import json_value, named_layers, names_layers
from ..model.base import Model
from ..objective import Objective
from ..optim.base import State
from ..optim.loop import Run
from .picture_method import PictureMethod
from .state_file import Arrays, check_numbers, read_state, refuse_state, whole_number

__all__ = ["GIVE", "MAY_DIFFER", "Checkpoint", "SavedRun", "check_same", "load_checkpoint", "saved_state"]

MAY_DIFFER = frozenset({"steps", "every", "resume"})
"""Parameters that may differ from those of the saved run."""
GIVE = "the .npz of an earlier run"
"""What a message says would be right."""
SavedRun: TypeAlias = tuple[State, Array]
"""The state of one run, and its losses (steps, N)."""


@dataclass(frozen=True)
class Checkpoint:
    """What a saved result has for the runs that continue it."""

    runs: tuple[SavedRun, ...] = ()
    """In order, those that have taken a step; none where nothing is resumed."""
    mask: Array = None
    """(N, H, W), `Synthesis.mask` so far; None where the method has none."""
    snapshots: Mapping[int, Array] = field(default_factory=dict)
    """(N, C, H, W) in [0, 1] by the number of steps done, `Synthesis.snapshots` so far."""
    path: str | Path = ""
    """The file."""


def saved_state(runs: Sequence[Run], images: Array = None) -> Mapping[str, Any]:
    """Runs as the arrays that `Synthesis.state` holds, those of run 1 under "1_step" and so on.

    Args:
        runs: one, or several that were made one after the other.
        images: what they were made from, (N, C, H, W); None for nothing.
    """
    arrays: dict[str, Any] = {} if images is None else {"images": np.asarray(array_digest(images))}
    for n, run in enumerate(runs):
        moments = {f"{n}_moment{k}": moment for k, moment in enumerate(run.state.moments)}
        arrays |= {f"{n}_parameters": run.state.parameters, f"{n}_step": np.asarray(run.state.step), **moments}
        arrays[f"{n}_losses"] = run.history
    return arrays


def load_checkpoint(
    method: PictureMethod,
    model: Model,
    objective: Objective | str,
    example: Array,
    images: Array = None,
    may_differ: Iterable[str] = MAY_DIFFER,
    networks: Mapping[str, str] = MappingProxyType({}),
) -> Checkpoint:
    """The runs saved in the file that the method's `resume` names; an empty checkpoint where it names none.

    Args:
        method: of the run that continues the saved one, which must be the same but for `may_differ`.
        model: of that run.
        objective: of that run, or the text that its provenance has instead.
        example: an array of the namespace, type and device that the loaded arrays shall have.
        images: what the run starts from, (N, C, H, W); None for nothing.
        may_differ: names of parameters.
        networks: digests of networks beside the model, by what each is.

    Raises:
        ParameterError: no such file, no state in it, or it is another run: the message says in what.
    """
    path = method.resume
    if path is None:
        return Checkpoint()
    record, arrays = read_state(path, GIVE)
    if "state_0_parameters" not in arrays:
        refuse_state(path, "it holds no optimiser's state", "a run that was saved as .npz")
    now: dict[str, Any] = {"method": method.name, "objective": str(objective), "model": model.digest}
    now |= {f.name: json_value(getattr(method, f.name)) for f in parameters(method) if f.name not in may_differ}
    earlier = _earlier(path, record)
    if by_default := [name for name in now if names_layers(name) and earlier.get(name) is None]:
        layers = list(named_layers(method))
        now = {name: value for name, value in now.items() if name not in by_default} | {"layers": layers}
        earlier["layers"] = record["provenance"].get("layers", layers)
    if networks and (recorded := record["provenance"].get("networks")):
        now, earlier = now | {"networks": dict(networks)}, earlier | {"networks": recorded}
    check_same("run", path, earlier, now)
    if images is not None and str(arrays.get("state_images")) != array_digest(images):
        raise ParameterError(f"'{path}' is another run: it was made from other images")
    runs = tuple(run for run in _saved_runs(path, arrays, example) if run[0].step)
    if "mask" in arrays:
        check_numbers(path, "mask", arrays["mask"], GIVE, 3)
    mask = like(arrays["mask"], example) if "mask" in arrays else None
    return Checkpoint(runs, mask, _saved_snapshots(path, arrays, record["provenance"].get("bounds"), example), path)


def join_snapshots(earlier: Mapping[int, Array], later: Mapping[int, Array]) -> Mapping[int, Array]:
    """The snapshots of a run and of the one that continues it, in the order of their steps.

    Where both have a step, pictures that were made before it was continued are the earlier run's.
    """
    count = max((images.shape[0] for images in (later or earlier).values()), default=0)
    joined = {step: images for step, images in earlier.items() if images.shape[0] == count}
    for step, images in later.items():
        before = earlier[step] if step in earlier else images[:0, ...]
        parts = [like(before, images), images[before.shape[0] :, ...]]
        joined[step] = namespace(images).concat(parts, axis=0)
    return dict(sorted(joined.items()))


def check_same(what: str, path: str | Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue from a file that was made with other settings.

    Args:
        what: "run" or "search".
        path: the file, for the message.
        earlier: settings that the file records, by name; it may hold more.
        now: settings that they must be equal to.

    Raises:
        ParameterError: with each setting that differs.
    """
    different = [f"{name} {earlier.get(name)!r}, not {v!r}" for name, v in now.items() if earlier.get(name) != v]
    if different:
        raise ParameterError(f"'{path}' is another {what}: it had {'; '.join(different)}")


def _earlier(path: str | Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same in a run and the one that continues it, as the record has it.

    Raises:
        ParameterError: the record is not that of a run.
    """
    parts = record.get("provenance"), record.get("parameters")
    if not all(isinstance(each, dict) for each in parts) or not {"objective", "model"} <= parts[0].keys():  # type: ignore[union-attr]
        refuse_state(path, "its record is not that of a run", GIVE)
    provenance, own = parts
    return {"method": record.get("method"), "objective": provenance["objective"], "model": provenance["model"], **own}  # type: ignore[index,dict-item]


def _saved_snapshots(path: str | Path, arrays: Arrays, bounds: Any, example: Array) -> Mapping[int, Array]:
    """The snapshots in the file, in [0, 1] as methods make pictures."""
    low, high = _bounds(path, bounds)
    kept: dict[int, Array] = {}
    for name in (name for name in arrays if name.startswith("snapshot_")):
        number, values = name.removeprefix("snapshot_"), arrays[name]
        if not number.isdecimal():
            refuse_state(path, f"{name} in it is not the snapshot of a step", GIVE)
        check_numbers(path, name, values, GIVE, 4)
        if "images" in arrays and values.shape[1:] != arrays["images"].shape[1:]:
            refuse_state(path, f"{name} in it has the shape {values.shape}, unlike the pictures", GIVE)
        kept[int(number)] = like((values - low) / (high - low), example)
    return kept


def _bounds(path: str | Path, bounds: Any) -> tuple[float, float]:
    given = bounds or (0.0, 1.0)
    whole = isinstance(given, list | tuple) and len(given) == 2 and all(isinstance(n, int | float) for n in given)
    if not whole or not given[0] < given[1]:
        refuse_state(path, f"the bounds in its record are {bounds!r}", GIVE)
    return float(given[0]), float(given[1])


def _saved_runs(path: str | Path, arrays: Arrays, example: Array) -> list[SavedRun]:
    """Every run in the file, in order.

    Raises:
        ParameterError: a part of one is missing, or is not what a run leaves.
    """
    runs: list[SavedRun] = []
    while (prefix := f"state_{len(runs)}_") + "parameters" in arrays:
        moments = [f"{prefix}moment{k}" for k in range(sum(name.startswith(f"{prefix}moment") for name in arrays))]
        names = [f"{prefix}parameters", f"{prefix}losses", *moments]
        if missing := [name for name in (f"{prefix}step", *names) if name not in arrays]:
            refuse_state(path, f"it has no {missing[0]}", GIVE)
        for name in names:
            check_numbers(path, name, arrays[name], GIVE)
        step, losses = whole_number(path, f"{prefix}step", arrays[f"{prefix}step"], GIVE), arrays[f"{prefix}losses"]
        if losses.ndim != 2 or len(losses) not in {step, step + 1}:
            refuse_state(path, f"it has losses {losses.shape} of {step} steps", GIVE)
        state = State(like(arrays[names[0]], example), tuple(like(arrays[each], example) for each in moments), step)
        runs.append((state, like(losses, example)))
    return runs
