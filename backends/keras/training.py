"""A model of any backend as the loss of a Keras training loop: perceptual losses (Johnson et al. 2016) through it."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from crosslens.arrays import Array
from crosslens.errors import ImageError, ModelError, TargetError
from crosslens.model import Model
from crosslens.model.base import refuse_unwrapped
from crosslens.objective import Objective
from crosslens.objective.loss import checked_loss, compares_images, loss_and_gradient

__all__ = ["Loss", "loss"]

_INTER_OP_THREADS = "TF_NUM_INTEROP_THREADS"
"""The environment's variable for TensorFlow's number of threads between operators."""


def loss(model: Model, objective: Objective | Callable[[Array], Objective]) -> "Loss":
    """An objective through a model as a loss with gradients, in a `GradientTape`, a `train_step` or `compile(loss=)`.

    The model may be of any backend; its gradient is `crosslens.objective.pullback`, computed together with the losses.
    In a `tf.function`, and so in `fit`, it is one call of Python (`tf.numpy_function`), which XLA cannot compile: where
    Keras would use it, on a GPU, `compile(..., jit_compile=False)`.

    Args:
        model: the network that measures, from `crosslens.wrap`; it is never changed.
        objective: what is minimised, for example `gram(...) + match(...)` of `crosslens.objective`; or, for
            `Loss.with_targets`, a function that makes it for each batch of the targets of `fit`. It gets them as a
            NumPy array, images channels first, as `Model.forward` takes them.

    Returns:
        A function of images, laid out as `keras.config.image_data_format()` says, that gives the losses (N,).

    Raises:
        ModelError, TargetError, LayerError: the model is not wrapped, or has not what the objective reads.
    """
    refuse_unwrapped(model, "loss")
    if isinstance(objective, Objective) or not callable(objective):
        objective = checked_loss(model, objective)
    return Loss(model, objective, channels_last=keras.config.image_data_format() == "channels_last")


@dataclass(frozen=True, eq=False)
class Loss:
    """Images of a network under training to losses; see `loss`."""

    model: Model
    objective: Objective | Callable[[Array], Objective]
    channels_last: bool

    def __call__(self, images: Any) -> Any:
        """The losses of images.

        Args:
            images: (N, H, W, C), or (N, C, H, W) where Keras is set so, in the model's bounds, of any floating type.
                Values outside the bounds are taken as they are, with a warning.

        Returns:
            Losses (N,), float64 for float64 images, else float32. An image that is not finite has the loss NaN.

        Raises:
            ImageError: wrong shape or type, or values far outside the bounds.
            TargetError: the objective is a function of targets, and there are none.
            ModelError: in a `tf.function`, TensorFlow has too few threads to run the model beside it.
        """
        if not isinstance(self.objective, Objective):
            raise TargetError("this loss makes its objective from targets: call loss.with_targets(targets, images)")
        return self._losses(images, ())

    def with_targets(self, targets: Any, images: Any) -> Any:
        """The losses (N,) of images, as `compile(loss=loss.with_targets)` calls it.

        Args:
            targets: what the objective is made from, if it is a function; else they are not looked at.
            images: as for `__call__`.
        """
        return self._losses(images, () if isinstance(self.objective, Objective) else (targets,))

    def _losses(self, images: Any, targets: tuple[Any, ...]) -> Any:
        images = tf.convert_to_tensor(images)
        if not images.dtype.is_floating or images.shape.rank not in {None, len(self.model.input.shape) + 1}:
            raise ImageError(
                f"the images of a loss are {images.dtype.name} {tuple(images.shape)}; give {self._layout} of a "
                "floating type"
            )
        _refuse_deadlock(self.model)
        of_losses = tf.float64 if images.dtype == tf.float64 else tf.float32
        values, gradient = tf.numpy_function(
            partial(self._compute, of_losses.as_numpy_dtype),
            [tf.stop_gradient(images), *map(tf.stop_gradient, targets)],
            (of_losses, images.dtype),
        )
        values.set_shape(images.shape[:1])
        gradient.set_shape(images.shape)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def losses(images: Any) -> Any:
            return tf.identity(values), lambda dy: self._weighted(_once_differentiable(gradient, images), dy)

        return losses(images)

    @property
    def _layout(self) -> str:
        channels, *places = ("C", "D", "H", "W") if self.model.input.is_volume else ("C", "H", "W")
        return f"(N, {', '.join([*places, channels] if self.channels_last else [channels, *places])})"

    def _compute(self, dtype: Any, images: Array, *targets: Array) -> tuple[Array, Array]:
        """The losses and the gradient of their sum, all of NumPy; `dtype` is that of the losses."""
        with tf.init_scope():  # no tape of the caller's records the model
            return self._computed(dtype, images, *targets)

    def _computed(self, dtype: Any, images: Array, *targets: Array) -> tuple[Array, Array]:
        objective = self.objective
        if not isinstance(objective, Objective):
            objective = checked_loss(self.model, objective(self._channels_first(targets[0])))
        x = np.ascontiguousarray(self._channels_first(images), np.float32)
        losses, gradient = loss_and_gradient(self.model, x, objective)
        assert gradient is not None
        gradient = np.moveaxis(gradient, 1, -1) if self._moves(images) else gradient
        return np.asarray(losses, dtype), np.ascontiguousarray(gradient, images.dtype)

    def _channels_first(self, images: Array) -> Array:
        return np.moveaxis(images, -1, 1) if self._moves(images) else images

    def _moves(self, images: Array) -> bool:
        return self.channels_last and self.model.input.is_image and images.ndim == len(self.model.input.shape) + 1

    def _weighted(self, gradient: Any, dy: Any) -> Any:
        """The gradient of sum_n dy_n loss_n, from that of the sum of the losses."""
        if isinstance(self.objective, Objective) and compares_images(self.objective):
            tf.debugging.assert_equal(
                dy,
                dy[:1],
                f"{self.objective} compares the images of a batch with each other, so its losses have a gradient only "
                "together: take their sum or mean, without weights for single images",
            )
        rows = tf.reshape(dy, tf.concat([tf.shape(dy), tf.ones(len(gradient.shape) - 1, tf.int32)], 0))
        return tf.cast(rows * tf.cast(gradient, dy.dtype), gradient.dtype)


def _refuse_deadlock(model: Model) -> None:
    """Refuse a TensorFlow model in a graph that takes TensorFlow's only thread between operators until it ends.

    Raises:
        ModelError: what to set.
    """
    set_here, set_outside = tf.config.threading.get_inter_op_parallelism_threads(), os.environ.get(_INTER_OP_THREADS)
    threads = set_here or int(set_outside or 0) or len(os.sched_getaffinity(0))
    if not tf.executing_eagerly() and model.backend == "tensorflow" and threads == 1:
        raise ModelError(
            "a TensorFlow model as a loss in a tf.function needs two inter-op threads, and there is one: call "
            "tf.config.threading.set_inter_op_parallelism_threads(2) before anything else, or compile(run_eagerly=True)"
        )


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _once_differentiable(gradient: Any, images: Any) -> Any:
    """A gradient as it is, of these images; refuses to be differentiated."""

    def refuse(*_: Any) -> Any:
        raise ModelError("a crosslens loss has no second derivative: leave its gradient out of gradient penalties")

    return tf.identity(gradient), refuse
