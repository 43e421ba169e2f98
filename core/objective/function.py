"""A user's own function of the output, or of other layers, as an objective: `lambda out: out[:, 3] - out[:, 5]`."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from linecache import getlines
from types import CodeType
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy, like
from ..errors import TargetError
from ..model.base import INPUT, OUTPUT, Model
from ..model.layer import LayerLike
from .algebra import Activations, Objective

__all__ = ["FunctionObjective", "function"]

MOST_ENTRIES = 4096
"""Largest number of entries an image over which a gradient is taken by differences."""
STEP = 2.0**-17
"""Step of central differences at entries up to 1, about the cube root of float64's precision; in proportion above."""
MOST_NUMBERS = 1 << 22
"""Numbers in one call of the function for differences."""
PROBES = 3
"""Number of random rows on which a function is tried out."""

Values: TypeAlias = np.ndarray[Any, Any]
Differentiate: TypeAlias = Callable[..., "tuple[Array, Sequence[Array]] | None"]


class TargetFunctionError(TargetError):
    """The user's code raises."""


@dataclass(frozen=True)
class FunctionObjective(Objective):
    """What a Python function of layers' activations gives for each image; see `function`."""

    function: Callable[..., Any]
    read: tuple[LayerLike, ...] = (OUTPUT,)
    """The layers whose activations are its arguments, in order."""
    differentiate: Differentiate | None = field(default=None, repr=False, compare=False)
    """The framework's automatic differentiation, `Model.differentiate`; without it NumPy and differences."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.read)

    def value(self, activations: Activations) -> Array:
        arrays = [activations[name] for name in self.read]
        if self.differentiate is not None:
            return self._in_framework(arrays, gradient=False)[0]
        return like(self._call(*map(_doubles, arrays)), arrays[0])

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self.value_and_cotangents(activations)[1]

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        arrays = [activations[name] for name in self.read]
        if self.differentiate is not None:
            value, gradients = self._in_framework(arrays, gradient=True)
        else:
            doubles = [_doubles(array) for array in arrays]
            value = like(self._call(*(double.copy() for double in doubles)), arrays[0])
            gradients = [like(self._differences(doubles, n), array) for n, array in enumerate(arrays)]
        return value, dict(zip(self.read, gradients, strict=True))

    def _in_framework(self, arrays: Sequence[Array], *, gradient: bool) -> tuple[Array, Sequence[Array]]:
        assert self.differentiate is not None
        found = self.differentiate(self._call, arrays, gradient=gradient)
        if found is None:
            raise TargetError(
                f"the target {self} has no gradient: what it gives is not computed from its argument by operations "
                "that can be differentiated (was it detached, or turned into a number?)"
            )
        value, gradients = found
        return like(value, arrays[0]), [like(each, array) for each, array in zip(gradients, arrays, strict=False)]

    def _call(self, *arrays: Any) -> Any:
        """The function's values, (N,).

        Raises:
            TargetError: it gives anything else.
        """
        values, count = self.function(*arrays), arrays[0].shape[0]
        shape = tuple(getattr(values, "shape", ()))
        if shape != (count,):
            what = f"shape {shape}" if shape else f"one number or a {type(values).__name__}"
            raise TargetError(
                f"the target {self} gives {what} for {count} images; it must give one number for each image, shape "
                f"(N,), from {' and '.join(str(tuple(a.shape)) for a in arrays)}: out[:, 3] for example"
            )
        return values

    def _differences(self, arrays: list[Values], which: int) -> Values:
        """The gradient with respect to one argument, by central differences of all entries in a few calls."""
        array = arrays[which]
        flat = array.reshape(len(array), -1)
        count, entries = flat.shape
        if entries > MOST_ENTRIES:
            raise TargetError(
                f"the target {self} reads {entries} numbers an image, and without a framework's own gradient it is "
                f"differentiated by differences, over {MOST_ENTRIES} at most; write it with crosslens.objective"
            )
        gradient = np.empty_like(flat)
        chunk = max(1, MOST_NUMBERS // (2 * sum(a.size for a in arrays)))
        for start in range(0, entries, chunk):
            at = np.arange(start, min(start + chunk, entries))
            steps = STEP * np.maximum(1.0, np.abs(flat[:, at]))
            moved = np.broadcast_to(flat, (2, len(at), *flat.shape)).copy()
            for sign, side in ((1, moved[0]), (-1, moved[1])):
                side[np.arange(len(at)), :, at] += sign * steps.T
            several = [np.concatenate([a] * (2 * len(at))) for a in arrays]
            several[which] = moved.reshape(-1, *array.shape[1:]).copy()  # the function may work in place
            above, below = np.asarray(self._call(*several), np.float64).reshape(2, len(at), count)
            exact = moved[0, np.arange(len(at)), :, at] - moved[1, np.arange(len(at)), :, at]
            gradient[:, at] = ((above - below) / exact).T
        return gradient.reshape(array.shape)

    def for_model(self, model: Model) -> Objective:
        """The same, in the model's framework if the function works on its tensors, else on NumPy arrays.

        Raises:
            TargetError: it fails on both, gives anything but a number for each image, or mixes images.
        """
        probes = [_probe(model, layer) for layer in self.read]
        in_framework, on_numpy = replace(self, differentiate=model.differentiate), replace(self, differentiate=None)
        try:
            differentiable = self._tried(lambda: model.differentiate(self._call, probes, gradient=True), probes)
        except TargetFunctionError as error:
            return on_numpy._where_it_works(probes, error)
        if differentiable is not None:
            return in_framework._refuse_mixing(probes)
        try:
            return on_numpy._where_it_works(probes)
        except (
            TargetFunctionError
        ) as error:  # it has no gradient in the framework, and runs only there, if there is one
            found = self._tried(lambda: model.differentiate(self._call, probes, gradient=False), probes)
            if found is None:
                raise error
            return in_framework._refuse_mixing(probes)

    def _where_it_works(self, probes: Sequence[Array], before: "TargetError | None" = None) -> Objective:
        """Itself, if it works on NumPy arrays; if not, the error before that counts."""
        try:
            self._tried(lambda: self._call(*map(_doubles, probes)), probes)
        except TargetFunctionError as error:
            raise before or error from error
        return self._refuse_mixing(probes)

    def _tried(self, call: Callable[[], Any], probes: Sequence[Array]) -> Any:
        """What a call gives.

        Raises:
            TargetFunctionError: the user's code raises.
        """
        try:
            return call()
        except TargetError:
            raise
        except Exception as error:
            shapes = " and ".join(str(tuple(probe.shape)) for probe in probes)
            said = (str(error).splitlines() or [""])[0]
            raise TargetFunctionError(f"the target {self} fails on {shapes}: {type(error).__name__}: {said}") from error

    def _refuse_mixing(self, probes: Sequence[Array]) -> Objective:
        """Itself; its gradient would have another scale with other images beside it.

        Raises:
            TargetError: the value of a row depends on the rows beside it.
        """
        together = as_numpy(self.value(dict(zip(self.read, probes, strict=True))))
        for n in range(PROBES):
            rows = [probe[n : n + 1] for probe in probes]
            alone = as_numpy(self.value(dict(zip(self.read, rows, strict=True))))[0]
            if not np.allclose(alone, together[n], rtol=1e-3, atol=1e-5, equal_nan=True):
                raise TargetError(
                    f"the target {self} mixes images: a value is {together[n]:.6g} among {PROBES} images and "
                    f"{alone:.6g} alone. Compute each image's number from its own row: out.mean(1), not out.mean()"
                )
        return self

    def __str__(self) -> str:
        text = source_of(self.function)
        layers = ", ".join(map(repr, self.read))
        return text if self.read == (OUTPUT,) else f"{text} of {layers}"


def function(f: Callable[..., Any], layers: LayerLike | Iterable[LayerLike] = (OUTPUT,)) -> Objective:
    """What a function of your own gives, as an objective: `function(lambda out: out[:, 3] - out[:, 5])`.

    A method takes the function itself as its target. Its gradient is the framework's own where the function works on
    the framework's tensors: torch's autograd, TensorFlow's tape. Elsewhere, on ONNX for example, the function gets
    NumPy arrays in float64, and its gradient is taken by central differences, which are exact to about 1e-7 where it is
    smooth.

    Args:
        f: it gets the activations of `layers`, for N images, channels first, and gives one number for each image, (N,).
            N may be any number, and a number must depend on its own image only.
        layers: whose activations it gets, in this order; the output, as the network gives it, if not given.

    Raises:
        TargetError: `f` is not callable. In use: it gives anything else or mixes images, or has no gradient where one
            is needed, or one that would need differences over more than 4096 numbers.
    """
    if not callable(f) or isinstance(f, type):
        raise TargetError(f"a target that is a function must be callable; this is a {type(f).__name__}")
    several = isinstance(layers, list | tuple | set | frozenset)
    return FunctionObjective(f, tuple(layers) if several else (layers,))


def source_of(f: Callable[..., Any]) -> str:
    """A function for people: its name, of a lambda its source, or its file and line where that cannot be told."""
    name = getattr(f, "__qualname__", "")
    if not name:
        return type(f).__name__
    if not name.endswith("<lambda>"):
        return name
    code, arguments = f.__code__, str(inspect.signature(f)).strip("()")
    body = _source_text(code)
    return f"lambda {arguments}: {body}" if body else f"<lambda> at {code.co_filename}:{code.co_firstlineno}"


def _source_text(code: CodeType) -> str:
    """The source of a lambda's expression in one line; "" where it is not known."""
    known = [(a, c, b, d) for a, b, c, d in code.co_positions() if a and b and c is not None and d]
    if not known:
        return ""
    (first, start), (last, end) = min(each[:2] for each in known), max(each[2:] for each in known)
    lines = [line.encode() for line in getlines(code.co_filename)[first - 1 : last]]
    if not lines:
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return " ".join(b" ".join(lines).decode(errors="replace").split())


def _doubles(array: Array) -> Values:
    values = as_numpy(array)
    if values.dtype == object:
        raise TargetError("a function in Python runs on numbers only")  # traced into a graph, it would run once
    return values.astype(np.float64)


def _probe(model: Model, layer: LayerLike) -> Array:
    """Random rows in the shape of a layer's activations."""
    shape = model.input.example_shape if layer == INPUT else model.layer(layer).shape[1:]
    return np.random.default_rng(0).random((PROBES, *(n or 2 for n in shape)), dtype=np.float32)
