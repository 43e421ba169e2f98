"""What is explained or maximised: a value per image with the cotangents of that value. One algebra for both.

An objective reads activations by layer name (`INPUT` and `OUTPUT` among them), so it means the same on every backend
and needs no framework's autodiff. Objectives add, subtract and scale: `logit(281) - logit(285)`,
`channel("layer4", 11) - 0.1 * total_variation()`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import device

from .arrays import Array, as_numpy, like, namespace, one_hot, softmax
from .errors import LayerError, TargetError
from .model import INPUT, OUTPUT, Model, Pullback

__all__ = [
    "Objective",
    "Value",
    "channel",
    "direction",
    "gram",
    "gram_matrix",
    "layer",
    "logit",
    "match",
    "neuron",
    "norm",
    "probability",
    "pullback",
    "total_variation",
]

Activations = Mapping[str, Array]


class Objective(ABC):
    """A number per image, computed from activations, that knows its own derivative."""

    layers: frozenset[str]
    """The layers it reads."""
    linear: bool = False
    """Whether the cotangents depend on the activations' shapes only, so that they are known before any pass."""

    @abstractmethod
    def value(self, activations: Activations) -> Array:
        """The objective, shape (N,)."""

    @abstractmethod
    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """The gradient of the sum of `value` over the batch, by layer, in the shape of its activations."""

    def select(self, start: int, stop: int) -> "Objective":
        """The same objective for images `start` to `stop` of the batch; differs where it holds one item per image.

        Selected for a single image, it serves any number of variants of that image.
        """
        return self

    def pinned(self, activations: Activations) -> "Objective":
        """The same objective with whatever it chooses by itself (the predicted class) fixed as it is here."""
        return self

    def check(self, model: Model) -> None:
        """Refuse a model that does not have what this objective reads.

        Raises:
            LayerError, TargetError: which layer, channel or class is missing.
        """
        for name in self.layers:
            model.layer(name) if name not in {INPUT, OUTPUT} else None

    def _terms(self) -> "tuple[tuple[float, Objective], ...]":
        """The objective as a weighted sum."""
        return ((1.0, self),)

    def __add__(self, other: "Objective") -> "Objective":
        return Total((*self._terms(), *other._terms()))

    def __sub__(self, other: "Objective") -> "Objective":
        return self + (-other)

    def __neg__(self) -> "Objective":
        return self * -1.0

    def __mul__(self, factor: float) -> "Objective":
        return Total(tuple((float(factor) * weight, term) for weight, term in self._terms()))

    __rmul__ = __mul__


@dataclass(frozen=True)
class Total(Objective):
    """A weighted sum of objectives."""

    terms: tuple[tuple[float, Objective], ...]

    def _terms(self) -> tuple[tuple[float, Objective], ...]:
        return self.terms

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(term.layers for _, term in self.terms))

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return all(term.linear for _, term in self.terms)

    def value(self, activations: Activations) -> Array:
        first, *rest = (weight * term.value(activations) for weight, term in self.terms)
        return sum(rest, first)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        total: dict[str, Array] = {}
        for weight, term in self.terms:
            for name, gradient in term.cotangents(activations).items():
                total[name] = total[name] + weight * gradient if name in total else weight * gradient
        return total

    def select(self, start: int, stop: int) -> Objective:
        return Total(tuple((weight, term.select(start, stop)) for weight, term in self.terms))

    def pinned(self, activations: Activations) -> Objective:
        return Total(tuple((weight, term.pinned(activations)) for weight, term in self.terms))

    def check(self, model: Model) -> None:
        for _, term in self.terms:
            term.check(model)

    def __str__(self) -> str:
        return " + ".join(str(term) if weight == 1 else f"{weight:g} * {term}" for weight, term in self.terms)


