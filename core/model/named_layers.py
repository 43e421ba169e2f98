"""A model's layers by name, alias, or the framework's own object."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from ..errors import LayerError
from .digest import FollowsWeights
from .layer import ABSORBED, INPUT, OUTPUT, Layer, LayerLike, name_of_object, unknown_layer

__all__ = ["NamedLayers"]


class NamedLayers(FollowsWeights):
    """What finds a layer by what a user gives for it."""

    def layer_name(self, layer: LayerLike) -> str:
        """The name of a layer: of its name or alias, or of the framework's own object (`net.conv3`, a Keras layer).

        Raises:
            LayerError: no such layer, the object is no part of the wrapped network, or it runs several times.
        """
        return self.layer(layer).name

    def layer(self, name: LayerLike) -> Layer:
        """The layer of this name, alias or object; see `layer_name`.

        Raises:
            LayerError: no such layer; the message names the nearest.
        """
        if not isinstance(name, str):
            return self.layers[name_of_object(name, self.layers_of(name), self.backend)]
        if (layer := self.layers.get(name) or self._aliases.get(name)) is None:
            raise unknown_layer(name, self.layers, self._aliases)
        return layer

    @cached_property
    def _aliases(self) -> Mapping[str, Layer]:
        return {alias: layer for layer in self.layers.values() for alias in layer.aliases}

    def _resolve(self, names: Iterable[LayerLike]) -> dict[LayerLike, str]:
        if isinstance(names, str) or not isinstance(names, Iterable) or self.layers_of(names) is not None:
            one, kind = (repr(names), "string") if isinstance(names, str) else ("layer", "object")
            raise LayerError(f"layers are given as a list of names, not as one {kind}: [{one}]")
        return {
            name: name if isinstance(name, str) and name in {INPUT, OUTPUT} else self.layer(name).name for name in names
        }

    def _resolve_wrt(self, names: Iterable[LayerLike]) -> dict[LayerLike, str]:
        """As `_resolve`, with `ABSORBED` where kernels have rules."""
        if isinstance(names, str) or not isinstance(names, Iterable) or not self.rules.kernels:
            return self._resolve(names)
        names = list(names)
        layers = [name for name in names if not isinstance(name, str) or name != ABSORBED]
        absorbed = {ABSORBED: ABSORBED} if len(layers) < len(names) else {}
        return {**self._resolve(layers), **absorbed}
