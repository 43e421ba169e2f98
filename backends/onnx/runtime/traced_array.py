"""An array without values that records the operations on it, for an objective's own array code (`traced_objective`).

`Trace` is the array API namespace of such arrays and records ONNX operators; a `TracedArray` has a shape and an index
in the trace. Numbers and other arrays that the code uses become inputs: another picture or weight needs no new session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import as_numpy

from ..ir.graph import BOOL, FLOAT

__all__ = ["NotTraceableError", "Operation", "Trace", "TracedArray"]

Shape: TypeAlias = tuple[int, ...]


class NotTraceableError(Exception):
    """The code depends on values, or uses a function without an operator here: it must be run on arrays."""


@dataclass(frozen=True)
class Operation:
    """One ONNX operator: inputs by their index in the trace, then constant vectors of integers; "" for an input."""

    op: str
    inputs: tuple[int, ...] = ()
    ints: tuple[Shape, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    shape: Shape = ()
    elem: int = FLOAT


@dataclass
class Trace:
    """The recorded operations; also the array API namespace and the device of the traced arrays."""

    operations: list[Operation] = field(default_factory=list)
    arrays: dict[int, np.ndarray[Any, Any]] = field(default_factory=dict)
    """The numbers and arrays that the code uses, as float32, by index."""
    _indices: dict[Any, int] = field(default_factory=dict)
    _referenced: list[Any] = field(default_factory=list)
    __name__ = "crosslens.backends.onnx.runtime.traced_array"
    float32, float64, int64 = np.float32, np.float64, np.int64

    def record(
        self,
        op: str,
        *inputs: "TracedArray",
        ints: Sequence[Shape] = (),
        shape: Shape,
        elem: int = FLOAT,
        **settings: Any,
    ) -> "TracedArray":
        """Record an operator and return its result; the same operation is recorded once."""
        numbers = tuple(x.index for x in inputs)
        operation = Operation(op, numbers, tuple(ints), tuple(sorted(settings.items())), shape, elem)
        if operation not in self._indices:
            self._indices[operation] = self._append(operation)
        return TracedArray(self, self._indices[operation], shape, elem)

    def add_layer(self, name: str, shape: Shape) -> "TracedArray":
        """A traced array for a layer's activation."""
        return TracedArray(self, self._append(Operation(f"layer {name}", shape=shape)), shape, FLOAT)

    def add_array(self, values: Any) -> "TracedArray":
        """A traced array for a number or an array, which becomes an input; the same one once."""
        key = ("number", float(values)) if isinstance(values, int | float) else ("array", id(values))
        if key not in self._indices:
            plain = as_numpy(values) if hasattr(values, "__array_namespace__") else values
            array = np.atleast_1d(np.asarray(plain, np.float32))
            self._indices[key] = self._append(Operation("", shape=array.shape))
            self.arrays[self._indices[key]] = np.ascontiguousarray(array)
            self._referenced.append(values)
        index = self._indices[key]
        return TracedArray(self, index, self.arrays[index].shape, FLOAT)

    def _append(self, operation: Operation) -> int:
        self.operations.append(operation)
        return len(self.operations) - 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotTraceableError(f"no operator for {name}")

    def asarray(self, values: Any, dtype: Any = None, device: Any = None) -> "TracedArray":
        if isinstance(values, TracedArray):
            return values if dtype is None else self.astype(values, dtype)
        return self.add_array(values)

    def arange(self, stop: int, device: Any = None) -> "TracedArray":
        return self.add_array(np.arange(stop))

    def astype(self, x: "TracedArray", dtype: Any) -> "TracedArray":
        if not np.issubdtype(dtype, np.floating):
            raise NotTraceableError("no integers, only float32")
        return x if x.elem == FLOAT else self.record("Cast", x, shape=x.shape, to=FLOAT)

    def abs(self, x: "TracedArray") -> "TracedArray":
        return self.record("Abs", x, shape=x.shape)

    def sign(self, x: "TracedArray") -> "TracedArray":
        return self.record("Sign", x, shape=x.shape)

    def sqrt(self, x: "TracedArray") -> "TracedArray":
        return self.record("Sqrt", x, shape=x.shape)

    def zeros_like(self, x: "TracedArray") -> "TracedArray":
        return self._full(x, 0.0)

    def ones_like(self, x: "TracedArray") -> "TracedArray":
        return self._full(x, 1.0)

    def _full(self, x: "TracedArray", value: float) -> "TracedArray":
        return self.record("Expand", self.add_array(value), ints=[x.shape], shape=x.shape)

    def where(self, condition: "TracedArray", a: "TracedArray", b: "TracedArray") -> "TracedArray":
        return self.record("Where", condition, a, b, shape=np.broadcast_shapes(condition.shape, a.shape, b.shape))

    def clip(self, x: "TracedArray", *bounds: float | None, **named: float | None) -> "TracedArray":
        low, high = (*bounds, None, None)[:2] if bounds else (named.get("min"), named.get("max"))
        if low is not None:
            x = self.record("Max", x, self.add_array(low), shape=x.shape)
        return x if high is None else self.record("Min", x, self.add_array(high), shape=x.shape)

    def sum(self, x: "TracedArray", axis: int | Shape | None = None, keepdims: bool = False) -> "TracedArray":
        named = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        axes = {a % x.ndim for a in named}
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
        return self.record("ReduceSum", x, ints=[tuple(sorted(axes))], shape=kept, keepdims=int(keepdims))

    def reshape(self, x: "TracedArray", shape: Shape) -> "TracedArray":
        size = prod(x.shape) // prod(n for n in shape if n != -1)
        full = tuple(size if n == -1 else n for n in shape)
        return x if full == x.shape else self.record("Reshape", x, ints=[full], shape=full)

    def matrix_transpose(self, x: "TracedArray") -> "TracedArray":
        order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
        return self.record("Transpose", x, shape=tuple(x.shape[i] for i in order), perm=tuple(order))

    def concat(self, parts: Sequence["TracedArray"], axis: int) -> "TracedArray":
        axis %= parts[0].ndim
        size = sum(part.shape[axis] for part in parts)
        shape = tuple(size if i == axis else n for i, n in enumerate(parts[0].shape))
        return self.record("Concat", *parts, shape=shape, axis=axis)