@dataclass(frozen=True)
class Value(Objective):
    """The class score: OUTPUT[n, c], or its softmax. `target` None takes each image's own highest class."""

    target: int | tuple[int, ...] | None = None
    softmax: bool = False
    layers = frozenset({OUTPUT})

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.target is not None and not self.softmax

    def classes(self, activations: Activations) -> Array:
        """The class of each image, integers of shape (N,)."""
        output = activations[OUTPUT]
        xp = namespace(output)
        if self.target is None:
            return xp.argmax(output, axis=1)
        targets = self.target if isinstance(self.target, tuple) else (self.target,) * output.shape[0]
        if len(targets) != output.shape[0]:
            raise TargetError(f"{len(targets)} targets for {output.shape[0]} images; give one, or one per image")
        return xp.asarray(targets, dtype=xp.int64, device=device(output))

    def value(self, activations: Activations) -> Array:
        output = activations[OUTPUT]
        score = softmax(output) if self.softmax else output
        return namespace(output).sum(score * one_hot(self.classes(activations), output), axis=1)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        output = activations[OUTPUT]
        chosen = one_hot(self.classes(activations), output)
        if not self.softmax:
            return {OUTPUT: chosen}
        p = softmax(output)
        return {OUTPUT: p * (chosen - namespace(output).sum(p * chosen, axis=1, keepdims=True))}

    def select(self, start: int, stop: int) -> Objective:
        if not isinstance(self.target, tuple):
            return self
        return Value(self.target[start] if stop - start == 1 else self.target[start:stop], self.softmax)

    def pinned(self, activations: Activations) -> Objective:
        return Value(tuple(int(c) for c in as_numpy(self.classes(activations))), self.softmax)

    def check(self, model: Model) -> None:
        from .model import classes

        count = classes(model)
        targets = self.target if isinstance(self.target, tuple) else (self.target,)
        for target in targets:
            if target is not None and not 0 <= target < count:
                raise TargetError(f"target {target} is out of range; this model has {count} classes, 0 to {count - 1}")

    def __str__(self) -> str:
        kind = "probability" if self.softmax else "logit"
        classes = self.target if isinstance(self.target, tuple) else (self.target,)
        return f"{kind}({'predicted class' if self.target is None else ', '.join(map(str, classes))})"


@dataclass(frozen=True)
class Channel(Objective):
    """The mean over positions of one channel of maps or tokens, or one unit of a vector; with (y, x), one position."""

    name: str
    index: int
    position: tuple[int, ...] = ()
    linear = True

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _weights(self, a: Array) -> Array:
        """Zeros of the shape of one activation, with what each element counts."""
        axis = 1 if a.ndim == 3 else 0  # tokens (T, D) keep their channels last
        shape = a.shape[1:]
        if not 0 <= self.index < shape[axis]:
            raise LayerError(f"channel {self.index} is out of range; layer {self.name!r} has {shape[axis]} channels")
        positions = tuple(n for i, n in enumerate(shape) if i != axis)
        if self.position and (
            len(self.position) != len(positions)
            or any(not 0 <= p < n for p, n in zip(self.position, positions, strict=True))
        ):
            raise LayerError(f"position {self.position} is out of range; layer {self.name!r} has positions {positions}")
        weights = np.zeros(shape, np.float32)
        where: list[Any] = list(self.position or [slice(None)] * len(positions))
        where.insert(axis, self.index)
        weights[tuple(where)] = 1.0 if self.position else 1.0 / max(int(np.prod(positions)), 1)
        return like(weights, a)

    def value(self, activations: Activations) -> Array:
        a = activations[self.name]
        return namespace(a).sum(a * self._weights(a)[None, ...], axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.name]
        return {self.name: namespace(a).zeros_like(a) + self._weights(a)[None, ...]}

    def check(self, model: Model) -> None:
        shape = model.layer(self.name).shape if self.name != INPUT else (None, *model.input.example_shape)
        Channel(self.name, self.index)._weights(np.zeros((1, *(n or 1 for n in shape[1:])), np.float32))

    def __str__(self) -> str:
        at = "".join(f", {p}" for p in self.position)
        return f"{'neuron' if self.position else 'channel'}({self.name!r}, {self.index}{at})"


@dataclass(frozen=True)
class Direction(Objective):
    """<v, a> at each position, averaged over positions: a direction in a layer's channels (Olah et al. 2018)."""

    name: str
    vector: Any
    linear = True

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _weights(self, a: Array) -> Array:
        v = like(self.vector, a)
        axis = 2 if a.ndim == 3 else 1
        if v.ndim != 1 or v.shape[0] != a.shape[axis]:
            raise LayerError(
                f"direction of shape {tuple(v.shape)} for layer {self.name!r} with {a.shape[axis]} channels"
            )
        shape = [1] * a.ndim
        shape[axis] = v.shape[0]
        positions = int(np.prod(a.shape[1:])) // v.shape[0]
        return namespace(a).reshape(v / positions, tuple(shape))

    def value(self, activations: Activations) -> Array:
        a = activations[self.name]
        return namespace(a).sum(a * self._weights(a), axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.name]
        return {self.name: namespace(a).zeros_like(a) + self._weights(a)}

    def __str__(self) -> str:
        return f"direction({self.name!r})"


