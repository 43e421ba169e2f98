"""A small convolutional network in plain array code, so that a method's author needs no framework."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
from array_api_compat import device

from ..arrays import Array, like, namespace
from ..model.backward_rules import BackwardRules, no_rectifier
from ..model.base import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model
from ..model.layer import ABSORBED, Layers
from ..model.preprocessing import Preprocess
from .tables import pulled_back, ratio, secant

__all__ = ["TinyModel"]

_ORDER = ("conv1", "act1", "conv2", "act2", "pool", "fc")
_PICTURES = ("conv1", "act1", "conv2", "squash")
_KINDS = {
    "squash": "Sigmoid",
    "conv1": "Conv",
    "conv2": "Conv",
    "tokens": "Reshape",
    "pool": "GlobalAveragePool",
    "fc": "Linear",
}


class TinyModel(Model):
    """conv 3x3 - activation - conv 3x3 - activation - global average pooling - linear; smooth unless `relu`.

    With `tokens` the pooling is over tokens (N, T, D), a layer of that name: the positions of the last maps. With
    `pictures` it makes pictures of pictures: conv 3x3 - activation - conv 3x3 - sigmoid, three channels.

    It runs in whatever array API namespace its images come from, `array_api_strict` among them.
    """

    backend = "tiny"
    rules_for = frozenset({"relu", "slope", "kernels", "norms", "products"})

    def __init__(
        self,
        *,
        size: int = 8,
        classes: int = 5,
        relu: bool = False,
        seed: int = 0,
        preprocess: Preprocess | None = None,
        tokens: bool = False,
        pictures: bool = False,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.input = InputSpec((3, size, size))
        self.preprocess = preprocess or Preprocess()
        self.labels = None if pictures else [f"class {k}" for k in range(classes)]
        self.relu = relu
        classifier = (*_ORDER[:4], "tokens", *_ORDER[4:]) if tokens else _ORDER
        self._order = _PICTURES if pictures else classifier
        shapes = {"conv1": (4, 3, 3, 3), "conv2": (3 if pictures else 6, 4, 3, 3), "fc": (classes, 6)}
        self._parameters: dict[str, dict[str, Any]] = {
            name: {
                "kernel": rng.normal(0, 0.5, shape).astype(np.float32),
                "bias": rng.normal(0, 0.1, shape[0]).astype(np.float32),
            }
            for name, shape in shapes.items()
            if name in self._order
        }

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """Six layers between `INPUT` and `OUTPUT`."""
        activations = self._run(np.zeros((1, *self.input.example_shape), np.float32), {})
        act = "Relu" if self.relu else "Softplus"
        inner = [Layer(name, _KINDS.get(name, act), (None, *activations[name].shape[1:])) for name in self._order]
        ends = Layer(INPUT, "Input", (None, *self.input.shape)), Layer(OUTPUT, "Output", inner[-1].shape)
        return Layers({layer.name: layer for layer in (ends[0], *inner, ends[1])})

    def of_size(self, size: tuple[int, int]) -> Self:
        """The same network for images of another size."""
        return self._copy("layers", input=InputSpec((3, *size), self.input.bounds))

    @property
    def versions(self) -> Mapping[str, str]:
        """NumPy's."""
        return {"numpy": np.__version__}

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Kernel and bias of `conv1`, `conv2` and `fc`."""
        return dict(self._parameters.get(self.layer(layer).name, {}))

    def _modified(self, rules: BackwardRules) -> Self:
        """Needs `TinyModel(relu=True)`."""
        if rules.relu != "exact" and not self.relu:
            raise no_rectifier()
        return self._copy()

    def reads(self, layer: str) -> tuple[str, ...]:
        """The layer before; `OUTPUT` reads the last one."""
        order = (INPUT, *self._order, OUTPUT)
        name = self.layer(layer).name
        return () if name == INPUT else (order[order.index(name) - 1],)

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """All layers up to the last of these."""
        order = (*self._order, OUTPUT)
        return frozenset(order[: max(order.index(self.layer(name).name) for name in names) + 1])

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        parameters = {name: {**old, **changed.get(name, {})} for name, old in self._parameters.items()}
        return self._copy(_parameters=parameters)

    def _affine(self, x: Array) -> tuple[Array, Array]:
        gain, offset = (like(v, x)[None, :, None, None] for v in self.preprocess.affine(3))
        return gain, offset

    def _preprocessed(self, x: Array) -> Array:
        gain, offset = self._affine(x)
        return gain * (namespace(x).flip(x, axis=1) if self.preprocess.reverses else x) + offset

    def _run(self, x: Array, replace: Mapping[str, Array]) -> dict[str, Array]:
        xp = namespace(x)
        a = self._preprocessed(x)
        activations: dict[str, Array] = {}
        for name in self._order:
            if name.startswith("conv"):
                a = _conv(a, **self._here(name, x))
            elif name.startswith("act"):
                a = xp.where(a > 0, a, xp.zeros_like(a)) if self.relu else _softplus(a)
            elif name == "squash":
                a = 1 / (1 + xp.exp(-a))
            elif name == "tokens":
                a = xp.permute_dims(xp.reshape(a, (*a.shape[:2], -1)), (0, 2, 1))
            elif name == "pool":
                a = xp.mean(a, axis=(2, 3) if a.ndim == 4 else 1)
            else:
                p = self._here(name, x)
                a = a @ xp.matrix_transpose(p["kernel"]) + p["bias"]
            a = activations[name] = replace.get(name, a)
        activations[OUTPUT] = replace.get(OUTPUT, a)
        return activations

    def _here(self, name: str, x: Array) -> dict[str, Array]:
        return {key: like(value, x) for key, value in self._parameters[name].items()}

    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        activations = self._run(x, replace)
        return {name: activations[name] for name in capture}

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        return _TinyLinearization(self, x, capture, wrt, replace)


class _TinyLinearization(Linearization):
    def __init__(
        self, model: TinyModel, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> None:
        self._model, self._x, self._wrt, self._replace = model, x, wrt, replace
        self._values = model._run(x, replace)
        before = [model._preprocessed(x), *(self._values[name] for name in model._order)]
        self._inputs = dict(zip(model._order, before, strict=False))
        self.activations = {name: self._values[name] for name in capture}

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        xp = namespace(self._x)
        gradients = {OUTPUT: cotangents.get(OUTPUT, xp.zeros_like(self._values[OUTPUT]))}
        dy = xp.zeros_like(gradients[OUTPUT]) if OUTPUT in self._replace else gradients[OUTPUT]
        self._absorbed = xp.zeros((dy.shape[0], 2), dtype=dy.dtype, device=device(dy))
        for name in reversed(self._model._order):
            dy = dy + cotangents[name] if name in cotangents else dy
            gradients[name] = dy
            dy = self._back(name, xp.zeros_like(dy) if name in self._replace else dy)
        gain, _ = self._model._affine(self._x)
        dx = gain * dy
        gradients[INPUT] = xp.flip(dx, axis=1) if self._model.preprocess.reverses else dx
        gradients[ABSORBED] = self._absorbed
        return {name: gradients[name] for name in self._wrt}

    def _back(self, name: str, dy: Array) -> Array:  # noqa: PLR0911 - one for each kind of layer
        """From the gradient at a layer's output to that at its input."""
        if name in self._model.rules.kernels:
            return self._by_table(name, dy)
        if name == "squash":
            return dy * self._slope(name, self._values[name] * (1 - self._values[name]))
        if name == "fc":
            return dy @ self._model._here("fc", dy)["kernel"]
        if name in {"pool", "tokens"}:
            return self._spread_over_positions(name, dy)
        if name.startswith("conv"):
            kernel = self._model._here(name, dy)["kernel"]
            return _transposed_conv(dy, kernel)
        if self._model.relu:
            return self._rectify(name, dy)
        return dy * self._slope(name, 1 - namespace(dy).exp(-self._values[name]))

    def _by_table(self, name: str, dy: Array) -> Array:
        """The same by the rule of a layer with a kernel; what it absorbs is added up."""
        own = self._model._here(name, dy)["kernel"]
        x = self._inputs[name]
        apply, transposed = (_dense, _transposed_dense) if name == "fc" else (_conv, _transposed_conv)
        y = apply(x, own) + _along(self._model._here(name, dy)["bias"], dy)
        dx, absorbed = pulled_back(self._model.rules.kernels[name], x, y, dy, apply, transposed, own)
        self._absorbed = self._absorbed + absorbed
        return dx

    def _slope(self, name: str, slope: Array) -> Array:
        """The factor at a nonlinearity, by the model's rule."""
        rule, x = self._model.rules.slope, self._inputs[name]
        y = _softplus(x) if name.startswith("act") else 1 / (1 + namespace(x).exp(-x))
        return {"ratio": ratio, "secant": secant}[rule](x, y, slope) if rule != "exact" else slope

    def _spread_over_positions(self, name: str, dy: Array) -> Array:
        xp, maps = namespace(dy), self._values["act2"]
        if name == "pool":
            mean = dy / (maps.shape[2] * maps.shape[3])
            if "tokens" in self._values:
                return mean[:, None, :] + xp.zeros_like(self._values["tokens"])
            return mean[:, :, None, None] + xp.zeros_like(maps)
        return xp.reshape(xp.permute_dims(dy, (0, 2, 1)), maps.shape)

    def _rectify(self, name: str, dy: Array) -> Array:
        xp = namespace(dy)
        zero, x, rules = xp.zeros_like(dy), self._inputs[name], self._model.rules
        if rules.slope == "secant":
            return dy * secant(x, xp.where(x > 0, x, zero), xp.where(x > 0, xp.ones_like(x), zero), smooth=False)
        if rules.relu in {"guided", "deconvnet"}:
            dy = xp.where(dy > 0, dy, zero)
        return dy if rules.relu in {"deconvnet", "linear"} else xp.where(self._values[name] > 0, dy, zero)