@dataclass(frozen=True, eq=False)
class TracedArray:
    """An array of known shape without values: float32 or bool."""

    __array_ufunc__ = None
    """So that NumPy leaves its own numbers' arithmetic to the methods below."""

    device: Trace
    index: int
    shape: Shape
    elem: int

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return np.float32 if self.elem == FLOAT else np.bool_

    def __array_namespace__(self, api_version: str | None = None) -> Trace:
        return self.device

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotTraceableError(f"a traced array has no {name}")

    def _refuse(self, *_: Any) -> Any:
        raise NotTraceableError("the code depends on values")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __setitem__ = __array__ = _refuse

    def _binary(self, op: str, other: Any, *, swapped: bool = False, elem: int = FLOAT) -> "TracedArray":
        operand = other if isinstance(other, TracedArray) else self.device.add_array(other)
        pair = (operand, self) if swapped else (self, operand)
        return self.device.record(op, *pair, shape=np.broadcast_shapes(self.shape, operand.shape), elem=elem)

    def __neg__(self) -> "TracedArray":
        return self.device.record("Neg", self, shape=self.shape)

    def __add__(self, other: Any) -> "TracedArray":
        return self._binary("Add", other)

    def __sub__(self, other: Any) -> "TracedArray":
        return self._binary("Sub", other)

    def __rsub__(self, other: Any) -> "TracedArray":
        return self._binary("Sub", other, swapped=True)

    def __mul__(self, other: Any) -> "TracedArray":
        return self._binary("Mul", other)

    def __truediv__(self, other: Any) -> "TracedArray":
        return self._binary("Div", other)

    def __rtruediv__(self, other: Any) -> "TracedArray":
        return self._binary("Div", other, swapped=True)

    def __pow__(self, other: Any) -> "TracedArray":
        return self._binary("Pow", other)

    def __gt__(self, other: Any) -> "TracedArray":
        return self._binary("Greater", other, elem=BOOL)

    def __lt__(self, other: Any) -> "TracedArray":
        return self._binary("Less", other, elem=BOOL)

    def __eq__(self, other: object) -> "TracedArray":  # type: ignore[override]
        return self._binary("Equal", other, elem=BOOL)

    __radd__, __rmul__ = __add__, __mul__
    __hash__ = object.__hash__

    def __matmul__(self, other: "TracedArray") -> "TracedArray":
        lead = np.broadcast_shapes(self.shape[:-2], other.shape[:-2])
        return self.device.record("MatMul", self, other, shape=(*lead, self.shape[-2], other.shape[-1]))

    def __getitem__(self, key: Any) -> "TracedArray":
        slices, shape = _slices(self.shape, key if isinstance(key, tuple) else (key,))
        x = self
        if slices:
            inner = tuple(slices[i][1] - slices[i][0] if i in slices else n for i, n in enumerate(self.shape))
            starts, stops = (tuple(bounds[end] for bounds in slices.values()) for end in (0, 1))
            x = self.device.record("Slice", self, ints=[starts, stops, tuple(slices)], shape=inner)
        return self.device.reshape(x, shape)


def _slices(shape: Shape, key: tuple[Any, ...]) -> tuple[Mapping[int, Shape], Shape]:
    """(start, stop) by axis of a basic index without steps, and the shape in the end."""
    named = sum(k is not None and k is not ... for k in key)
    full = [slice(None)] * (len(shape) - named)
    spread: list[Any] = []
    for k in key if any(isinstance(k, EllipsisType) for k in key) else (*key, ...):
        spread += full if k is ... else [k]
    slices: dict[int, Shape] = {}
    out: list[int] = []
    axis = 0
    for k in spread:
        if k is None:
            out.append(1)
            continue
        start, stop, step = (k, k + 1, 1) if isinstance(k, int) else k.indices(shape[axis])
        if step != 1 or start < 0:
            raise NotTraceableError("an index with steps or a negative one")
        if (start, stop) != (0, shape[axis]):
            slices[axis] = (start, stop)
        out += [] if isinstance(k, int) else [stop - start]
        axis += 1
    return slices, tuple(out)
