"""Train a network that gives any picture a style in one pass, on any model as the loss."""

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from ..arrays import as_numpy
from ..data import data as source_of
from ..data.sources.picture_files import SUFFIXES
from ..errors import ModelError, ParameterError, unknown_name
from ..execution.notices import notices_of
from ..execution.progress import Progress, shows_progress, silent
from ..method.parameter import check_values, parameters
from ..method.provenance import json_value
from ..method.unit_range import in_unit_range
from ..model.base import Model
from ..operators import Size
from ..plugins.models import ModelLike, as_model
from ..style_network.trainable import Trainable
from .adain_plan import AdainPlan
from .checkpoint import TrainingState, load_state, save_state
from .gatys_plan import GatysPlan
from .loop import Outcome, first_state, train
from .photographs import Photographs, Pixels
from .plan import Plan
from .settings import MAY_DIFFER, StyleTrainingSettings
from .style_pictures import style_pictures
from .trained_style import TrainedStyle
from .trainer import trainable

__all__ = ["plan_of", "settings_of", "train_style"]

USUAL_SIZE = 256
"""Side of the crops, in pixels, where the loss network takes any: that of the papers."""
Watch = Callable[[int, Pixels], None]


@shows_progress
def train_style(
    model: ModelLike,
    photographs: Any,
    style: Any,
    *,
    state: str | Path | None = None,
    resume: bool = False,
    watch: Watch | None = None,
    progress: Progress = silent,
    **settings: Any,
) -> TrainedStyle:
    """Train a style network: a picture in one pass, where `style_transfer` optimises each.

    The loss is that of `style_transfer` (Gatys et al. 2016, equations 1, 4, 5 and 7), through any model of any backend,
    plus the total variation; the network is that of Johnson et al. (2016), with the normalisation of Ulyanov et al.
    (2017), or with that of Dumoulin et al. (2017) for several styles. With `adain` it is the decoder of Huang and
    Belongie (2017), trained by their loss. Losses are summed over positions as in `style_transfer`; Adam takes steps
    on their mean over the batch.

    Args:
        model: the loss network, a `Model` or whatever `crosslens.wrap` takes.
        photographs: what to train on, whatever `crosslens.data` takes: sixteen pictures or more.
        style: the picture whose style to learn: a file or an array (3, H, W) in [0, 1]; several for norm="conditional";
            with adain whatever `crosslens.data` takes.
        state: a file ending in .npz, in which the training is kept after every 100 steps, or after every `every`, and
            at its end.
        resume: go on from `state`. The training then ends bit by bit as if it had never stopped, on one machine.
        watch: told (steps done, pictures (N, 3, H, W)) of one photograph after every `every` steps.
        progress: told after each step; a bar in a notebook if not given.
        settings: those of `StyleTrainingSettings`: steps, batch, size, learning_rate, seed, every, content_weight,
            style_weight, strength, tv_weight, content_layer, style_layers, norm, adain, width, blocks.

    Returns:
        The network with its losses. After ctrl-C, or where losses are not finite any more, the last good one, with a
        note.

    Raises:
        ParameterError: a setting that cannot be; a state of another training.
        ImageError: no photographs, or a style that cannot be read.
        DivergedError: losses are not finite before a first state was kept.
        KeyboardInterrupt: interrupted before the first step was done.
    """
    how = settings_of(settings)
    plan = plan_of(how, as_model(model), photographs, style)
    network = trainable(plan.spec, how.seed)
    record = {**_record(how), **plan.record()}
    start = _start(state, resume, network, record, how.steps)
    began = perf_counter()
    outcome = train(plan, network, how, start, _keeper(plan, network, how, state, record, watch), progress)
    if state is not None:
        save_state(outcome.state, record, state)
    trained = _trained(plan, network, outcome, record, perf_counter() - began, how)
    notices_of("train_style", trained.notes)
    return trained


def settings_of(given: Mapping[str, Any]) -> StyleTrainingSettings:
    """Settings by name, checked.

    Raises:
        ParameterError: an unknown one, or one that cannot be.
    """
    known = [each.name for each in parameters(StyleTrainingSettings)]
    for name in given:
        if name not in known:
            raise ParameterError(unknown_name("setting", name, known, of="train_style"))
    how = StyleTrainingSettings(**given)
    check_values(how)
    if how.adain and how.norm != "instance":
        raise ParameterError(f"adain trains a decoder, which has no normalisation; leave norm={how.norm!r} out")
    if how.norm == "batch" and how.batch == 1:
        raise ParameterError("norm is 'batch' and batch is 1; statistics of a batch need batch=2 or more")
    return how