def _softplus(a: Array) -> Array:
    """log(1 + exp(a)), without overflow for large a; its derivative is 1 - exp(-softplus(a))."""
    xp = namespace(a)
    return xp.where(a > 0, a, xp.zeros_like(a)) + xp.log1p(xp.exp(-xp.abs(a)))


def _along(values: Array, y: Array) -> Array:
    """(C,) in a shape that broadcasts with `y`, (N, C) or (N, C, H, W)."""
    return namespace(y).reshape(values, (1, -1, *[1] * (y.ndim - 2)))


def _dense(x: Array, kernel: Array) -> Array:
    return x @ namespace(x).matrix_transpose(kernel)


def _transposed_dense(dy: Array, kernel: Array) -> Array:
    return dy @ kernel


def _transposed_conv(dy: Array, kernel: Array) -> Array:
    xp = namespace(dy)
    return _conv(dy, xp.flip(xp.permute_dims(kernel, (1, 0, 2, 3)), axis=(2, 3)))


def _conv(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """Convolution 3x3 with a border of zeros, as nine shifted products."""
    xp = namespace(x)
    n, c, h, w = x.shape
    padded = xp.zeros((n, c, h + 2, w + 2), dtype=x.dtype, device=device(x))
    padded[:, :, 1:-1, 1:-1] = x
    total = xp.zeros((n, kernel.shape[0], h * w), dtype=x.dtype, device=device(x))
    for i in range(3):
        for j in range(3):
            shifted = xp.reshape(padded[:, :, i : i + h, j : j + w], (n, c, h * w))
            total = total + kernel[:, :, i, j] @ shifted
    maps = xp.reshape(total, (n, kernel.shape[0], h, w))
    return maps if bias is None else maps + bias[None, :, None, None]
