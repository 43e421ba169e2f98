"""Small networks that the tests of backward rules share."""

import crosslens
import keras
from crosslens.model import InputSpec


class Calling(keras.Model):
    """A subclassed network whose call is one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def calling(function, shape=(3, 4, 5)):
    """A wrapped network of one function of maps, channels last inside."""
    spec = InputSpec(shape, None) if len(shape) == 3 else InputSpec.latent(shape)
    return crosslens.wrap(Calling(function), preprocess=None, input_shape=spec)