@dataclass(frozen=True)
class Energy(Objective):
    """sum |a - reference|^power over one layer of each image: a norm, a squared distance, DeepDream's objective."""

    name: str
    power: float = 2.0
    reference: Any = None
    scale: float = 1.0
    title: str = "layer"

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _difference(self, activations: Activations) -> Array:
        a = activations[self.name]
        if self.reference is None:
            return a
        reference = like(self.reference, a)
        if reference.ndim != a.ndim or reference.shape[0] not in {1, a.shape[0]} or reference.shape[1:] != a.shape[1:]:
            raise LayerError(f"{self} holds {tuple(reference.shape)}, the layer gives {tuple(a.shape)}")
        return a - reference

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, reference=_selected(self.reference, start, stop))

    def value(self, activations: Activations) -> Array:
        d = self._difference(activations)
        xp = namespace(d)
        return self.scale * xp.sum(xp.abs(d) ** self.power, axis=tuple(range(1, d.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        d = self._difference(activations)
        if self.power == 2.0:
            return {self.name: (2.0 * self.scale) * d}
        xp = namespace(d)
        return {self.name: self.scale * self.power * xp.sign(d) * xp.abs(d) ** (self.power - 1.0)}

    def __str__(self) -> str:
        return f"{self.title}({self.name!r})"


@dataclass(frozen=True)
class Gram(Objective):
    """Gatys et al. 2016, equation 4: sum (G - A)^2 / (4 C^2 M^2); Gram matrices G of the layer, A of the style."""

    name: str
    target: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _parts(self, activations: Activations) -> tuple[Array, Array, float]:
        maps = activations[self.name]
        flat = _positions(maps)
        difference = gram_matrix(maps) - like(self.target, maps)
        return flat, difference, 1.0 / (4.0 * float(flat.shape[1]) ** 2 * float(flat.shape[2]) ** 2)

    def value(self, activations: Activations) -> Array:
        _, difference, factor = self._parts(activations)
        return factor * namespace(difference).sum(difference * difference, axis=(1, 2))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        flat, difference, factor = self._parts(activations)
        maps = activations[self.name]
        xp = namespace(maps)
        gradient = 4.0 * factor * (difference @ flat)
        return {self.name: xp.matrix_transpose(gradient) if maps.ndim == 3 else xp.reshape(gradient, maps.shape)}

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, target=_selected(self.target, start, stop))

    def __str__(self) -> str:
        return f"gram({self.name!r})"


@dataclass(frozen=True)
class TotalVariation(Objective):
    """Mahendran and Vedaldi 2015, section 2: sum ((x_right - x)^2 + (x_below - x)^2)^(beta / 2), over channels too."""

    beta: float = 2.0
    name: str = INPUT

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def value(self, activations: Activations) -> Array:
        right, below = _differences(activations[self.name])
        return namespace(right).sum((right * right + below * below) ** (self.beta / 2), axis=(1, 2, 3))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        x = activations[self.name]
        xp = namespace(x)
        right, below = _differences(x)
        if self.beta != 2.0:
            squares = right * right + below * below
            flat = squares == 0  # the power is singular there for beta < 2; a flat spot pulls nowhere
            slope = xp.where(flat, xp.zeros_like(x), xp.where(flat, xp.ones_like(x), squares) ** (self.beta / 2 - 1))
            right, below = slope * right, slope * below
        gradient = -right - below
        gradient[:, :, :, 1:] += right[:, :, :, :-1]
        gradient[:, :, 1:, :] += below[:, :, :-1, :]
        return {self.name: self.beta * gradient}

    def __str__(self) -> str:
        return f"total_variation({self.beta:g})"


def _selected(values: Any, start: int, stop: int) -> Any:
    """The rows of a batch of references; one that is shared by all images stays."""
    return values if values is None or values.shape[0] == 1 else values[start:stop, ...]


def _differences(x: Array) -> tuple[Array, Array]:
    """To the right and to the lower neighbour; zero at the last column and row."""
    xp = namespace(x)
    right, below = xp.zeros_like(x), xp.zeros_like(x)
    right[:, :, :, :-1] = x[:, :, :, 1:] - x[:, :, :, :-1]
    below[:, :, :-1, :] = x[:, :, 1:, :] - x[:, :, :-1, :]
    return right, below


def _positions(maps: Array) -> Array:
    """(N, C, H, W) as (N, C, H W); tokens (N, T, D) as (N, D, T)."""
    xp = namespace(maps)
    if maps.ndim == 3:
        return xp.matrix_transpose(maps)
    if maps.ndim != 4:
        raise LayerError(f"a Gram matrix needs maps (N, C, H, W) or tokens; this layer gives {tuple(maps.shape)}")
    return xp.reshape(maps, (maps.shape[0], maps.shape[1], -1))


def gram_matrix(maps: Array) -> Array:
    """Gatys et al. 2016, equation 3: inner products of a layer's channels over positions, not normalised, (N, C, C)."""
    flat = _positions(maps)
    return flat @ namespace(flat).matrix_transpose(flat)


def logit(target: int | Sequence[int] | None = None) -> Objective:
    """Entry `target` of the network's output (N, K); one class, one per image, or None for each image's highest."""
    return Value(_class_ids(target))


def probability(target: int | Sequence[int] | None = None) -> Objective:
    """Entry `target` of the softmax of the network's output, which must be logits."""
    return Value(_class_ids(target), softmax=True)


def _class_ids(target: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    if target is None:
        return None
    return tuple(int(t) for t in np.asarray(target)) if np.ndim(target) else int(target)  # type: ignore[arg-type]


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel of a layer over its positions; one unit where the layer is a vector."""
    return Channel(layer, index)


def neuron(layer: str, channel: int, *position: int) -> Objective:
    """One channel at one position (y, x) of maps, or token t."""
    return Channel(layer, channel, tuple(position))


def layer(name: str) -> Objective:
    """The sum of squares of a whole layer: DeepDream's objective (Mordvintsev et al. 2015)."""
    return Energy(name)


def direction(layer: str, vector: Any) -> Objective:
    """<vector, channels> averaged over positions; `vector` has one number per channel."""
    return Direction(layer, vector)


def norm(alpha: float = 2.0, layer: str = INPUT) -> Objective:
    """sum |x|^alpha, Mahendran and Vedaldi's alpha-norm (2015, section 2), of the image or of a layer."""
    return Energy(layer, power=float(alpha), title="norm")


def total_variation(beta: float = 2.0, layer: str = INPUT) -> Objective:
    """Mahendran and Vedaldi's TV^beta (2015, section 2) of the image, or of a layer's maps."""
    return TotalVariation(float(beta), layer)


def match(layer: str, activation: Any) -> Objective:
    """Half the squared distance to an activation: Gatys et al. 2016, equation 1. Minimise it: subtract it.

    `activation` has a batch axis, as `Model.forward` gives it: one for all images, or one per image.
    """
    return Energy(layer, reference=activation, scale=0.5, title="match")


def gram(layer: str, target: Any) -> Objective:
    """The squared distance to a Gram matrix: Gatys et al. 2016, equation 4. Minimise it: subtract it.

    `target` is (1, C, C) or (N, C, C), as `gram_matrix` gives it.
    """
    return Gram(layer, target)


def pullback(
    model: Model,
    x: Array,
    objective: Objective,
    wrt: Sequence[str] = (INPUT,),
    capture: Sequence[str] = (),
    replace: Mapping[str, Array] | None = None,
) -> tuple[Pullback, Array]:
    """The gradients of an objective, and its value (N,), at the least cost the objective allows.

    A linear objective over layers of known shape is one fused pass; any other is a forward and a backward pass.
    """
    read = tuple(dict.fromkeys((*capture, *sorted(objective.layers))))
    stand_ins = _stand_ins(model, x, objective) if objective.linear else None
    if stand_ins is not None:
        pull = model.vjp(x, objective.cotangents(stand_ins), wrt=wrt, capture=read, replace=replace)
        return pull, objective.value(pull.activations)
    with model.linearize(x, read, wrt=wrt, replace=replace) as at:
        gradients = at.vjp(objective.cotangents(at.activations))
        return Pullback(gradients, at.activations), objective.value(at.activations)


def _stand_ins(model: Model, x: Array, objective: Objective) -> dict[str, Array] | None:
    """Zeros in the shapes of the layers read, or None where these are not known before a pass at this image size."""
    shapes = {name: model.layer(name).shape[1:] if name != INPUT else x.shape[1:] for name in objective.layers}
    if tuple(x.shape[1:]) != model.input.example_shape or any(None in shape for shape in shapes.values()):
        return None
    xp = namespace(x)
    return {name: xp.zeros((x.shape[0], *shape), dtype=x.dtype, device=device(x)) for name, shape in shapes.items()}
