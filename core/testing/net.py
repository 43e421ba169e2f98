"""`Net`: a network to check a backend on; how to build it, and what the kit must be told about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import Array
from ..model.base import INPUT, OUTPUT, Layer, Model
from ..plugins.wrap import wrap

__all__ = ["Net"]


@dataclass(frozen=True)
class Net:
    """A network that some backend wraps. Only a name and a function that builds it are needed.

    >>> from crosslens.testing import TinyModel
    >>> Net("tiny", TinyModel).model.backend
    'tiny'
    """

    name: str
    build: Callable[[], Any]
    """Makes the framework's object (or a `Model`) anew; small, so that hundreds of passes take no time."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of `crosslens.wrap`."""
    state: Callable[[Any], Any] | None = None
    """Returns everything about the object and its framework that wrapping must not change, comparable by `==`."""
    smooth: bool = True
    """Whether the network is differentiable everywhere, so that central differences tell its gradient."""
    follows: Mapping[str, str] = field(default_factory=dict)
    """The one layer that a layer reads, by the layer's name: {"relu1": "conv1"}. Promises about single layers need it.

    Leave out layers that apply an activation function inside, such as a Keras Conv2D with activation="relu".
    """

    @cached_property
    def network(self) -> Any:
        """One network, shared by the promises."""
        return self.build()

    @cached_property
    def model(self) -> Model:
        """The network, wrapped; shared by the promises."""
        return self.wrapped()

    def wrapped(self, network: Any = None, **options: Any) -> Model:
        """A network (the shared one if not given), wrapped anew with `options` on top of the usual ones."""
        return wrap(self.network if network is None else network, **{**self.options, **options})

    def images(self, count: int = 2, seed: int = 0) -> Array:
        """Random images that the model accepts, (count, C, H, W), float32."""
        rng, shape = np.random.default_rng(seed), (count, *self.model.input.example_shape)
        if not self.model.input.is_image:
            return rng.standard_normal(shape, dtype=np.float32)
        return rng.random(shape, dtype=np.float32)

    def inner(self) -> list[Layer]:
        """The layers between `INPUT` and `OUTPUT`."""
        return [layer for name, layer in self.model.layers.items() if name not in {INPUT, OUTPUT}]

    def middle(self) -> str:
        """The name of the layer in the middle of `inner()`."""
        inner = self.inner()
        return inner[len(inner) // 2].name

    def cotangent(self, name: str = OUTPUT, count: int = 2, seed: int = 1) -> Array:
        """A random cotangent at a layer, for a batch of `count`."""
        shape = (count, *(n or 1 for n in self.model.layer(name).shape[1:]))
        return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)

    def __str__(self) -> str:
        return self.name