def plan_of(how: StyleTrainingSettings, model: Model, photographs: Any, style: Any) -> Plan:
    """What is trained on what, with everything that can be refused refused.

    Args:
        how: the settings.
        model: the loss network.
        photographs, style: as `train_style` takes them.

    Raises:
        ParameterError: they do not go together.
        ImageError: pictures that cannot be read.
    """
    model = in_unit_range(model)
    size = crop_size(model, how.size)
    if how.adain:
        return AdainPlan(how, model, _photographs(photographs, size), _photographs(style, size))
    styles = [as_numpy(each) for each in style_pictures(style, model)]
    _check_styles(how, len(styles))
    return GatysPlan(how, model, _photographs(photographs, size), styles)


def _photographs(given: Any, size: Size) -> Photographs:
    """Crops of whatever `crosslens.data` takes, or of one picture's file or array (C, H, W)."""
    one = isinstance(given, str | Path) and Path(given).suffix.lower() in SUFFIXES
    one = one or getattr(given, "ndim", 0) == 3
    return Photographs(source_of([given] if one else given), size)


def _check_styles(how: StyleTrainingSettings, count: int) -> None:
    if how.norm == "conditional" and count < 2:
        raise ParameterError("norm is 'conditional' and there is one style; give several, or norm='instance'")
    if how.norm != "conditional" and count > 1:
        raise ParameterError(f"there are {count} styles and norm is {how.norm!r}; several take norm='conditional'")


def crop_size(model: Model, size: int | None) -> Size:
    """(H, W) of the crops that a loss network is shown.

    Raises:
        ModelError: it does not take pictures in colours.
        ParameterError: it takes one size only, and `size` is another.
    """
    if not model.input.is_image or model.input.is_volume or model.input.shape[0] not in {3, None}:
        raise ModelError(f"the loss network takes {model.input.shape}; it must take pictures in colours, (3, H, W)")
    fixed = model.input.shape[1:]
    height, width = (n or size or USUAL_SIZE for n in fixed)
    if size is not None and (height, width) != (size, size):
        raise ParameterError(f"size is {size}, but the loss network takes pictures of {height} x {width}: leave it out")
    return height, width


def _record(how: StyleTrainingSettings) -> dict[str, Any]:
    return {f.name: json_value(getattr(how, f.name)) for f in parameters(how) if f.name not in MAY_DIFFER}


def _start(state: Any, resume: bool, network: Trainable, record: Mapping[str, Any], steps: int) -> TrainingState:
    start = first_state(network)
    if state is None:
        if resume:
            raise ParameterError("resume=True needs state=..., the file to go on from")
        return start
    if Path(state).suffix != ".npz":
        raise ParameterError(f"state is '{state}'; its name must end in .npz")
    if resume:
        return _unfinished(load_state(state, start, record), steps)
    if Path(state).exists():
        raise ParameterError(f"'{state}' exists: resume=True goes on from it, or give state another name")
    return start


def _unfinished(state: TrainingState, steps: int) -> TrainingState:
    if state.step >= steps:
        raise ParameterError(f"steps is {steps}, and the training to go on from has taken {state.step}; ask for more")
    return state


def _keeper(
    plan: Plan,
    network: Trainable,
    how: StyleTrainingSettings,
    path: Any,
    record: Mapping[str, Any],
    watch: Watch | None,
) -> Callable[[TrainingState], None]:
    """What is done with a state that is to be kept."""

    def keep(state: TrainingState) -> None:
        if path is not None:
            save_state(state, record, path)
        if watch is not None and how.every is not None:
            watch(state.step, network.apply(state.average, state.statistics, plan.sample_inputs()))

    return keep


def _trained(
    plan: Plan,
    network: Trainable,
    outcome: Outcome,
    record: Mapping[str, Any],
    seconds: float,
    how: StyleTrainingSettings,
) -> TrainedStyle:
    state, notes = outcome.state, list(plan.notes())
    if outcome.interrupted:
        notes.append(f"interrupted after {state.step} of {how.steps} steps")
    if outcome.diverged:
        notes.append(f"{outcome.diverged}; the network is that of step {state.step}")
    weights = network.weights(state.average, state.statistics)
    return TrainedStyle(
        plan.spec, weights, state.losses, {**record, **plan.weights()}, seconds, tuple(notes),
        bool(outcome.diverged), outcome.interrupted, network, state,
    )  # fmt: skip
