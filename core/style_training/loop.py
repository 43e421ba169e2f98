"""The loop of a training: Adam on a style network's parameters, its state after each step a whole one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import DivergedError
from ..execution.interrupt import stop_on_signals
from ..execution.progress import Progress
from ..model.base import INPUT
from ..objective import pullback
from ..optim.adam import Adam
from ..optim.base import State
from ..style_network.trainable import Trainable
from .checkpoint import TrainingState
from .plan import PARTS, Plan, StepLoss
from .settings import StyleTrainingSettings

__all__ = ["KEPT_EVERY", "Outcome", "first_state", "train"]

KEPT_EVERY = 100
"""Steps between two states to fall back to, where `every` says nothing else."""
WARM_UP = 20
"""Steps in which Adam's steps grow from 0 to their length."""
AVERAGED = 0.98
"""Share of the old in the running mean of the parameters: about the last fifty steps count."""


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    state: TrainingState
    interrupted: bool = False
    diverged: str = ""
    """Why it could not go on; the state is then the last one that was kept before."""


def first_state(network: Trainable) -> TrainingState:
    """The state before the first step."""
    zeros = np.zeros_like(network.parameters)
    losses = np.zeros((0, len(PARTS)))
    return TrainingState(network.parameters, network.statistics, zeros, zeros, network.parameters, losses)


@stop_on_signals()
def train(
    plan: Plan,
    network: Trainable,
    how: StyleTrainingSettings,
    start: TrainingState,
    keep: Callable[[TrainingState], None],
    progress: Progress,
) -> Outcome:
    """Take the steps that are left.

    Args:
        plan: what is minimised.
        network: what is trained.
        how: number of steps, their length, the seed.
        start: the state to go on from.
        keep: told the state after every so many steps.
        progress: told after each step.

    Raises:
        DivergedError: a loss or a gradient is not finite before any state was kept.
        KeyboardInterrupt: interrupted before the first step was done.
    """
    state = kept = start
    every = how.every or KEPT_EVERY
    try:
        while state.step < how.steps:
            state = one_step(plan, network, how, state)
            progress(state.step, how.steps, describe(state.losses[-1]))
            if state.step % every == 0:
                keep(state)
                kept = state
    except KeyboardInterrupt:
        if not state.step:
            raise
        return Outcome(state, interrupted=True)
    except DivergedError as error:
        if not kept.step:
            raise
        return Outcome(kept, diverged=str(error))
    return Outcome(state)


def one_step(plan: Plan, network: Trainable, how: StyleTrainingSettings, state: TrainingState) -> TrainingState:
    """The state after one more step, which depends on the state and the settings alone.

    Args:
        plan: what is minimised, and the batches.
        network: that is trained.
        how: the settings.
        state: after the steps so far.

    Raises:
        DivergedError: a picture, a loss or a gradient is not finite.
    """
    batch = plan.batch(np.random.default_rng([how.seed, state.step]))
    done = network.forward(state.parameters, state.statistics, batch.inputs)
    _check_finite("the network's pictures are", done.images, how, state)
    loss = StepLoss(batch.parts, plan.unit * len(done.images))
    pull, total = pullback(plan.model, done.images, loss)
    _check_finite("the loss is", total, how, state)
    gradient = done.back(np.ascontiguousarray(as_numpy(pull.gradients[INPUT]), np.float32))
    _check_finite("the gradient is", gradient, how, state)
    told = [float(np.mean(loss.told[name])) for name in PARTS]
    return replace(_after(state, gradient, how), statistics=done.statistics, losses=np.vstack([state.losses, told]))


def _after(state: TrainingState, gradient: np.ndarray[Any, Any], how: StyleTrainingSettings) -> TrainingState:
    """One step of Adam, and the running mean of the parameters."""
    rate = how.rate * min(1.0, (state.step + 1) / WARM_UP)
    now = Adam(rate).after(State(state.parameters, (state.first, state.second), state.step), gradient)
    first, second = now.moments
    share = np.float32(min(AVERAGED, state.step / (state.step + 10)))
    average = share * state.average + (1 - share) * now.parameters
    return replace(state, parameters=now.parameters, first=first, second=second, average=average)


def describe(losses: np.ndarray[Any, Any]) -> str:
    """The weighted losses of a step in words."""
    parts = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in zip(PARTS, losses, strict=True))
    return f"loss {losses.sum():.3g}: {parts}"


def _check_finite(what: str, values: Any, how: StyleTrainingSettings, state: TrainingState) -> None:
    if not np.isfinite(as_numpy(values)).all():
        raise DivergedError(
            f"{what} not finite at step {state.step + 1}: "
            f"take shorter steps, learning_rate={how.rate / 5:g} for example"
        )
