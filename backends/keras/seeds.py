"""Chance in a Keras network: each run draws anew, as the network itself would, and its seeds stay as they are."""

from typing import Any

import keras
import tensorflow as tf

__all__ = ["FreshSeeds"]

_STATE = "seed_generator_state"
"""The name that Keras gives to the variable of a seed generator."""


class FreshSeeds(keras.StatelessScope):
    """A stateless scope in which a seed generator starts from a random state.

    Without it the states' updates were dropped, and Dropout that is left on would drop the same in every run.
    """

    def get_current_value(self, variable: Any) -> Any:
        """What the scope holds for a variable; of a seed generator's first state a random one."""
        value = super().get_current_value(variable)
        if value is None and getattr(variable, "name", "") == _STATE:
            drawn = tf.random.uniform(variable.shape, maxval=2**31 - 1, dtype=tf.int32)
            value = tf.cast(drawn, tf.as_dtype(variable.dtype))
            self.add_update((variable, value))
        return value
