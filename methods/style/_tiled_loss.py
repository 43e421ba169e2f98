"""The loss of a style transfer on a picture larger than the network sees at once: tile by tile, without seams.

Gram matrices add up over positions, so those of the tiles' own positions add up to the picture's: one pass over the
tiles for them, one for the gradient. Neighbours overlap, and what lies in an overlap belongs to the nearer tile, so
that every position counts once and sees its surroundings. Memory is that of one tile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.objective.gram import flat_maps
from crosslens.synthesis.parameterisation import Parameterisation
from crosslens.synthesis.tiling import Tile


@dataclass(frozen=True)
class Part(Objective):
    """What one tile's own positions add: alpha sum (F - P)^2 / 2, and the pull of Gram matrices known already.

    With F the tile's activations, 0 where they belong to another tile, the gradient of equation 5's term of a layer
    is D F, D = beta w (G - A) / (C^2 M^2); its value is that of no single tile, and is not counted here.
    """

    content: str
    target: Any
    alpha: float
    pulls: Mapping[str, Any]
    """D (1, C, C) by style layer."""
    owned: Mapping[str, Any]
    """(h, w) by layer: 1 at the positions that belong to this tile."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.content, *self.pulls})

    def _own(self, name: str, maps: Array) -> Array:
        return maps * like(self.owned[name], maps)

    def value(self, activations: Mapping[str, Array]) -> Array:
        """The content's share, (1,)."""
        maps = activations[self.content]
        apart = self._own(self.content, maps - like(self.target, maps))
        return (0.5 * self.alpha) * namespace(maps).sum(apart * apart, axis=(1, 2, 3))

    def cotangents(self, activations: Mapping[str, Array]) -> dict[str, Array]:
        """By layer; a layer may be the content's and a style's."""
        cotangents = {}
        for name, pull in self.pulls.items():
            own = self._own(name, activations[name])
            cotangents[name] = namespace(own).reshape(like(pull, own) @ flat_maps(own), own.shape)
        maps = activations[self.content]
        content = self.alpha * self._own(self.content, maps - like(self.target, maps))
        cotangents[self.content] = cotangents[self.content] + content if self.content in cotangents else content
        return cotangents

    def __str__(self) -> str:
        return "style"


class TiledLoss:
    """alpha content + beta style of a picture, as `optimise` takes it; `aim` sets what is aimed at."""

    def __init__(
        self, model: Model, tiles: Sequence[Tile], pixels: Parameterisation, layers: Mapping[str, float]
    ) -> None:
        """`layers` are the style's with their weights."""
        self._model, self._tiles, self._pixels, self._weights = model, tiles, pixels, layers
        self._owned: list[dict[str, Any]] = [{} for _ in tiles]
        self._positions = dict.fromkeys(layers, 0.0)
        self._parts: list[tuple[str, Array]] = []
        self._wanted: Mapping[str, Array] = {}
        self.alpha, self.beta = 1.0, 1.0

    def grams(self, picture: Array) -> dict[str, Array]:
        """Equation 3 by style layer, over the whole picture."""
        total: dict[str, Array] = {}
        for n, tile in enumerate(self._tiles):
            activations = self._model.forward(tile.crop.apply(picture), list(self._weights))
            for name, maps in activations.items():
                flat = flat_maps(maps * like(self._mine(n, name, maps), maps))
                own = flat @ namespace(flat).matrix_transpose(flat)
                total[name] = total[name] + own if name in total else own
        return total

    def _mine(self, n: int, name: str, maps: Array) -> Any:
        if name not in self._owned[n]:
            self._owned[n][name] = self._tiles[n].owns((maps.shape[2], maps.shape[3]))
            if name in self._positions:
                self._positions[name] += float(self._owned[n][name].sum())
        return self._owned[n][name]

    def aim(self, content: str, seen: Array, grams: Mapping[str, Array]) -> tuple[float, float]:
        """What to reach, and both losses, without alpha and beta, at activations of zero."""
        self._wanted, nothing = grams, 0.0
        for n, tile in enumerate(self._tiles):
            maps = self._model.forward(tile.crop.apply(seen), [content])[content]
            self._parts.append((content, maps))
            own = maps * like(self._mine(n, content, maps), maps)
            nothing += 0.5 * float(namespace(own).sum(own * own))
        return nothing, sum(self._style(name, gram)[0] for name, gram in grams.items())

    def _style(self, name: str, apart: Array) -> tuple[float, Array]:
        """Equation 4 with its weight at G - A, and D without beta."""
        factor = self._weights[name] / (float(apart.shape[1]) * self._positions[name]) ** 2
        return 0.25 * factor * float(namespace(apart).sum(apart * apart)), factor * apart

    def __call__(self, parameters: Array, step: int) -> tuple[Array, Array]:
        """The loss (1,) and the gradient at the parameters."""
        picture, back = self._pixels.image.linearize(parameters)
        apart = {name: gram - self._wanted[name] for name, gram in self.grams(picture).items()}
        style = {name: self._style(name, each) for name, each in apart.items()}
        pulls = {name: self.beta * pull for name, (_, pull) in style.items()}
        loss, gradient = self.beta * sum(value for value, _ in style.values()), namespace(picture).zeros_like(picture)
        for n, tile in enumerate(self._tiles):
            part = Part(*self._parts[n], self.alpha, pulls, self._owned[n])
            pull, value = pullback(self._model, tile.crop.apply(picture), part)
            gradient = gradient + tile.crop.adjoint(like(pull.gradients[INPUT], picture))
            loss += float(value[0])
        return like(np.asarray([loss]), picture), back(gradient)
